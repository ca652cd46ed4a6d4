"""Classify and Regress: examples in JSON to an Input, and results to JSON.

Source: util/json_tensor.cc (FillClassifyRegressRequestFromJson, AddValueToFeature, MakeJsonFromClassificationResult,
MakeJsonFromRegressionResult).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ferryman.model_server.rest.document import Document
from ferryman.model_server.rest.numbers import floats
from ferryman.model_server.rest.rapidjson import members
from ferryman.model_server.rest.strings import quoted
from ferryman.model_server.rest.tensor_values import invalid, is_base64, unescaped
from ferryman.model_server.rest.wording import shown, type_name
from ferryman.serving.protocol import Input

KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
"""Field of a Feature -> what errors call it."""


def examples(document: Document) -> Any:
    """The Input of a request; Refusal with the real server's words."""
    found = Input()
    root = document.root
    objects = [value for value in (root.get("context"), *_listed(root)) if isinstance(value, dict)]
    document.count_once(objects)
    root = document.root
    target = found.example_list
    if "context" in root:
        target = found.example_list_with_context
        _fill(root["context"], target.context)
    if "examples" not in root:
        raise invalid(
            f"JSON Value: {shown(root)} When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(root["examples"], list):
        raise invalid(f"JSON Value: {shown(root)} Expecting 'examples' value to be an list/array")
    if not root["examples"]:
        raise invalid(f"JSON Value: {shown(root)} 'examples' value is an empty array")
    for value in root["examples"]:
        _fill(value, target.examples.add())
    return found


def _listed(root: dict[str, Any]) -> list[Any]:
    found = root.get("examples")
    return found if isinstance(found, list) else []


def _fill(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_name(value)}")
    for name, content in members(value):
        values = content if isinstance(content, list) else [content]
        try:
            feature = example.features.feature[name]
            feature.Clear()
            _add(feature, name, values)
        except UnicodeEncodeError as error:
            raise invalid(f"Feature: {name!a} is no UTF-8") from error


def _add(feature: Any, name: str, values: list[Any]) -> None:
    kind, found = None, []
    for value in values:
        its_kind, content = _content(value, name)
        if kind not in {None, its_kind}:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {KINDS[kind or its_kind]}")
        kind = its_kind
        found.append(_checked(content, name))
    if kind is not None:
        getattr(feature, kind).value.extend(found)


def _content(value: Any, name: str) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, int):
        return "int64_list", value
    if isinstance(value, float):
        with np.errstate(over="ignore"):
            return "float_list", float(np.float32(value))
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogateescape")
    if is_base64(value):
        return "bytes_list", value
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _checked(content: Any, name: str) -> Any:
    """What a list can hold: judged after its kind, as the real server does."""
    if isinstance(content, dict):
        return unescaped(content)
    if isinstance(content, int) and content >= 2**63:
        raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
    return content


def classes(result: Any) -> bytes:
    """The body that answers Classify: for each example its labels with their scores."""
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    found = [each for row in result.classifications for each in row.classes]
    scores = iter(floats(np.array([each.score for each in found], np.float32)))
    rows = (
        b"[%b]" % b", ".join(b"[%b, %b]" % (quoted(each.label.encode()), next(scores)) for each in row.classes)
        for row in result.classifications
    )
    return b'{\n    "results": [%b\n    ]\n}' % b", ".join(rows)


def values(result: Any) -> bytes:
    """The body that answers Regress: a number for each example."""
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    found = np.array([each.value for each in result.regressions], np.float32)
    return b'{\n    "results": [%b]\n}' % b", ".join(floats(found))
