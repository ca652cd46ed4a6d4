"""The ready specs reach what they promise, from the package index to served answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from newcomer import SPECS, User, ends_well, eventually

pytestmark = pytest.mark.slow


def test_the_main_job_reaches_its_accuracy_for_each_of_three_seeds(user: User) -> None:
    found = []
    for seed in (1, 2, 3):
        # Each in a group of its own: a first model is not measured against the one before.
        options = ("--set", f"train.seed={seed}", "--group", f"seed-{seed}", "-o", "json")
        done = user.types("run", SPECS / "mnist.yaml", *options, limit=600)
        assert done.returncode == 0, done.stderr + done.stdout
        found += [step["metrics"] for step in json.loads(done.stdout)["steps"] if step["step"] == "evaluate"]
    assert min(metrics["accuracy"] for metrics in found) >= 0.96, found
    assert len({metrics["log_loss"] for metrics in found}) == 3, "the seed changed nothing"


def birds(user: User, column: str) -> tuple[Path, list[str]]:
    """Every 40th penguin of the pinned file without `column`, and what that column said."""
    (pinned,) = (user.home / "inputs" / "sha256").iterdir()
    rows = list(csv.DictReader(pinned.read_text(encoding="utf-8").splitlines()))[::40]
    truth = [row.pop(column) for row in rows]
    path = user.folder / "birds.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path, truth


@pytest.mark.parametrize(
    ("name", "column", "metrics"),
    [("penguins", "species", {"accuracy"}), ("penguin_mass", "body_mass_g", {"rmse", "r2"})],
)
def test_penguins_go_from_the_package_to_served_answers(
    user: User, tmp_path: Path, name: str, column: str, metrics: set[str]
) -> None:
    done = user.types("run", SPECS / f"{name}.yaml", "-o", "json", limit=600)
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads(done.stdout)
    assert record["outcome"] == "promoted"
    assert metrics <= {reason["check"] for reason in record["verdict"]["reasons"]}

    path, truth = birds(user, column)
    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=tmp_path / "serve.log")
    try:
        eventually((user.home / "groups" / "local" / "endpoints.json").exists)
        asked = user.types("predict", record["name"], path, "-o", "json")
        assert asked.returncode == 0, asked.stderr
        answers = json.loads(asked.stdout)
    finally:
        assert ends_well(server) == 0
    assert len(answers) == len(truth) >= 8
    if column == "species":
        assert sum(answer["label"] == label for answer, label in zip(answers, truth, strict=True)) >= len(truth) - 1
    else:
        known = [(answer["value"], float(grams)) for answer, grams in zip(answers, truth, strict=True) if grams != "NA"]
        assert sum(abs(value - grams) < 800 for value, grams in known) >= len(known) - 1, known
