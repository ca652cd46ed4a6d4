"""From text to a typed spec: what is wrong is said with the field's path, what was received and what was expected."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ferryman.code.reference import FORM, is_reference, package_of
from ferryman.errors import SpecError
from ferryman.features import RESERVED, check_names
from ferryman.metrics import METRICS
from ferryman.problems import Problem, attempt, refusal
from ferryman.spec.blocks import CodeFolder
from ferryman.spec.bounds import check_bound, check_margin
from ferryman.spec.overrides import apply_overrides
from ferryman.spec.spec import FORMAT, Data, Spec
from ferryman.spec.yaml import MAX_BYTES, read_yaml

DEFAULT_METRIC = {"class": "accuracy", "number": "rmse"}
DEFAULT_MARGIN = {"champion": 0.02, "converted": 0.005}


def load_spec(path: Path, overrides: Mapping[str, Any] | None = None) -> Spec:
    """The spec in the file `path`, with `overrides` (dotted field -> scalar) merged; SpecError says what is wrong."""
    document = read_document(path)
    if overrides:
        document = apply_overrides(spec_from(document, str(path), path.parent).document(), overrides)
    return spec_from(document, str(path), path.parent)


def parse_spec(text: str, file: str = "") -> Spec:
    """The spec in `text`; `file` is for messages only."""
    return spec_from(_mapping(read_yaml(text, file), file), file)


def read_document(path: Path) -> dict[str, Any]:
    """The YAML file at `path` as plain data; SpecError when it cannot be read or holds no mapping."""
    return _mapping(read_yaml(read_text(path), str(path)), str(path))


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file, or of one byte more than its reader accepts; SpecError when it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise SpecError("", "is a folder, a device or a pipe, expected a file", str(path))
        with path.open("rb") as file:
            # One byte more than is accepted: what is too long is refused by its length and not read whole.
            return file.read(max_bytes + 1).decode("utf-8-sig", errors="strict" if _ends(file) else "replace")
    except FileNotFoundError as error:
        raise SpecError("", "no such file", str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError("", f"cannot be read: {error}; expected a UTF-8 text file", str(path)) from error


def _ends(file: BinaryIO) -> bool:
    """Whether nothing is left to read: else the cut may lie inside a character."""
    return not file.read(1)


def spec_from(document: Mapping[str, Any], file: str = "", base: Path | None = None) -> Spec:
    """The typed spec of plain data, with the defaults that depend on the task; `base` as in `draft_from`.

    Raises:
        SpecError: a field is unknown, missing or wrong, or two fields contradict each other; up to five at once.
    """
    draft = draft_from(document, base)
    if draft.spec is None or draft.problems:
        raise refusal(draft.problems, file)
    return draft.spec


@dataclass(frozen=True)
class Draft:
    """A document as far as it is a spec, with everything that is wrong in it."""

    spec: Spec | None
    """None when a field is unknown, missing or wrong; fields that contradict each other leave it here."""

    data: Data | None
    """The block `data`, also where another block is wrong."""

    problems: list[Problem]


def draft_from(document: Mapping[str, Any], base: Path | None = None) -> Draft:
    """The spec of plain data and all its problems at once; none of them is raised.

    With `base`, the spec's folder, references into a package that is not there are told as just that.
    """
    version = document.get("spec")
    if isinstance(version, int) and version > FORMAT:
        newer = f"received {version}; this ferryman reads spec {FORMAT}: a newer one is needed"
        return Draft(None, None, [("spec", newer)])
    if isinstance(version, bool | float):  # Python, and so pydantic, takes True and 1.0 for 1.
        return Draft(None, None, [("spec", f"received {version}, expected the number of the format: {FORMAT}")])
    spec, problems = attempt(Spec, _with_defaults(document))
    if spec is not None:
        return Draft(spec, spec.data, list(_contradictions(spec, base)))
    block = document.get("data")
    return Draft(None, attempt(Data, block)[0] if isinstance(block, dict) else None, problems)


def spec_sha256(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the document's canonical JSON (sorted keys, no spaces), the same wherever its inputs lie."""
    text = json.dumps(_placeless(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _placeless(node: Any) -> Any:
    """`node` without the URIs of pinned inputs: their digests say what they are, their places depend on the machine."""
    if isinstance(node, Mapping):
        pinned = "sha256" in node
        return {key: _placeless(value) for key, value in node.items() if not (pinned and key == "uri")}
    return [_placeless(value) for value in node] if isinstance(node, list | tuple) else node


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a spec as its author writes it."""
    schema = Spec.model_json_schema(by_alias=True)
    # What `spec_from` fills in by the task need not be written.
    schema["required"] = [field for field in schema["required"] if field != "gate"]
    gate = schema["$defs"]["Gate"]
    gate["required"] = []
    schema["$defs"]["Margin"]["required"] = []
    _say_the_kinds(schema)
    # `spec_from` fills it in: specs are older than the other formats.
    schema["$defs"]["CsvFormat"]["required"].remove("kind")
    # Names that are no feature's are refused, whatever stands under them.
    schema["$defs"]["Data"]["properties"]["features"]["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _say_the_kinds(schema: dict[str, Any]) -> None:
    """Where several kinds of a block exist its `kind` has to be written, also where the block itself may be left out."""
    nodes = [schema]
    while nodes:
        node = nodes.pop()
        for reference in node.get("discriminator", {}).get("mapping", {}).values():
            definition = schema["$defs"][reference.rpartition("/")[2]]
            definition["required"] = sorted({*definition.get("required", []), "kind"})
        for value in node.values():
            nodes += [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict)]


def _mapping(document: Any, file: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        received = "an empty file" if document is None else f"a {type(document).__name__}"
        raise SpecError("", f"received {received}, expected a mapping that starts with `spec: {FORMAT}`", file)
    return document


def _with_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its format's kind and the gate's margins; what has a wrong form stays for validation to refuse."""
    filled = copy.deepcopy(dict(document))
    data = filled.get("data")
    form = data.get("format") if isinstance(data, dict) else None
    if isinstance(form, dict):
        form.setdefault("kind", "csv")
    try:
        metric = DEFAULT_METRIC[filled["data"]["label"]["kind"]]
    except (KeyError, TypeError):
        metric = DEFAULT_METRIC["class"]
    gate = filled.setdefault("gate", {})
    if isinstance(gate, dict):
        for margin, may_lose in DEFAULT_MARGIN.items():
            block = gate.setdefault(margin, {})
            if isinstance(block, dict):
                block.setdefault("metric", metric)
                block.setdefault("may_lose", may_lose)
    return filled


def _contradictions(spec: Spec, base: Path | None) -> Iterator[Problem]:
    """Fields that are right alone and wrong together."""
    data = spec.data
    yield from _absent_package(spec, base)
    for name in sorted(RESERVED.keys() & data.features.keys()):
        yield f"data.features.{name}", f"this name belongs to {RESERVED[name]}; choose another"
    yield from _complaint("data.features", partial(check_names, data.features))
    for name, feature in data.features.items():
        if data.label.column in feature.source_columns(name):
            where = f"data.features.{name}"
            yield where, f"it reads the label's own column {data.label.column!r}: leave it out"
    yield from _complaint("model", partial(spec.model.check, data.features))
    for path, reference in spec.references.items():
        yield from _wrong_reference(path, reference, spec)
    yield from _wrong_metrics(spec)


def _wrong_metrics(spec: Spec) -> Iterator[Problem]:
    """Metrics that there are not, and bounds that hold always or never; a user's own metric is judged once it is there."""
    unknown = {path for path, metric in spec.metrics.items() for _ in _unknown_metric(path, metric, spec.task)}
    for path, metric in spec.metrics.items():
        yield from _unknown_metric(path, metric, spec.task)
    for number, bound in enumerate(spec.gate.require):
        where = f"gate.require.{number}"
        if not is_reference(bound.metric) and f"{where}.metric" not in unknown:
            yield from _complaint(where, partial(check_bound, bound, METRICS[bound.metric]))
    for name, margin in (("champion", spec.gate.champion), ("converted", spec.gate.converted)):
        if not is_reference(margin.metric) and f"gate.{name}.metric" not in unknown:
            yield from _complaint(f"gate.{name}.may_lose", partial(check_margin, margin, METRICS[margin.metric]))


def _complaint(path: str, check: Callable[[], None]) -> Iterator[Problem]:
    try:
        check()
    except ValueError as error:
        yield path, str(error)


def _wrong_reference(path: str, reference: str, spec: Spec) -> Iterator[Problem]:
    """What can be said of a user's class without its code."""
    package = package_of(reference)
    if not re.fullmatch(FORM, reference):
        yield path, f"received {reference!r}, expected a class as package.module:Class"
    elif spec.code is None:
        yield (
            path,
            f"received {reference!r}, which needs the user's package: add `code: {{path: {package}}}` to the spec",
        )
    elif spec.code.package != package:
        yield path, f"received {reference!r}, expected a class of the package in `code`, {spec.code.package!r}"


def _absent_package(spec: Spec, base: Path | None) -> Iterator[Problem]:
    """That there is no such folder, where the classes of the spec name another package: that one is meant."""
    if base is None or not isinstance(spec.code, CodeFolder) or (base / spec.code.path).exists():
        return
    meant = {package_of(reference) for reference in spec.references.values()} - {spec.code.package}
    for package in sorted(meant):
        there = f"; did you mean {package!r}?" if (base / package).is_dir() else ""
        yield "code.path", f"the folder {spec.code.path!r} is not there (paths start at the spec's folder){there}"


def _unknown_metric(path: str, metric: str, task: str) -> Iterator[Problem]:
    known = [name for name, entry in METRICS.items() if entry.task == task]
    if not is_reference(metric) and metric not in known:
        label = "a class" if task == "class" else "a number"
        yield path, f"received {metric!r}, expected one of {', '.join(known)} (the label is {label})"
