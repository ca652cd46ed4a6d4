"""What goes from a home folder, and above all what stays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judged_run import judged_run
from model_artifact import NAME, release_of, seal_model

from ferryman.artifacts.manifest import digest_of
from ferryman.artifacts.run_store import Run
from ferryman.controller.lock import group_lock
from ferryman.serving.record import Ended, GroupRecord, ModelPart, Released
from ferryman.serving.release import create_release, write_end
from ferryman.storage.inputs import pin
from ferryman_pipelines.upkeep.clean import leftovers
from ferryman_pipelines.upkeep.leftover import SPARED, discard

NOW = 1_900_000_000.0
DAY = 86_400.0
DIGESTS = [letter * 64 for letter in "abcd"]


class House:
    """A home folder in which runs and groups have lived."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "ein heim"
        self.group = self.folder / "groups" / "local"
        self.artifact = seal_model(folder / "artifact")

    def run(self, number: int, *, name: str = NAME, days: float = 0) -> Run:
        """A run that was asked for so many days ago."""
        run = judged_run(self.folder, self.artifact, f"{name}-{number}")
        created = f"2030-03-{17 - int(days):02d}T{number:02d}:00:00Z"
        (run.folder / "request.json").write_text(json.dumps({"name": name, "created": created, "input": DIGESTS[0]}))
        (run.work("convert")).mkdir(parents=True)
        (run.work("convert") / "test.npy").write_bytes(bytes(1000))
        return run

    def model_of(self, run: Run) -> Path:
        return run.folder / "artifacts" / "sorter-2026" / "train" / "model"

    def serve(self, **numbers: int | None) -> None:
        """The group's record: stable, previous, candidate by number; the releases r-N brought them."""
        versions = {
            role: Released(number=number, digest="d", content="c", release=f"r-{number}")
            for role, number in numbers.items()
            if number
        }
        part = ModelPart.model_validate({**versions, "tombstones": [1, 2, 3, 4], "claimed": 6})
        self.group.mkdir(parents=True, exist_ok=True)
        record = GroupRecord(replicas=["replica-0"], models={NAME: part})
        (self.group / "record.json").write_text(record.model_dump_json())

    def version(self, number: int) -> Path:
        folder = self.group / "store" / NAME / str(number)
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"12345")
        return folder

    def old_file(self, name: str, content: bytes = b"x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (NOW - 2 * SPARED, NOW - 2 * SPARED))
        return path

    def found(self, keep: int = 0, older_than: float | None = None) -> dict[str, str]:
        items, _ = leftovers(self.folder, keep, older_than, NOW)
        return {item.path.relative_to(self.folder).as_posix(): item.kind for item in items}

    def clean(self, keep: int = 0, older_than: float | None = None) -> list[str]:
        """Remove; why things stayed."""
        items, _ = leftovers(self.folder, keep, older_than, NOW)
        return [why for item in items if (why := item.remove())]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_newest_runs_of_each_model_stay_whole(house: House) -> None:
    for number in (1, 2, 3):
        house.run(number)
    house.run(4, name="other")
    assert house.found(keep=2) == {"runs/sorter-1": "artifacts"}
    assert set(house.found(keep=1)) == {"runs/sorter-1", "runs/sorter-2"}
    before = tree(house.folder / "runs" / "sorter-2")
    assert house.clean(keep=2) == []
    assert tree(house.folder / "runs" / "sorter-2").keys() - {"lock"} == before.keys()
    assert house.found(keep=2) == {}, "a second time there is nothing left"


def test_the_record_and_the_reports_of_a_stripped_run_stay(house: House) -> None:
    run = house.run(1)
    assert house.clean() == []
    names = set(tree(run.folder))
    assert {"request.json", "fragments/gate.json", "ended.json"} <= names
    place = "artifacts/sorter-2026"
    for kind in ("evaluation", "serving_check", "verdict"):
        assert {f"{place}/{kind}/{kind}/{kind}.json", f"{place}/{kind}/{kind}/manifest.json"} <= names
    assert {f"{place}/train/model/model.json", f"{place}/conversion/conversion/conversion.json"} <= names
    assert not any("saved_model" in name or "golden" in name or "work/" in name for name in names)
    assert f"{place}/train/model/manifest.json" not in names


def test_whole_runs_go_only_when_they_are_old_and_are_no_more_the_newest(house: House) -> None:
    for number, days in ((1, 16), (2, 15), (3, 1)):
        house.run(number, days=days)
    at = 1_900_000_000.0
    ages = {number: at - stamp for number, stamp in ((1, 1898557200.0), (2, 1898647200.0))}
    assert all(age > 10 * DAY for age in ages.values())
    assert house.found(keep=2, older_than=10 * DAY) == {"runs/sorter-1": "run"}
    assert house.found(keep=0, older_than=10 * DAY) == {
        "runs/sorter-1": "run",
        "runs/sorter-2": "run",
        "runs/sorter-3": "artifacts",
    }
    assert house.clean(keep=1, older_than=10 * DAY) == []
    assert sorted(path.name for path in (house.folder / "runs").iterdir()) == ["sorter-3"]


@pytest.mark.parametrize("role", ["stable", "previous", "candidate"])
def test_the_run_whose_version_a_group_holds_stays_whole(role: str, house: House) -> None:
    runs = {number: house.run(number) for number in (1, 2)}
    release = release_of(house.model_of(runs[1]), name="r-1")
    create_release(house.group, release)
    write_end(house.group, "r-1", Ended(state="Promoted", version=1))
    house.serve(**{role: 1})
    assert house.found(older_than=0.0) == {"runs/sorter-2": "run"}


def test_the_run_of_a_release_that_has_not_ended_stays_whole_until_it_has(house: House) -> None:
    run = house.run(1)
    create_release(house.group, release_of(house.model_of(run), name="r-9"))
    assert house.found() == {}
    write_end(house.group, "r-9", Ended(state="Refused", why="probe"))
    assert house.found() == {"runs/sorter-1": "artifacts"}


def test_a_release_that_is_asked_for_after_the_look_saves_its_model(house: House) -> None:
    run = house.run(1)
    items, _ = leftovers(house.folder, 0, None, NOW)
    create_release(house.group, release_of(house.model_of(run), name="r-9"))
    before = digest_of(house.model_of(run))
    assert [item.remove() for item in items] == ["its release r-9 has not ended"]
    assert digest_of(house.model_of(run)) == before


def test_a_run_at_work_stays_also_when_it_started_after_the_look(house: House) -> None:
    run = house.run(1)
    items, _ = leftovers(house.folder, 0, 0.0, NOW)
    assert [item.kind for item in items] == ["run"]
    with run.lock():
        assert house.found(older_than=0.0) == {}
        (why,) = [item.remove() for item in items]
        assert "run sorter-1 is at work already" in why
    assert house.model_of(run).is_dir()


def test_a_run_that_may_be_starting_and_one_that_nobody_can_tell_of_stay(house: House) -> None:
    starting, foreign = house.run(1), house.run(2)
    (starting.folder / "ended.json").unlink()
    (foreign.folder / "ended.json").unlink()
    (foreign.folder / "request.json").unlink()
    os.utime(starting.folder, (NOW - 60, NOW - 60))
    assert house.found(older_than=0.0) == {}
    os.utime(starting.folder, (NOW - 2 * DAY, NOW - 2 * DAY))
    assert house.found(older_than=0.0) == {"runs/sorter-1": "run"}


def test_an_input_stays_while_a_run_a_compiled_spec_or_a_group_names_it(house: House) -> None:
    house.run(1)
    for digest in DIGESTS:
        house.old_file(f"inputs/sha256/{digest}")
    (house.folder / "inputs" / "compiled").mkdir()
    (house.folder / "inputs" / "compiled" / "x.json").write_text(json.dumps({"sha256": DIGESTS[1]}))
    house.group.mkdir(parents=True)
    (house.group / "note.json").write_text(json.dumps({"source": DIGESTS[2]}))
    assert house.found(keep=1) == {f"inputs/sha256/{DIGESTS[3]}": "input"}
    everything = house.found(keep=0, older_than=0.0)
    assert everything == {"runs/sorter-1": "run", **{f"inputs/sha256/{DIGESTS[n]}": "input" for n in (0, 3)}}
    assert house.clean(keep=0, older_than=0.0) == []
    assert sorted(path.name for path in (house.folder / "inputs" / "sha256").iterdir()) == [DIGESTS[1], DIGESTS[2]]


def test_an_input_that_is_pinned_after_the_look_stays(house: House, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a,b\n")
    pinned = pin("rows.csv", tmp_path, house.folder)
    kept = house.folder / "inputs" / "sha256" / pinned.sha256
    os.utime(kept, (NOW - 2 * SPARED, NOW - 2 * SPARED))
    items, _ = leftovers(house.folder, 0, None, NOW)
    assert [item.path for item in items] == [kept]
    os.utime(kept, (NOW, NOW))
    assert [item.remove() for item in items] == ["it was pinned again"]
    os.utime(kept, (NOW - 2 * SPARED, NOW - 2 * SPARED))
    (house.folder / "runs" / "m-1").mkdir(parents=True)
    (house.folder / "runs" / "m-1" / "request.json").write_text(json.dumps({"spec": {"sha256": pinned.sha256}}))
    assert [item.remove() for item in items] == ["it is named by now"]
    assert kept.read_bytes() == b"a,b\n"


def test_of_a_store_only_tombstoned_versions_go_that_no_record_names_and_never_the_largest_number(
    house: House,
) -> None:
    for number in (1, 2, 3, 4, 5):
        house.version(number)
    house.serve(stable=5, previous=3)
    agent = house.group / "agents" / "replica-0"
    agent.mkdir(parents=True)
    copy = GroupRecord(
        replicas=[], models={NAME: ModelPart(stable=Released(number=2, digest="d", content="c", release="r"))}
    )
    (agent / "record.json").write_text(copy.model_dump_json())
    store = "groups/local/store/sorter"
    assert house.found() == {f"{store}/1": "version", f"{store}/4": "version"}
    assert house.clean() == []
    assert sorted(path.name for path in (house.folder / store).iterdir()) == ["2", "3", "5"]
    (house.folder / store / "5" / "saved_model.pb").unlink()
    (house.folder / store / "5").rmdir()
    house.serve(stable=None)
    (agent / "record.json").unlink()
    assert house.found() == {f"{store}/2": "version"}, "3 is tombstoned too, and the largest that is left"


def test_a_group_that_somebody_runs_is_left_alone(house: House) -> None:
    for number in (1, 5):
        house.version(number)
    house.serve(stable=5)
    items, _ = leftovers(house.folder, 0, None, NOW)
    with group_lock(house.group):
        found, notes = leftovers(house.folder, 0, None, NOW)
        assert (found, notes) == ([], ["group local is run at the moment: its store is left alone"])
        assert "is run by another process" in items[0].remove()
    assert (house.group / "store" / NAME / "1" / "saved_model.pb").is_file()


def test_a_group_whose_record_is_lost_keeps_all_that_it_may_serve(house: House) -> None:
    run = house.run(1)
    for number in (1, 5):
        house.version(number)
    create_release(house.group, release_of(house.model_of(run), name="r-1"))
    write_end(house.group, "r-1", Ended(state="Promoted", version=1))
    (house.group / "record.json").write_text("{torn")
    found, notes = leftovers(house.folder, 0, 0.0, NOW)
    assert found == []
    assert len(notes) == 1
    assert notes[0].startswith("group local is left alone: the record")


def test_the_version_that_a_run_at_work_compares_with_stays(house: House) -> None:
    run = house.run(1)
    for number in (1, 5):
        house.version(number)
    house.serve(stable=5)
    resolve: Any = run.fragment("resolve")
    facts = {"serves": {"path": str(house.group / "store" / NAME / "1")}}
    run.write_fragment(resolve.model_copy(update={"facts": facts}))
    with run.lock():
        assert house.found() == {}
    assert "groups/local/store/sorter/1" in house.found()


def test_old_wheels_and_unfinished_files_go_and_young_ones_stay(house: House) -> None:
    house.old_file("runs/m-1/fragments/.0a.partial")
    house.old_file("inputs/sha256/.0b.partial", b"12345678")
    young = house.old_file("cache/wheels/.tulips-1.abc.partial/tulips.whl")
    house.old_file("cache/wheels/roses-2/roses.whl")
    os.utime(house.folder / "cache" / "wheels" / "roses-2", (NOW - 2 * DAY, NOW - 2 * DAY))
    os.utime(young.parent, (NOW - 60, NOW - 60))
    assert house.found() == {
        "cache/wheels/roses-2": "wheel",
        "runs/m-1/fragments/.0a.partial": "partial",
        "inputs/sha256/.0b.partial": "partial",
    }
    assert house.clean() == []
    assert [path.name for path in house.folder.rglob("*.whl")] == ["tulips.whl"]


def test_what_an_interruption_leaves_goes_the_next_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run = house.run(1)
    calls: list[Path] = []

    def interrupted(really: Callable[[Path], None]) -> Callable[[Path], None]:
        def discards(path: Path) -> None:
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(path)
            really(path)

        return discards

    monkeypatch.setattr("ferryman_pipelines.upkeep.old_runs.discard", interrupted(discard))
    with pytest.raises(KeyboardInterrupt):
        house.clean()
    monkeypatch.undo()
    assert house.found() == {"runs/sorter-1": "artifacts"}
    assert house.clean() == []
    assert not any("golden" in name for name in tree(run.folder))
