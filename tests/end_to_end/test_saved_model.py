"""A model that exists already walks the whole road through the command line, without a step of training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign import save_module
from newcomer import User, ends_well, eventually, flowers

BLOCK = "{kind: saved, source: SOURCE, signature: score, inputs: {petal: petal_cm}, label_output: name}"


def saved(user: User, source: str, block: str = BLOCK) -> Path:
    """The flowers' spec with a saved model in the place of the trained one."""
    spec = flowers(user.folder)
    text = spec.read_text().replace("model: {kind: mlp, hidden: [16]}", f"model: {block.replace('SOURCE', source)}")
    path = spec.with_name("saved.yaml")
    path.write_text(text)
    return path


@pytest.mark.slow
def test_a_stranger_is_released_asked_and_not_released_twice(user: User, tmp_path: Path) -> None:
    save_module(user.folder / "stranger")
    first = user.types("run", saved(user, "stranger"))
    assert first.returncode == 0, first.stderr + first.stdout
    assert "adopted the SavedModel stranger: signature score, output p; nothing to convert" in first.stderr
    assert "taken on trust" in first.stdout

    server = user.starts("serve", "--port", "0", "--rest-port", "0", log=tmp_path / "serve.log")
    try:
        asked = eventually(lambda: _predicted(user))
        truth = [line.rpartition(";")[2] for line in (user.folder / "flowers.csv").read_text().splitlines()[1:]]
        assert sum(answer["label"] == label for answer, label in zip(asked, truth, strict=True)) > 0.9 * len(truth)
        assert list(asked[0]["scores"]) == ["aster", "bell", "cress"]
    finally:
        assert ends_well(server) == 0

    save_module(user.folder / "exported-again", note="x")
    again = user.types("run", saved(user, "exported-again"))
    assert again.returncode == 8, again.stderr + again.stdout

    trained = user.types("run", flowers(user.folder))
    assert "of version 1 on 120 rows" in trained.stdout, trained.stderr + trained.stdout


def _predicted(user: User) -> list[dict[str, object]]:
    said = user.types("predict", "flowers", "flowers.csv", "-o", "json")
    assert said.returncode == 0, said.stderr
    found: list[dict[str, object]] = json.loads(said.stdout)
    return found


@pytest.mark.slow
def test_an_artifact_of_an_earlier_run_is_released_with_its_conversion(user: User) -> None:
    first = user.types("run", flowers(user.folder), "--group", "other")
    assert first.returncode == 0, first.stderr + first.stdout
    (card,) = user.home.glob("runs/*/**/model/model.json")
    again = user.types("run", saved(user, str(card.parent), "{kind: saved, source: SOURCE}"))
    assert again.returncode == 0, again.stderr + again.stdout
    contents = [
        step["facts"]["content"] for record in user.runs() for step in record["steps"] if step["step"] == "train"
    ]
    assert len(contents) == 2
    assert len(set(contents)) == 1
    assert "lost" in again.stdout
    assert "taken on trust" not in again.stdout


def test_a_model_that_does_not_fit_is_refused_before_a_run_exists(user: User) -> None:
    save_module(user.folder / "stranger")
    said = user.types("run", saved(user, "stranger", "{kind: saved, source: SOURCE}"))
    assert said.returncode == 2, said.stderr
    assert "model.signature: the SavedModel has no signature 'serving_default'; it has device, score" in said.stderr
    assert not user.runs()
    assert not list(user.home.glob("runs/*"))
