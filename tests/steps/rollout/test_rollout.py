"""The step `rollout`: it asks once, waits, and tells how it ended; a resumed run waits for the same release."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_artifact import NAME, resolved_run, seal_model
from newcomer import eventually

from ferryman.artifacts.evidence import Conversion, ServingCheck, Verdict
from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.resolved import Serving
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.serving.record import Ended, Terminal
from ferryman.serving.release import Release, read_releases, request_abort, write_end
from ferryman.steps.rollout import rollout
from ferryman.steps.rollout.rollout import release_model

EVIDENCE = ("conversion", "serving_check", "verdict")


class Road:
    """The artifacts before the step, and the group that it asks."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.group = folder, folder / "group"
        self.model = seal_model(folder / "model")
        digest = digest_of(self.model)
        self.write(Verdict(kind="promote", model=digest, content="c" * 64, reasons=[]))
        self.write(
            Conversion(
                **{"model": digest, "required": False, "metric": "accuracy", "may_lose": 0.1, "rungs": [], "rows": 5},
                **{"chosen": None, "transform_ids_differ": 0, "transform_largest_difference": 0.0},
            )
        )
        self.write(ServingCheck(model=digest, server="a server", stand_in=True, answers=[], absolute=0.1, relative=0.1))

    def write(self, document: Verdict | Conversion | ServingCheck) -> None:
        kind = {Verdict: "verdict", Conversion: "conversion", ServingCheck: "serving_check"}[type(document)]
        (self.folder / kind).mkdir(exist_ok=True)
        document.write(self.folder / kind / f"{kind}.json")
        seal(self.folder / kind, kind, "a test")

    def run(self, *, group: str | None = None, serves: Serving | None = None) -> None:
        resolved = resolved_run(
            group=str(self.group) if group is None else group, served={"absolute": 0.25, "relative": 0.5}
        ).model_copy(update={"serves": serves})
        paths = (str(self.folder / kind) for kind in ("model", *EVIDENCE))
        release_model(resolved.text(), str(self.folder / "runs"), "r1", "", *paths)

    def fragment(self) -> Any:
        return RunStore(str(self.folder / "runs")).run("r1").fragment("rollout")

    def asked(self) -> list[str]:
        return [release.name for release in read_releases(self.group)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "LIMIT", 20.0)


@pytest.fixture
def road(tmp_path: Path) -> Road:
    return Road(tmp_path)


@pytest.fixture
def controller(road: Road) -> Callable[[str, Ended], threading.Thread]:
    """Ends a release as soon as it is asked for, as a group process elsewhere does."""

    def ends(name: str, end: Ended) -> threading.Thread:
        def work() -> None:
            eventually(lambda: name in road.asked())
            write_end(road.group, name, end)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    return ends


def test_a_release_names_the_model_its_evidence_its_tolerance_and_what_it_was_compared_with(
    road: Road, controller: Any
) -> None:
    thread = controller("r1-1", Ended(state="Promoted", version=7))
    road.run(serves=Serving(model=NAME, version=6, digest="e" * 64, content="b" * 64, epoch=2, generation=9, path="/p"))
    thread.join()
    assert read_releases(road.group) == [
        Release(
            name="r1-1",
            model=NAME,
            created="2026-11-24T12:00:00Z",
            artifact=str(road.model.resolve()),
            digest=digest_of(road.model),
            content="c" * 64,
            conversion=digest_of(road.folder / "conversion"),
            serving_check=digest_of(road.folder / "serving_check"),
            champion_version=6,
            champion_digest="e" * 64,
            absolute=0.25,
            relative=0.5,
        )
    ]
    done = road.fragment()
    assert done.state == "done"
    assert done.headline == f"{NAME} version 7 serves"
    assert done.facts == {"release": "r1-1", "terminal": "Promoted", "version": 7, "why": ""}
    assert set(done.inputs) == {"model", *EVIDENCE}


@pytest.mark.parametrize("state", ["Refused", "RolledBack", "Superseded", "Conflict"])
def test_a_release_that_does_not_end_well_is_a_fact_on_the_record_and_no_error(
    state: Terminal, road: Road, controller: Any
) -> None:
    controller("r1-1", Ended(state=state, why="version 6 serves", version=7))
    road.run()
    assert road.fragment().headline == f"{state}: version 6 serves"
    assert road.fragment().facts["terminal"] == state
    assert read_releases(road.group)[0].champion_version is None


def test_a_resumed_run_waits_for_the_release_that_it_asked_for_and_asks_no_second(
    road: Road, controller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "LIMIT", 0.05)
    with pytest.raises(UnavailableError, match="r1-1 has not ended within 0 s: does a group process run") as caught:
        road.run()
    assert caught.value.exit_code == 7
    assert road.fragment().facts["release"] == "r1-1"
    monkeypatch.setattr(rollout, "LIMIT", 20.0)
    controller("r1-1", Ended(state="Promoted", version=7))
    road.run()
    assert road.asked() == ["r1-1"]
    assert (road.fragment().attempt, road.fragment().facts["version"]) == (2, 7)


def test_only_an_aborted_release_is_asked_for_again(road: Road, controller: Any) -> None:
    write_end(road.group, "r1-1", Ended(state="RolledBack", why="the person"))
    request_abort(road.group, "r1-1", "Ctrl-C")
    write_end(road.group, "r1-2", Ended(state="RolledBack", why="a bad golden set"))
    road.run()
    assert road.asked() == ["r1-2"]
    assert road.fragment().facts["why"] == "a bad golden set"
    request_abort(road.group, "r1-2", "Ctrl-C")
    controller("r1-3", Ended(state="Promoted", version=9))
    road.run()
    assert road.asked() == ["r1-2", "r1-3"]
    assert road.fragment().facts["version"] == 9


def test_an_abort_that_came_too_late_is_no_new_attempt(road: Road) -> None:
    write_end(road.group, "r1-1", Ended(state="Promoted", version=7))
    request_abort(road.group, "r1-1", "Ctrl-C")
    road.run()
    assert road.asked() == ["r1-1"]
    assert road.fragment().facts["terminal"] == "Promoted"


@pytest.mark.parametrize("kind", ["model", *EVIDENCE])
def test_evidence_that_was_altered_is_refused_before_anything_is_asked(kind: str, road: Road) -> None:
    file = "preprocess.json" if kind == "model" else f"{kind}.json"
    (road.folder / kind / file).write_text("altered")
    with pytest.raises(ArtifactError, match=f"{file} is not what its manifest says"):
        road.run()
    assert road.asked() == []


@pytest.mark.parametrize("kind", ["hold", "insufficient", "nothing_new"])
def test_a_model_that_the_gate_did_not_promote_is_not_released(kind: Any, road: Road) -> None:
    road.write(Verdict(kind=kind, model=digest_of(road.model), content="c" * 64, reasons=[]))
    with pytest.raises(ArtifactError, match=f"the gate says {kind}, expected promote"):
        road.run()
    assert road.asked() == []


@pytest.mark.parametrize("kind", EVIDENCE)
def test_evidence_of_another_model_releases_nothing(kind: str, road: Road) -> None:
    documents = {"verdict": Verdict, "conversion": Conversion, "serving_check": ServingCheck}
    found = documents[kind].read(road.folder / kind / f"{kind}.json")
    road.write(found.model_copy(update={"model": "d" * 64}))
    with pytest.raises(ArtifactError, match=f"{kind}.json judges the model dddddddddddd"):
        road.run()
    assert road.asked() == []


def test_a_run_without_a_group_cannot_release(road: Road) -> None:
    with pytest.raises(UsageError, match="no serving group"):
        road.run(group="")
    assert not road.group.exists()
