"""Columns and classes that are not there are told from the header and the text of the code, without running any of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from newcomer import flowers
from user_package import author_folder, broken

from ferryman.errors import DataError, SpecError, UserCodeError
from ferryman.spec import load_spec
from ferryman.spec.previewing import preview


def look(spec: Path) -> None:
    preview(load_spec(spec), spec.parent)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return author_folder(tmp_path, rows=20)


def test_what_is_right_passes_and_none_of_it_is_imported(spec: Path) -> None:
    broken(spec, "fraud/model.py", "import keras\n", "import keras\nraise SystemExit\n")
    look(spec)
    assert "fraud" not in sys.modules


@pytest.mark.parametrize(
    ("before", "after", "path", "words"),
    [
        ("fraud.model:Fraud", "fraud.modle:Fraud", "model.kind", "no module 'fraud.modle'; did you mean 'model'?"),
        (
            "fraud.model:Fraud",
            "fraud.model:Frod",
            "model.kind",
            "fraud/model.py has no class 'Frod'; did you mean 'Fraud'",
        ),
        ("fraud.features:LogAmount", "fraud.features:Log", "data.features.amount.kind", "has no class 'Log'"),
    ],
)
def test_a_misspelt_class_is_refused_with_its_place_and_a_near_name(
    spec: Path, before: str, after: str, path: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        look(broken(spec, "fraud.yaml", before, after))
    assert (caught.value.path, words in caught.value.message) == (path, True), caught.value.message


def test_a_file_that_is_no_python_is_refused_with_its_line(spec: Path) -> None:
    with pytest.raises(UserCodeError, match=r"^fraud/features.py:\d+: SyntaxError: expected ':'"):
        look(broken(spec, "fraud/features.py", "def fit(self, raw):", "def fit(self, raw)"))


@pytest.mark.parametrize(
    "made", ["from elsewhere import *", "def __getattr__(name): ...", "import fraud.metrics as Frod", "Frod = object"]
)
def test_a_class_that_may_come_about_in_the_import_is_left_to_it(spec: Path, made: str) -> None:
    broken(spec, "fraud/model.py", "import keras\n", f"import keras\n{made}\n")
    look(broken(spec, "fraud.yaml", "fraud.model:Fraud", "fraud.model:Frod"))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("petal: {kind: number}", "petl: {kind: number}", "feature 'petl': there is no column 'petl'"),
        ("column: flower", "column: flowr", "label: there is no column 'flowr'"),
    ],
)
def test_a_column_that_a_local_file_has_not_is_refused(tmp_path: Path, before: str, after: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        look(broken(flowers(tmp_path), "flowers.yaml", before, after))


def test_what_does_not_lie_here_is_not_looked_at(tmp_path: Path) -> None:
    look(broken(flowers(tmp_path), "flowers.yaml", "source: flowers.csv", "source: gs://nowhere/flowers.csv"))
