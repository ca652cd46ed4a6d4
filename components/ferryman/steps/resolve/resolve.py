"""The step `resolve`: it fixes all that a run depends on, once, and hands it on as one JSON string."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.run_store import Run, RunStore
from ferryman.artifacts.step import step, timestamp
from ferryman.errors import SpecError
from ferryman.spec import apply_overrides, spec_from, spec_sha256
from ferryman.steps.resolve.champion import what_serves
from ferryman.storage.local import atomic_write

Scalar = bool | int | float | str | None

KNOBS: Final = {
    "train_epochs": "train.epochs",
    "train_batch_size": "train.batch_size",
    "train_learning_rate": "train.optimizer.learning_rate",
    "train_seed": "train.seed",
}
"""Parameter of the pipeline -> the field of the spec that it sets."""

AS_OF: Final = "as_of"
"""File in the run's folder: the moment that the run stands for, the same for every attempt."""


def resolve_run(
    spec: str,
    group: str,
    train_epochs: int,
    train_batch_size: int,
    train_learning_rate: float,
    train_seed: int,
    overrides: str,
    root: str,
    run_id: str,
    job: str,
) -> str:
    """The resolved run as JSON: the spec with the knobs merged, the moment it stands for, and what serves now.

    `spec` is the reviewed spec as JSON, its inputs pinned; `overrides` a JSON object of dotted fields of train, model
    and data.window ("" for none); `group` the folder of the serving group ("" when the run releases nowhere). A knob
    that equals the spec's value is no override. A retry of the same run gives the same answer as long as the same
    version serves.

    Raises:
        SpecError: the spec, a knob or an override is wrong, two of them contradict, or the result exceeds 20 kB.
        ArtifactError: the group's record or the version that serves cannot be read.
    """
    knobs = {
        "train_epochs": train_epochs,
        "train_batch_size": train_batch_size,
        "train_learning_rate": train_learning_rate,
        "train_seed": train_seed,
    }
    with step("resolve", root, run_id, job) as run:
        reviewed = spec_from(_json_object(spec, "spec")).document()
        changes = changed_fields(reviewed, knobs, _json_object(overrides or "{}", "overrides"))
        candidate = spec_from(apply_overrides(reviewed, changes))
        merged = candidate.document()
        resolved = ResolvedRun(
            spec=candidate.compact(),
            as_of=_as_of(RunStore(root).run(run.run_id)),
            spec_sha256=spec_sha256(reviewed),
            overrides=changes,
            resolved_sha256=spec_sha256(merged),
            group=group,
            serves=what_serves(group, merged["name"]) if group else None,
        )
        text = resolved.text()
        # Everything but the spec, which every step gets and the record would repeat.
        run.facts = {"name": merged["name"], **resolved.model_dump(mode="json", exclude={"spec", "schema_version"})}
        run.headline = headline(resolved)
    return text


def changed_fields(
    document: Mapping[str, Any], knobs: Mapping[str, Scalar], overrides: Mapping[str, Any]
) -> dict[str, Scalar]:
    """Dotted field -> value, for every knob and override that says something else than the spec.

    Raises:
        SpecError: a knob and an override want different values for one field, or an override is not a scalar.
    """
    changes: dict[str, Scalar] = {}
    for path, value in overrides.items():
        if isinstance(value, dict | list):
            raise SpecError(path, f"received {json.dumps(value)}, expected one number, text, true, false or null")
        if _differs(document, path, value):
            changes[path] = value
    for knob, value in knobs.items():
        path = KNOBS[knob]
        if not _differs(document, path, value):
            continue
        if path in overrides and overrides[path] != value:
            both = f"the parameter {knob} says {value!r}, overrides say {overrides[path]!r}"
            raise SpecError(path, f"{both}: give one of them")
        changes[path] = value
    return changes


def headline(resolved: ResolvedRun) -> str:
    """One line for people: which spec, what was changed, and what serves now."""
    changed = ", ".join(f"{path}={value}" for path, value in resolved.overrides.items())
    if resolved.serves:
        serves = f"version {resolved.serves.version} serves"
    else:
        serves = "nothing serves yet" if resolved.group else "releases nowhere"
    parts = (f"{resolved.spec['name']} {resolved.resolved_sha256[:8]}", changed, serves)
    return "; ".join(part for part in parts if part)


def _differs(document: Mapping[str, Any], path: str, value: Scalar) -> bool:
    """Whether `value` is news; a field that the document lacks is left to `apply_overrides` to refuse."""
    node: Any = document
    for part in path.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return True
        node = node[part]
    return bool(node != value) or isinstance(node, bool) != isinstance(value, bool)


def _json_object(text: str, parameter: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SpecError("", f"the parameter `{parameter}` is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise SpecError("", f"the parameter `{parameter}` is a JSON {type(document).__name__}, expected an object")
    return document


def _as_of(run: Run) -> str:
    """The run's moment: what an earlier attempt fixed, or now."""
    path = run.folder / AS_OF
    try:
        known = path.read_text(encoding="utf-8").strip()
        datetime.fromisoformat(known)
    except (OSError, ValueError):
        known = timestamp(datetime.now(UTC))
        atomic_write(path, f"{known}\n".encode())
    return known
