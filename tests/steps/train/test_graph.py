"""What a SavedModel may not do is seen in its message, before anything is loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from foreign import save_module

from ferryman.errors import SpecError
from ferryman.steps.train.graph import SavedGraph


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_module(tmp_path_factory.mktemp("module") / "m")


@pytest.fixture
def changed(module: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """The module's graph after `change` had its way with the message."""

    def call(change: Callable[[Any], None]) -> Path:
        from tensorflow.core.protobuf import saved_model_pb2

        message = saved_model_pb2.SavedModel()
        message.ParseFromString((module / "saved_model.pb").read_bytes())
        change(message)
        (tmp_path / "changed").mkdir()
        (tmp_path / "changed" / "saved_model.pb").write_bytes(message.SerializeToString())
        return tmp_path / "changed"

    return call


def save_function(folder: Path, body: Callable[[Any], Any]) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.call = tf.function(body, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.call})
    return folder


def reads_a_file(x: Any) -> Any:
    import tensorflow as tf

    return {"y": x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)}


def writes_a_file(x: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.io.write_file("/tmp/written", "x")]):
        return {"y": tf.identity(x)}


def calls_python(x: Any) -> Any:
    import tensorflow as tf

    y = tf.py_function(lambda value: value, [x], tf.float32)
    y.set_shape([None])
    return {"y": y}


def restores_a_checkpoint(x: Any) -> Any:
    import tensorflow as tf

    (value,) = tf.raw_ops.RestoreV2(prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])
    return {"y": x + tf.reshape(value, [-1])[:1]}


HOSTILE: dict[str, Callable[[Any], Any]] = {
    "ReadFile": reads_a_file,
    "WriteFile": writes_a_file,
    "EagerPyFunc": calls_python,
    "RestoreV2": restores_a_checkpoint,
}


@pytest.mark.parametrize("operation", HOSTILE)
def test_operations_that_reach_outside_are_refused_unless_the_spec_allows_them(tmp_path: Path, operation: str) -> None:
    graph = SavedGraph(save_function(tmp_path / "m", HOSTILE[operation]))
    with pytest.raises(SpecError, match=rf"uses {operation}, which reach files.*allow_ops: \[{operation}\]"):
        graph.check([])
    graph.check([operation])


def test_what_every_model_has_to_restore_itself_is_no_reason(module: Path) -> None:
    SavedGraph(module).check([])


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/../../b"])
def test_an_asset_that_lies_elsewhere_is_refused(changed: Any, name: str) -> None:
    def change(message: Any) -> None:
        message.meta_graphs[0].asset_file_def.add().filename = name

    with pytest.raises(SpecError, match="expected a file in its `assets`"):
        SavedGraph(changed(change)).check([])


def test_a_folder_that_is_no_saved_model_says_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(SpecError, match=r"no SavedModel: there is no saved_model.pb in it, but weights.h5"):
        SavedGraph(tmp_path)


def test_a_torn_message_is_no_saved_model(module: Path, tmp_path: Path) -> None:
    content = (module / "saved_model.pb").read_bytes()
    (tmp_path / "saved_model.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(SpecError, match=r"its saved_model.pb cannot be read"):
        SavedGraph(tmp_path)


def test_a_graph_that_servers_do_not_load_is_refused(changed: Any) -> None:
    def change(message: Any) -> None:
        message.meta_graphs[0].meta_info_def.tags[:] = ["train"]

    with pytest.raises(SpecError, match=r"tags \[\['train'\]\], expected one with \['serve'\]"):
        SavedGraph(changed(change))


def test_signatures_are_read_with_names_dtypes_and_shapes(module: Path) -> None:
    signature = SavedGraph(module).signatures["score"]
    assert {name: str(tensor) for name, tensor in signature.inputs.items()} == {
        "ground": "string [n]",
        "petal_cm": "float32 [n]",
        "sepal": "float32 [n, 1]",
    }
    assert {name: str(tensor) for name, tensor in signature.outputs.items()} == {
        "name": "string [n]",
        "p": "float32 [n, 3]",
    }


def test_the_digest_sees_another_constant_and_no_other_export(module: Path, changed: Any, tmp_path: Path) -> None:
    def change(message: Any) -> None:
        for function in message.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "Const" and b"chalk" in node.attr["value"].tensor.string_val:
                    node.attr["value"].tensor.string_val[:] = [b"sand"]

    digest = SavedGraph(module).digest(["score"])
    assert SavedGraph(save_module(tmp_path / "again", note="x")).digest(["score"]) == digest
    assert SavedGraph(changed(change)).digest(["score"]) != digest
    assert SavedGraph(module).digest(["device"]) != digest


def test_the_message_is_read_without_tensorflow(module: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ferryman.steps.train.graph import SavedGraph\n"
        f"graph = SavedGraph(Path({str(module)!r})); graph.check([]); assert 'score' in graph.signatures\n"
        "assert 'tensorflow.python' not in sys.modules and 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
