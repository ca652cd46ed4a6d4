"""A user's own model, feature and metric on the whole road, as its author walks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from newcomer import User, ends_well, eventually
from user_package import author_folder, broken, line_of

from ferryman.artifacts.evidence import Conversion, Evaluation
from ferryman.artifacts.model_card import ModelCard
from ferryman.golden.golden_set import GoldenSet

pytestmark = pytest.mark.slow


def found(user: User, pattern: str) -> Path:
    (path,) = user.home.glob(f"runs/*/artifacts/*/{pattern}")
    return path


def test_a_users_package_goes_from_raw_rows_to_served_answers(user: User, tmp_path: Path) -> None:
    spec = author_folder(user.folder)
    (user.folder / "json.py").write_text("raise SystemExit('shadowed')")
    done = user.types("run", spec)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "cost " in done.stdout
    assert "required at most 1" in done.stdout

    model = found(user, "train/model")
    card, golden = ModelCard.read(model / "model.json"), GoldenSet.read(model / "golden")
    assert card.model == {"kind": "fraud.model:Fraud", "width": 12}
    assert set(golden.device) == {"amount", "amount_gone", "country", "hour"}
    assert np.array_equal(golden.device["amount_gone"], np.isnan(golden.raw["amount"]).astype(np.float32))
    conversion = Conversion.read(found(user, "convert/conversion/conversion.json"))
    assert {rung.name: rung.state for rung in conversion.rungs} == {"int8": "kept", "float32": "kept"}
    assert conversion.transform_largest_difference <= 1e-6
    evaluation = Evaluation.read(found(user, "evaluate/evaluation/evaluation.json"))
    assert evaluation.own_metrics["fraud.metrics:Cost"].name == "cost"
    assert "cost" in found(user, "evaluate/evaluation/report.html").read_text()
    (record,) = user.runs()
    pinned = user_code(user)
    assert [
        step["inputs"].get("code") for step in record["steps"] if step["step"] in {"train", "evaluate", "convert"}
    ] == [pinned["sha256"]] * 3
    assert card.code == pinned["sha256"]

    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=tmp_path / "serve.log")
    try:
        answers = eventually(lambda: predictions(user))
        truth = [line.rpartition(",")[2] for line in (user.folder / "payments.csv").read_text().splitlines()[1:]]
        assert np.mean([answer["label"] == label for answer, label in zip(answers, truth, strict=True)]) > 0.85
    finally:
        assert ends_well(server) == 0

    assert user.types("run", spec).returncode == 8, "the same code, data and seed know nothing new"


def user_code(user: User) -> dict[str, Any]:
    (request,) = user.home.glob("runs/*/request.json")
    code: dict[str, Any] = json.loads(request.read_text())["spec"]["code"]
    return code


def predictions(user: User) -> list[dict[str, Any]]:
    asked = user.types("predict", "fraud", "payments.csv", "-o", "json")
    assert asked.returncode == 0, asked.stderr
    answers: list[dict[str, Any]] = json.loads(asked.stdout)
    return answers


def test_a_run_of_wrong_code_ends_before_training_with_the_place(user: User) -> None:
    spec = broken(
        author_folder(user.folder, rows=200), "fraud/model.py", "self.options.width,", "self.options.breadth,"
    )
    done = user.types("run", spec)
    assert done.returncode == 2
    line = line_of(spec, "fraud/model.py", "self.options.breadth")
    assert f"fraud/model.py:{line}: Fraud.build fails: AttributeError" in done.stdout + done.stderr
    (record,) = user.runs()
    assert (record["steps"][-1]["step"], record["steps"][-1]["error"]["kind"]) == ("train", "UserCodeError")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("{path: fraud}", "{path: fruad}", "the package in `code`, 'fruad'"),
        ("{path: fraud}", "{path: ../fraud}", "is not there, expected the folder of a Python package"),
        ("{path: fraud}", "{path: fraud, requirements: my.lock}", "my.lock cannot be read"),
    ],
)
def test_code_that_cannot_be_had_is_refused_before_a_run_exists(
    user: User, before: str, after: str, message: str
) -> None:
    done = user.types("run", broken(author_folder(user.folder, rows=20), "fraud.yaml", before, after))
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(user.home.glob("runs/*"))
