"""A file's text as a proposal, and the proposal's spec as the step `prepare` reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ferryman.spec import Spec, load_spec
from ferryman.spec.proposing.proposal import Proposal, propose
from ferryman.spec.proposing.source import look_at
from ferryman.spec.proposing.writing import spec_text
from ferryman.steps.prepare.rows import Reading, Rows, read_rows


@dataclass(frozen=True)
class Proposed:
    """A proposal with its file and its YAML."""

    file: Path
    proposal: Proposal
    text: str

    @property
    def spec(self) -> Spec:
        path = self.file.with_name(f"{self.file.name}.yaml")
        path.write_text(self.text, encoding="utf-8")
        return load_spec(path)

    @property
    def rows(self) -> Rows:
        """All rows of the file, as the spec says."""
        data = self.spec.data
        with self.file.open("rb") as stream:
            return read_rows(stream, self.file.name, Reading(data.format, data.features, data.label, data.split))

    @property
    def left_out(self) -> dict[str | int, str]:
        return {out.column: out.why for out in self.proposal.left_out}

    @property
    def seen(self) -> dict[str, str]:
        return {feature.name: feature.seen for feature in self.proposal.features}


def proposed(file: Path, label: str) -> Proposed:
    found = look_at(str(file), label, file.parent / "cache")
    proposal = propose(found.survey, found.form, found.label)
    return Proposed(file, proposal, spec_text(proposal, "mine", file.name, f"ferryman init {file.name}"))


Look = Callable[..., Proposed]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """The proposal for a file with this text (or for a file), its label `y` unless said otherwise."""

    def make(content: str | bytes | Path, label: str = "y", name: str = "rows.csv") -> Proposed:
        if isinstance(content, Path):
            return proposed(content, label)
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return proposed(file, label)

    return make
