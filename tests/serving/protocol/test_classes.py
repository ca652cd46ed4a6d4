"""The classes of our messages last: threads share them with Python's collector."""

from __future__ import annotations

import gc
import weakref

from ferryman.serving.protocol import POOL, PredictRequest, ReloadConfigRequest


def test_the_class_of_a_message_inside_another_is_never_collected() -> None:
    reload = ReloadConfigRequest()
    model = reload.config.model_config_list.config.add(name="m")
    model.model_version_policy.specific.versions.append(1)
    request = PredictRequest()
    request.inputs["x"].tensor_shape.dim.add(size=1)
    inside = (model, model.model_version_policy.specific, request.inputs["x"].tensor_shape.dim[0])
    classes = [weakref.ref(type(message)) for message in inside]
    del reload, model, request, inside
    gc.collect()
    assert all(found() is not None for found in classes)
    assert classes[0]() is POOL.FindMessageTypeByName("tensorflow.serving.ModelConfig")._concrete_class
