"""What a person may release despite the gate, and what nobody may."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from judged_run import judged_run
from model_artifact import flip_a_byte, seal_model

from ferryman.artifacts.manifest import digest_of
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError, UsageError
from ferryman.serving.promotion import comparison, despite_hold, is_held, judged_candidate, never, release_name
from ferryman.serving.record import ModelPart, Released
from ferryman.serving.release import Release

CONTENT = "c" * 64
FINE = {"rows": 5, "ok": True, "largest_absolute": 0.0, "largest_relative": 0.0, "labels_changed": 0}


def made(folder: Path, **changes: Any) -> Run:
    return judged_run(folder / "home", seal_model(folder / "artifact"), **changes)


def part(stable: int | None = 3, digest: str = "f" * 64, refused: tuple[str, ...] = ()) -> ModelPart:
    version = Released(number=stable, digest=digest, content="b" * 64, release="r-1") if stable else None
    return ModelPart(stable=version, refused=list(refused))


def test_the_release_names_the_judged_model_its_evidence_and_what_serves_now(tmp_path: Path) -> None:
    run = made(tmp_path)
    candidate = judged_candidate(run)
    place = run.folder / "artifacts" / "sorter-2026"
    assert despite_hold(candidate, part(), name="x.1", created="2026-06-01", reason="I know") == Release(
        name="x.1",
        model="sorter",
        created="2026-06-01",
        artifact=str(place / "train" / "model"),
        digest=digest_of(place / "train" / "model"),
        content=CONTENT,
        conversion=digest_of(place / "conversion" / "conversion"),
        serving_check=digest_of(place / "serving_check" / "serving_check"),
        champion_version=3,
        champion_digest="f" * 64,
        absolute=0.25,
        relative=0.5,
        reason="I know",
    )
    first = despite_hold(candidate, part(None), name="x.1", created="2026-06-01", reason="I know")
    assert (first.champion_version, first.champion_digest) == (None, None)


@pytest.mark.parametrize("kind", ["model", "evaluation", "conversion", "serving_check", "verdict"])
def test_evidence_that_was_altered_releases_nothing(kind: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    file = "golden/rows.jsonl" if kind == "model" else f"{kind}.json"
    place = "train/model" if kind == "model" else f"{kind}/{kind}"
    flip_a_byte(run.folder / "artifacts" / "sorter-2026" / place / file, 3)
    with pytest.raises(ArtifactError, match=f"{file} is not what its manifest says"):
        judged_candidate(run)


@pytest.mark.parametrize("kind", ["evaluation", "conversion", "serving_check", "verdict"])
def test_evidence_of_another_model_releases_nothing(kind: str, tmp_path: Path) -> None:
    run = made(tmp_path, **{kind: {"model": "d" * 64}})
    with pytest.raises(ArtifactError, match=f"{kind}.json judges the model dddddddddddd"):
        judged_candidate(run)


def test_a_model_that_is_gone_and_a_run_without_a_decision_say_so(tmp_path: Path) -> None:
    run = made(tmp_path)
    (run.folder / "artifacts" / "sorter-2026" / "train" / "model" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"its model \w+ is not in .* any more: run its spec again"):
        judged_candidate(run)
    (run.folder / "fragments" / "gate.json").unlink()
    with pytest.raises(UsageError, match="no decision of its gate"):
        judged_candidate(run)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"evaluation": {"not_finite": 4}}, "4 of 9 test rows are answered with NaN"),
        ({"serving_check": {"failure": "out of memory"}}, "a server does not serve it: out of memory"),
        ({"serving_check": {"answers": []}}, "no server has answered its golden set"),
        ({"serving_check": {"answers": [{"protocol": "grpc", **FINE}]}}, "no server has answered its golden set"),
        (
            {"serving_check": {"answers": [{"protocol": "grpc", **FINE, "ok": False, "reason": "label differs"}]}},
            "over grpc are not the recorded ones: label differs",
        ),
        (
            {"serving_check": {"answers": [{"protocol": "rest", **FINE, "largest_absolute": math.nan}]}},
            "over rest are not the recorded ones: not finite",
        ),
    ],
)
def test_what_no_reason_outweighs(changes: Any, why: str, tmp_path: Path) -> None:
    said = never(judged_candidate(made(tmp_path, **changes)))
    assert (why in said) if why else said == ""


@pytest.mark.parametrize(
    ("kind", "refused", "held"),
    [
        ("hold", (), True),
        ("insufficient", (), True),
        ("promote", (), False),
        ("nothing_new", (), False),
        ("promote", (CONTENT,), True),
        ("nothing_new", (CONTENT,), True),
        ("promote", ("9" * 64,), False),
    ],
)
def test_a_person_is_needed_where_the_gate_or_a_person_said_no(
    kind: str, refused: tuple[str, ...], held: bool, tmp_path: Path
) -> None:
    candidate = judged_candidate(made(tmp_path, verdict={"kind": kind}))
    assert is_held(candidate, part(refused=refused)) is held


def test_the_person_hears_what_serves_and_what_the_candidate_was_compared_with(tmp_path: Path) -> None:
    candidate = judged_candidate(made(tmp_path))
    assert comparison(candidate, part(3)) == "version 3 serves; the candidate was compared with version 2"
    assert comparison(candidate, part(2)) == "version 2 serves; the candidate was compared with version 2", "another 2"
    assert comparison(candidate, part(2, "d" * 64)) == "version 2 serves; the candidate was compared with it"
    assert comparison(candidate, part(None)) == "nothing serves; the candidate was compared with version 2"


def test_a_champion_that_could_not_be_compared_is_told_with_the_reason(tmp_path: Path) -> None:
    champion = {"version": 2, "digest": "d" * 64, "metric": "accuracy", "rows": 9}
    lost = {"champion": {**champion, "not_comparable": "its files are not whole"}}
    candidate = judged_candidate(made(tmp_path, evaluation=lost))
    assert comparison(candidate, part(2, "d" * 64)).endswith("could not be compared with it: its files are not whole")


def test_no_run_gives_its_release_a_persons_name() -> None:
    name = release_name("m-1", 2)
    assert not name.rpartition("-")[2].isdigit()
    assert name.rpartition("-")[0] != "m-1"
