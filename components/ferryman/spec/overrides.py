"""Overrides: scalars of a spec that one run sets otherwise, as `--set train.epochs=3` or as knobs in the pipeline UI."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ferryman.code.reference import is_reference
from ferryman.errors import SpecError, UsageError
from ferryman.problems import nearest
from ferryman.spec.yaml import read_scalar

ALLOWED = ("train", "model", "data.window")
"""Blocks that a run may change; bounds and data belong to the reviewed spec."""

Scalar = bool | int | float | str | None


def parse_assignments(assignments: Iterable[str]) -> dict[str, Scalar]:
    """`FIELD=VALUE` texts as dotted field -> scalar, values by the rules of YAML; UsageError when one is no such text."""
    overrides: dict[str, Scalar] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path.strip():
            raise UsageError(f"--set received {assignment!r}, expected FIELD=VALUE, e.g. train.epochs=3")
        if path.strip() in overrides:
            raise UsageError(f"--set received {path.strip()} twice; give it once")
        overrides[path.strip()] = read_scalar(value)
    return overrides


def apply_overrides(document: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The document (defaults written out) with every override set; the result still has to be validated.

    Raises:
        SpecError: a field outside train, model and data.window, one that is not there, or one that is no scalar.
    """
    changed = copy.deepcopy(dict(document))
    for path, value in overrides.items():
        if not any(path.startswith(f"{block}.") for block in ALLOWED):
            meant = next(_places(changed, path), "")
            advice = f"did you mean {meant!r}?" if meant else "write it into the spec"
            raise SpecError(path, f"a run may set fields of {', '.join(ALLOWED)} only; {advice}")
        *parents, field = path.split(".")
        node = _descend(changed, parents, path)
        # Which options a class of the user's own takes is known only where its code is.
        if field not in node and not is_reference(node.get("kind")):
            raise SpecError(path, f"unknown field{nearest(field, list(node))}")
        if isinstance(node.get(field), dict | list) or isinstance(value, dict | list):
            raise SpecError(path, "a run may set single values only; write lists and blocks into the spec")
        node[field] = value
    return changed


def _places(document: Mapping[str, Any], field: str) -> Iterator[str]:
    """Where single values of this name stand in the blocks that a run may change, e.g. `train.epochs` for `epochs`."""
    nodes = [(block, document.get(block)) for block in ALLOWED]
    for place, node in nodes:
        if isinstance(node, Mapping):
            nodes += [(f"{place}.{name}", child) for name, child in node.items()]
        elif place.endswith(f".{field}"):
            yield place


def _descend(document: dict[str, Any], parents: list[str], path: str) -> dict[str, Any]:
    node: Any = document
    for part in parents:
        if not isinstance(node, dict) or part not in node:
            raise SpecError(path, f"unknown field{nearest(part, list(node) if isinstance(node, dict) else [])}")
        node = node[part]
    if not isinstance(node, dict):
        raise SpecError(path, "unknown field: its parent is a single value")
    return node
