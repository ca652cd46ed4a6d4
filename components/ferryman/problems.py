"""Pydantic's complaints in our words: exact paths without its internal tags, near names for misspelt fields."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ferryman.errors import SpecError

Model = TypeVar("Model", bound=BaseModel)

SHOWN = 5
"""How many problems one message holds: enough to mend a file at one go, and still read."""


Problem = tuple[str, str]
"""What is wrong in a document: the exact path, and what was received and expected there."""


def validate(model: type[Model], document: Mapping[str, Any], file: str, under: str = "") -> Model:
    """`document` as a `model`; SpecError with up to five problems, each with its exact path, which starts with `under`."""
    typed, problems = attempt(model, document)
    if typed is None:
        raise refusal([(".".join(filter(None, (under, path))), message) for path, message in problems], file)
    return typed


def attempt(model: type[Model], document: Mapping[str, Any]) -> tuple[Model | None, list[Problem]]:
    """`document` as a `model` and no problems, or None and all problems."""
    try:
        # A lone half of a surrogate pair is no text, and no UTF-8.
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return None, [("", f"received the character {error.object[error.start]!a}, which is no text")]
    try:
        # As JSON and strict: a list is a tuple there, but "3" is no number and 3.0 no count.
        return model.model_validate_json(json.dumps(document), strict=True), []
    except ValidationError as error:
        return None, _problems(error, model.model_json_schema(by_alias=True), document)


def refusal(problems: list[Problem], file: str) -> SpecError:
    """The error that tells up to five of the problems; its path is that of the first."""
    (path, message), *others = problems[:SHOWN]
    more = [str(SpecError(path, message, file)) for path, message in others]
    more += [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return SpecError(path, "\n".join([message, *more]), file)


def nearest(word: str, known: list[str]) -> str:
    """` (did you mean X?)` or ` (known: ...)`, for a word that is not known."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known))}" if known else ""


def without_secret(text: str) -> str:
    """`text` as a message may show it: logs are read by many, and an address may have a user and password in it."""
    return re.sub(r"://[^/\s]*@", "://...@", text)


def _problems(error: ValidationError, schema: Mapping[str, Any], document: Any) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for problem in error.errors():
        path = _path(problem["loc"], problem["type"], document)
        message = _message(dict(problem), path, schema, document)
        found.setdefault(".".join(path), []).append(message)
    return [(path, _joined(messages)) for path, messages in found.items()]


def _joined(messages: list[str]) -> str:
    """One message for a path: the alternatives of a union are several complaints about one value."""
    unique = list(dict.fromkeys(messages))
    received, *_ = unique[0].partition(", expected ")
    expected = [message.partition(", expected ")[2] for message in unique]
    return f"{received}, expected {' or '.join(expected)}" if all(expected) else unique[0]


def _path(loc: tuple[int | str, ...], kind: str, document: Any) -> list[str]:
    """The document's own path: pydantic puts the tags and types of unions between the fields."""
    path, node = [], document
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        inside = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if inside or (last and kind == "missing"):
            path.append(str(part))
            node = _child(node, part)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        path.append("kind")
    return path


def _child(node: Any, part: int | str) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None


def _message(problem: dict[str, Any], path: list[str], schema: Mapping[str, Any], document: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    received = json.dumps(problem["input"], ensure_ascii=False, default=str)
    received = without_secret(received)
    received = f"received {received if len(received) <= 80 else received[:77] + '...'}"
    if kind == "missing":
        return "this field is missing"
    if kind == "extra_forbidden":
        return f"unknown field{nearest(path[-1], _fields(schema, document, path[:-1]))}"
    if kind == "union_tag_invalid":
        return f"received {context['tag']!r}, expected one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return f"{received}, expected a mapping with the field `kind`"
    if kind == "string_pattern_mismatch":
        return f"{received}, expected text of the form {context['pattern']}"
    if kind in {"too_short", "too_long"}:
        most = kind == "too_long"
        count = context["max_length" if most else "min_length"]
        return f"received {context['actual_length']} entries, expected at {'most' if most else 'least'} {count}"
    if kind in {"string_too_short", "string_too_long"}:
        most = kind == "string_too_long"
        count = context["max_length" if most else "min_length"]
        return f"{received}, expected text of at {'most' if most else 'least'} {count} character{'s' * (count != 1)}"
    if kind == "value_error":
        return str(context["error"])
    message = str(problem["msg"]).removeprefix("Input should be ")
    return f"{received}, expected {message}"


def _fields(schema: Mapping[str, Any], document: Any, path: list[str]) -> list[str]:
    """The names that the schema knows at `path` of `document`."""
    node, value = dict(schema), document
    for part in path:
        node = _step(_resolved(schema, node, value), part)
        value = _child(value, int(part) if isinstance(value, list) else part)
    return list(_resolved(schema, node, value).get("properties", {}))


def _step(node: Mapping[str, Any], part: str) -> dict[str, Any]:
    for place in (node.get("properties", {}).get(part), node.get("items"), node.get("additionalProperties")):
        if isinstance(place, dict):
            return place
    for pattern in node.get("patternProperties", {}).values():
        return dict(pattern)
    return {}


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The object that `node` stands for: references followed, unions decided by `kind` or by the first object."""
    if "$ref" in node:
        return _resolved(schema, schema["$defs"][node["$ref"].rpartition("/")[2]], value)
    if "discriminator" in node:
        kind = value.get("kind") if isinstance(value, dict) else None
        reference = node["discriminator"]["mapping"].get(kind)
        return _resolved(schema, {"$ref": reference}, value) if reference else {}
    if "oneOf" in node:
        members = [_resolved(schema, member, value) for member in node["oneOf"]]
        return next((member for member in members if _is_of_kind(member, value)), members[0])
    for choice in node.get("anyOf", []):
        candidate = _resolved(schema, choice, value)
        if "properties" in candidate:
            return candidate
    return dict(node)


def _is_of_kind(member: Mapping[str, Any], value: Any) -> bool:
    kind = value.get("kind") if isinstance(value, dict) else None
    return kind is not None and member.get("properties", {}).get("kind", {}).get("const") == kind
