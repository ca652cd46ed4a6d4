"""What our own code asks and reads in our messages, beside the real ones in one process and in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import control_only
import numpy as np
import pytest

ALONE = """
import json, sys
if "alone" in sys.argv:
    import control_only
    control_only.block()
import numpy as np
from ferryman.serving import client, protocol
from ferryman.serving.config import ModelConfig, reload_request
from ferryman.serving.tensors import from_proto, to_proto

def message(given):
    return given.SerializeToString(deterministic=True).hex()

request = protocol.PredictRequest()
request.model_spec.name = "birds"
request.model_spec.version_label = "stable"
request.model_spec.signature_name = "serving_default"
arrays = {
    "mass": np.array([1.5, -2.0], np.float32),
    "count": np.array([[2**40], [3]]),
    "island": np.array(["Åland".encode(), b""], dtype=object),
    "pixels": np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
}
for name, array in arrays.items():
    request.inputs[name].CopyFrom(to_proto(array))
status = protocol.GetModelStatusRequest()
status.model_spec.name = "birds"
status.model_spec.version.value = 7
reload = reload_request([ModelConfig("birds", "/b", (7, 3), {"stable": 3})])
response = protocol.PredictResponse.FromString(bytes.fromhex(sys.stdin.readline()))
answered = {name: from_proto(tensor) for name, tensor in response.outputs.items()}
statuses = protocol.GetModelStatusResponse.FromString(bytes.fromhex(sys.stdin.readline()))
found = {
    "predict": message(request), "status": message(status), "reload": message(reload),
    "version": response.model_spec.version.value,
    "probabilities": answered["probabilities"].tolist(), "class": [text.decode() for text in answered["class"]],
    "states": [[entry.version, entry.state, entry.status.error_code, entry.status.error_message]
               for entry in statuses.model_version_status],
    "loaded": sorted(name for name in sys.modules if name.startswith(("tensorflow", "pyarrow", "scipy"))),
}
if "beside" in sys.argv:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    real = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    found["sum"] = float(tf.reduce_sum(tf.make_ndarray(real.inputs["mass"])))
    found["ours"] = float(from_proto(real.inputs["mass"])[1])
print(json.dumps(found))
"""


def response() -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    message = predict_pb2.PredictResponse()
    message.model_spec.name = "birds"
    message.model_spec.version.value = 7
    message.outputs["probabilities"].CopyFrom(tf.make_tensor_proto(np.array([[0.25, 0.75]], np.float32)))
    message.outputs["class"].CopyFrom(tf.make_tensor_proto(["bell"]))
    return message


def statuses() -> Any:
    from tensorflow_serving.apis import get_model_status_pb2

    message = get_model_status_pb2.GetModelStatusResponse()
    message.model_version_status.add(version=7, state=30)
    ended = message.model_version_status.add(version=3, state=50)
    ended.status.error_code, ended.status.error_message = 3, "no graph"
    return message


def said(how: str) -> dict[str, Any]:
    """What a process says of what it wrote, and of what it read in real messages."""
    given = "".join(f"{message.SerializeToString().hex()}\n" for message in (response(), statuses()))
    done = subprocess.run(
        [sys.executable, "-c", ALONE, how],
        input=given,
        env={**os.environ, "PYTHONPATH": str(Path(control_only.__file__).parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What a process says that has nothing but the packages of the extra `control`."""
    return said("alone")


def test_the_client_loads_without_tensorflow_and_without_its_api() -> None:
    beside = said("beside")
    assert beside["loaded"] == []
    assert (beside["sum"], beside["ours"]) == (-0.5, -2.0), "the real ones load afterwards, and each reads the other"


def test_a_predict_request_is_tensorflow_servings_own_to_the_byte(found: dict[str, Any]) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "birds"
    request.model_spec.version_label = "stable"
    request.model_spec.signature_name = "serving_default"
    request.inputs["mass"].CopyFrom(tf.make_tensor_proto(tf.constant([1.5, -2.0])))
    request.inputs["count"].CopyFrom(tf.make_tensor_proto(tf.constant([[2**40], [3]], tf.int64)))
    request.inputs["island"].CopyFrom(tf.make_tensor_proto(tf.constant(["Åland", ""])))
    request.inputs["pixels"].CopyFrom(tf.make_tensor_proto(tf.reshape(tf.range(8), (2, 2, 2)), tf.uint8))
    assert found["predict"] == request.SerializeToString(deterministic=True).hex()


def test_a_predict_response_of_the_real_messages_is_read(found: dict[str, Any]) -> None:
    assert (found["version"], found["probabilities"], found["class"]) == (7, [[0.25, 0.75]], ["bell"])


def test_a_model_status_is_asked_and_read_in_the_real_messages(found: dict[str, Any]) -> None:
    from tensorflow_serving.apis import get_model_status_pb2

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "birds"
    request.model_spec.version.value = 7
    assert found["status"] == request.SerializeToString(deterministic=True).hex()
    assert found["states"] == [[7, 30, 0, ""], [3, 50, 3, "no graph"]]


def test_a_reload_is_the_real_message_to_the_byte(found: dict[str, Any]) -> None:
    from tensorflow_serving.apis import model_management_pb2

    request = model_management_pb2.ReloadConfigRequest()
    entry = request.config.model_config_list.config.add()
    entry.name, entry.base_path, entry.model_platform = "birds", "/b", "tensorflow"
    entry.model_version_policy.specific.versions.extend([3, 7])
    entry.version_labels["stable"] = 3
    assert found["reload"] == request.SerializeToString(deterministic=True).hex()
