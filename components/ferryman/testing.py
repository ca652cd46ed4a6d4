"""For the author's own tests: the whole road of a spec on a few rows, in this process.

def test_the_model_reaches_a_server_and_a_device():
    ferryman.testing.check("fraud.yaml")
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferryman.data.examples import Examples
from ferryman.data.options import PinnedSource
from ferryman.golden.golden_set import GoldenSet
from ferryman.spec.pinning import pin_spec
from ferryman.spec.spec import Spec
from ferryman.steps.convert.contract import unusable
from ferryman.steps.convert.convert import measure
from ferryman.steps.prepare.prepare import write_examples
from ferryman.steps.prepare.rows import Reading
from ferryman.steps.train.rehearsal import answers_otherwise
from ferryman.steps.train.train import fit_model, plan_of, write_model
from ferryman.storage.code import PinnedCode, pinned_code

if TYPE_CHECKING:
    import pyarrow as pa

STEPS = 2
"""Batches that are fitted: the first shows that a step can be taken, the second that it can be taken again."""


def check(spec: str | os.PathLike[str], rows: int = 200) -> None:
    """Take `spec`, the path of a file, from its raw rows to the device: parsed, fitted for two steps, exported, converted.

    At most `rows` rows of each split are used. All of it runs in this process but the conversions, which can crash.

    Raises:
        FerrymanError: what stops the road, with its place (UserCodeError: file and line of your code).
        AssertionError: the road ends, but what came out is not what went in; all findings are told.
    """
    with tempfile.TemporaryDirectory(prefix="ferryman-testing-") as folder:
        place = Path(folder)
        pinned = pin_spec(Path(spec), place / "home")
        findings = list(_findings(pinned, rows, place))
    if findings:
        raise AssertionError("\n".join(findings))


def _findings(spec: Spec, rows: int, place: Path) -> Iterator[str]:
    data = spec.data
    if not isinstance(data.source, PinnedSource) or not isinstance(spec.code, PinnedCode | None):
        raise TypeError(f"expected a pinned spec, received {data.source!r} and {spec.code!r}")
    (place / "examples").mkdir()
    write_examples(data.source, Reading(data.format, data.features, data.label, data.split), place / "examples")
    examples = FewExamples(place / "examples", rows)
    if spec.code is None:
        yield from _walk(spec, examples, place)
        return
    with pinned_code(spec.code, place / "code"):
        yield from _walk(spec, examples, place)


def _walk(spec: Spec, examples: Examples, place: Path) -> Iterator[str]:
    plan = replace(plan_of(spec), epochs=1, steps=STEPS)
    training = fit_model(spec, examples, place / "logs", plan)
    model, work = place / "model", place / "convert"
    model.mkdir()
    work.mkdir()
    write_model(spec, examples, training, model)
    golden = GoldenSet.read(model / "golden")
    reason = answers_otherwise(model / "saved_model", golden.raw, golden.answers)
    if reason:
        yield reason
    _, rungs, _ = measure(spec, examples, model, work)
    yield from (f"convert.try {rung.name}: {reason}" for rung in rungs if (reason := unusable(rung)))


class FewExamples(Examples):
    """Examples of which each split has its first rows only: a random sample, as rows lie in the order of a hash."""

    def __init__(self, folder: Path, rows: int) -> None:
        super().__init__(folder)
        self._rows = rows

    def split(self, name: str) -> pa.Table:
        """The first rows of a split."""
        return super().split(name).slice(0, self._rows)
