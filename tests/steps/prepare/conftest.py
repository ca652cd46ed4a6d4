"""The step on files of the tests' own: a spec's data block, text as the source, a run store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferryman.artifacts.resolved import ResolvedRun
from ferryman.data.examples import Examples
from ferryman.spec import spec_from, spec_sha256
from ferryman.steps.prepare.prepare import prepare_examples
from ferryman.storage.inputs import pin

GARDEN: dict[str, Any] = {
    "format": {"kind": "csv", "nulls": ["", "NA"]},
    "features": {
        "size": {"kind": "number", "missing": "mean"},
        "colour": {"kind": "category", "column": "color", "missing": "category"},
    },
    "label": {"kind": "class", "column": "plant"},
    "split": {"kind": "exact", "validation": 0.2, "test": 0.3, "seed": 5},
}


class Prepare:
    """Runs the step in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifact = folder / "runs" / "r1" / "artifacts" / "examples"

    def resolved(self, source: Path, **blocks: Any) -> str:
        """The resolved run of the garden spec; blocks replace its own."""
        pinned = pin(source.name, source.parent, self.folder / "home").model_dump()
        label = {**GARDEN, **blocks}["label"]
        spec = spec_from(
            {
                "spec": 1,
                "name": "garden",
                "data": {"source": pinned, **GARDEN, **blocks},
                "model": {"kind": "mlp"},
                "gate": {"require": [{"metric": "accuracy", "at_least": 0.5}]} if label["kind"] == "class" else {},
            }
        ).document()
        digest = spec_sha256(spec)
        return ResolvedRun(
            spec=spec, as_of="2026-11-24T12:00:00.000Z", spec_sha256=digest, resolved_sha256=digest
        ).text()

    def __call__(self, content: str | bytes, **blocks: Any) -> Examples:
        """The examples made of a file with this content."""
        source = self.folder / "garden.csv"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        self.run(self.resolved(source, **blocks))
        return Examples(self.artifact)

    def run(self, resolved: str) -> None:
        """The step itself."""
        prepare_examples(resolved, str(self.folder / "runs"), "r1", "", str(self.artifact))

    def fragment(self) -> dict[str, Any]:
        """What the step left on the record."""
        document: dict[str, Any] = json.loads((self.folder / "runs/r1/fragments/prepare.json").read_text())
        return document


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """The step in an empty folder."""
    return Prepare(tmp_path)


@pytest.fixture(scope="session")
def garden() -> Callable[..., list[str]]:
    """Lines of a table of plants, sorted by plant: size,color,plant."""

    def lines(ferns: int = 12, mosses: int = 8) -> list[str]:
        plants = ["fern"] * ferns + ["moss"] * mosses
        return ["size,color,plant"] + [
            f"{number / 4},{'red' if number % 3 else 'NA'},{plant}" for number, plant in enumerate(plants)
        ]

    return lines
