"""The classes of our messages last: threads share them with Python's collector."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from ferryman.serving.protocol import PredictRequest, ReloadConfigRequest
from ferryman.serving.protocol.wire import WireRequest


def test_the_class_of_a_message_inside_another_is_never_collected() -> None:
    reload = ReloadConfigRequest()
    model = reload.config.model_config_list.config.add(name="m")
    model.model_version_policy.specific.versions.append(1)
    inside: list[Any] = [reload, model, model.model_version_policy.specific]
    for request in (PredictRequest(), WireRequest()):
        request.model_spec.version.value = 1
        inside += [request.model_spec, request.model_spec.version, request.inputs["x"]]
    classes = [weakref.ref(type(message)) for message in inside]
    del reload, model, request, inside
    gc.collect()
    assert all(found() is not None for found in classes)
