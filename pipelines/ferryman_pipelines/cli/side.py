"""One run as `runs compare` sees it: its record, its spec, and the evidence that it gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from ferryman.artifacts.evidence import Conversion, Evaluation, Evidence, ServingCheck
from ferryman.artifacts.made import made
from ferryman.artifacts.record import RunRecord, read_record
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError, SpecError
from ferryman.spec import apply_overrides

E = TypeVar("E", bound=Evidence)


@dataclass(frozen=True)
class Side:
    """What is known of a run; None where it did not come so far, or nobody here can read it."""

    record: RunRecord
    spec: dict[str, Any] | None
    """The spec that it ran, overrides merged."""

    evaluation: Evaluation | None = None
    conversion: Conversion | None = None
    check: ServingCheck | None = None

    def fact(self, step: str, name: str) -> Any:
        """A fact that a step put on the record; None when it did not."""
        return next((part.facts.get(name) for part in self.record.steps if part.step == step), None)


def read_side(run: Run) -> Side:
    """What the run's folder says."""
    record = read_record(run)
    return Side(
        record,
        _spec(run, record),
        _evidence(run, "evaluation", Evaluation),
        _evidence(run, "conversion", Conversion),
        _evidence(run, "serving_check", ServingCheck),
    )


def _spec(run: Run, record: RunRecord) -> dict[str, Any] | None:
    document = run.request().get("spec")
    if not isinstance(document, dict):
        return None
    try:
        return apply_overrides(document, record.overrides)
    except SpecError:
        return None


def _evidence(run: Run, kind: str, form: type[E]) -> E | None:
    try:
        return form.read(made(run, kind) / f"{kind}.json")
    except ArtifactError:
        return None
