"""The controller's rules, one sentence each; `Group` walks a record through them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ferryman.controller.adopt import adopt, is_lost
from ferryman.controller.decide import Decision, ProbeReport, View, decide
from ferryman.serving.record import Ended, GroupRecord, ModelPart, Released
from ferryman.serving.release import Release
from ferryman.serving.report import ModelReport, Report

REPLICAS = ["a", "b"]


def version(number: int) -> Released:
    return Released(number=number, digest=f"digest-{number}", content=f"content-{number}", release=f"r{number}")


def release(number: int, champion: int | None = 1, **changes: Any) -> Release:
    """The release that brings version `number`, judged against version `champion`."""
    return Release(
        name=f"r{number}",
        model="m",
        created=f"2026-01-0{number}",
        artifact="/artifact",
        digest=f"digest-{number}",
        content=f"content-{number}",
        champion_version=champion,
        champion_digest=f"digest-{champion}" if champion else None,
    ).model_copy(update=changes)


def rollback(name: str, leaves: int) -> Release:
    return Release(name=name, kind="rollback", model="m", created="2026-02-01", leaves=leaves, reason="it errs")


def serving(stable: int | None = 1, previous: int | None = None, clients: Any = "any", **changes: Any) -> GroupRecord:
    """An idle group at (epoch 3, generation 7)."""
    part = ModelPart(
        generation=7,
        stable=version(stable) if stable else None,
        previous=version(previous) if previous else None,
        claimed=max(stable or 0, previous or 0),
        **changes,
    )
    return GroupRecord(epoch=3, generation=7, replicas=REPLICAS, clients=clients, models={"m": part})


@dataclass
class Group:
    """Carries out every decision: copies at once, probes as `probe` says, and reports on demand."""

    view: View
    generations: list[int] = field(default_factory=list)

    @property
    def part(self) -> ModelPart:
        return self.view.record.models["m"]

    @property
    def phase(self) -> str:
        return self.part.phase

    def see(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)

    def ask(self, *releases: Release) -> None:
        self.see(releases=sorted([*self.view.releases, *releases], key=lambda r: (r.created, r.name)))

    def step(self) -> Decision:
        decision = decide(self.view)
        if decision.copy:
            number = int(decision.copy.name[1:])
            self.see(copies={**self.view.copies, decision.copy.name: version(number)})
        if decision.record:
            assert decision.record.generation == self.view.record.generation + 1
            self.see(record=decision.record)
        return decision

    def settle(self) -> None:
        while self.step() != Decision():
            pass

    def probe(self, ok: bool = True) -> None:
        assert self.part.candidate
        self.see(probes=[ProbeReport("m", self.part.candidate.number, ok, "wrong answers")])
        self.settle()

    def report(self, *replicas: str, state: str = "ok", bad: int | None = None, **changes: Any) -> None:
        """What `replicas` (all) say of the present record."""
        record = self.view.record
        words = {"generation": self.part.generation, "state": state, "why": "it said so", "bad": bad}
        said = ModelReport.model_validate(words)
        reports = {
            name: Report(replica=name, epoch=record.epoch, generation=record.generation, models={"m": said}).model_copy(
                update=changes
            )
            for name in replicas or REPLICAS
        }
        self.see(reports={**self.view.reports, **reports})
        self.settle()

    def ended(self, name: str) -> str:
        return self.part.ended[name].state if name in self.part.ended else "not yet"


def group(record: GroupRecord, *releases: Release, **changes: Any) -> Group:
    found = Group(View(record=record, **changes))
    found.ask(*releases)
    found.settle()
    return found


def up_to(phase: str, clients: str = "any", **changes: Any) -> Group:
    """A group that serves version 1 and carries version 2 to `phase`."""
    found = group(serving(1, clients=clients), release(2), **changes)
    if phase != "probe":
        found.probe()
    for _ in range(6):
        if found.phase == phase:
            return found
        found.report()
    assert found.phase == phase
    return found


def test_a_release_first_has_its_files_copied_and_then_goes_to_the_probe() -> None:
    found = Group(View(record=serving(), releases=[release(2)]))
    assert found.step().copy == release(2)
    found.step()
    assert (found.phase, found.part.candidate, found.part.claimed) == ("probe", version(2), 2)
    assert found.part.stable == version(1)


def test_where_clients_use_no_label_the_first_replica_goes_alone() -> None:
    found = up_to("roll0")
    found.report("b")
    assert found.phase == "roll0"
    found.report("a")
    assert found.phase == "roll1"
    found.report("a")
    assert found.phase == "roll1"
    found.report("b")
    assert found.phase == "switch"


def test_where_all_clients_use_the_label_all_replicas_load_at_once() -> None:
    found = up_to("load", "labelled")
    found.report("a")
    assert found.phase == "load"
    found.report("b")
    assert found.phase == "switch"


def test_the_commit_makes_the_candidate_stable_and_keeps_the_way_back() -> None:
    found = up_to("switch")
    assert (found.part.stable, found.part.previous, found.part.candidate) == (version(2), version(1), None)
    assert found.part.tombstones == []


def test_a_promoted_release_leaves_only_its_predecessor_behind() -> None:
    found = up_to("switch")
    found.report("a")
    assert found.phase == "switch"
    found.report()
    assert (found.phase, found.part.tombstones) == ("soak", [])
    found.report()
    assert (found.phase, found.part.tombstones) == ("finish", [1])
    found.report("b")
    assert found.ended("r2") == "not yet"
    found.report()
    assert (found.phase, found.ended("r2"), found.part.ended["r2"].version) == ("idle", "Promoted", 2)
    assert (found.part.release, found.part.previous) == ("", version(1))


def test_a_soak_lasts_as_long_as_it_was_set_while_somebody_watched() -> None:
    found = up_to("soak", now="2026-01-09T10:00:00+00:00", started="2026-01-09T09:00:00+00:00", soak_seconds=60.0)
    found.see(now="2026-01-09T10:00:59+00:00")
    found.report()
    assert found.phase == "soak"
    found.see(now="2026-01-09T10:01:30+00:00", started="2026-01-09T10:01:00+00:00")
    found.settle()
    assert found.phase == "soak"
    found.see(now="2026-01-09T10:02:01+00:00")
    found.settle()
    assert found.phase == "finish"


def test_the_first_release_is_promoted_where_nothing_served() -> None:
    found = group(GroupRecord(replicas=REPLICAS), release(2, champion=None))
    found.probe()
    for _ in range(5):
        found.report()
    assert (found.phase, found.part.stable, found.part.previous) == ("idle", version(2), None)
    assert (found.ended("r2"), found.part.tombstones) == ("Promoted", [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"champion_version": 3, "champion_digest": "digest-3"}, "version 3, but version 1"),
        ({"champion_version": 1, "champion_digest": "digest-9"}, "version 1, but version 1"),
        ({"champion_version": None, "champion_digest": None}, "nothing, but version 1"),
    ],
)
def test_a_release_that_was_judged_against_something_else_is_a_conflict(changes: Any, words: str) -> None:
    found = group(serving(), release(2, **changes))
    assert found.ended("r2") == "Conflict"
    assert words in found.part.ended["r2"].why
    assert found.view.copies == {}


def test_a_release_judged_against_a_champion_is_a_conflict_where_nothing_serves() -> None:
    found = group(serving(None), release(2, champion=1))
    assert "version 1, but nothing serves" in found.part.ended["r2"].why


def test_a_content_that_a_person_rolled_back_needs_a_reason_to_return() -> None:
    refused = serving(refused=["content-2", "content-4"])
    assert group(refused, release(2)).ended("r2") == "Refused"
    found = group(refused, release(2, reason="the alarm was false"))
    found.probe()
    for _ in range(2):
        found.report()
    assert (found.phase, found.part.refused) == ("switch", ["content-4"])


def test_files_that_cannot_be_copied_end_the_release_with_their_reason() -> None:
    found = group(serving(), release(2), refusals={"r2": "weights.bin is torn"})
    assert found.part.ended["r2"] == Ended(state="Refused", why="weights.bin is torn")
    assert found.phase == "idle"


def test_a_candidate_that_fails_its_probe_never_reaches_a_server() -> None:
    found = group(serving(), release(2))
    found.probe(ok=False)
    assert (found.phase, found.ended("r2"), found.part.tombstones) == ("idle", "Refused", [2])
    assert found.part.ended["r2"].why == "probe: wrong answers"


def test_what_a_probe_says_of_another_version_does_not_count() -> None:
    found = group(serving(), release(2))
    found.see(probes=[ProbeReport("m", 1, True), ProbeReport("other", 2, True)])
    found.settle()
    assert found.phase == "probe"


@pytest.mark.parametrize("phase", ["probe", "roll0", "roll1"])
def test_a_newer_release_supersedes_before_the_commit(phase: str) -> None:
    found = up_to(phase)
    found.ask(release(3))
    found.settle()
    if phase != "probe":
        assert (found.phase, found.ended("r2"), found.part.tombstones) == ("back", "not yet", [2])
        found.report()
    assert found.ended("r2") == "Superseded"
    assert (found.phase, found.part.candidate) == ("probe", version(3))


@pytest.mark.parametrize("phase", ["switch", "soak", "finish"])
def test_a_newer_release_waits_after_the_commit_and_then_was_judged_against_another(phase: str) -> None:
    found = up_to(phase)
    found.ask(release(3), release(4, champion=2))
    found.settle()
    assert (found.phase, found.ended("r3")) == (phase, "not yet")
    for _ in range(3):
        found.report()
    assert (found.ended("r2"), found.ended("r3")) == ("Promoted", "Superseded")
    assert (found.phase, found.part.candidate) == ("probe", version(4))


def test_an_older_release_that_arrives_later_does_not_supersede() -> None:
    found = group(serving(), release(3))
    found.probe()
    found.ask(release(2))
    found.settle()
    assert (found.phase, found.part.release, found.ended("r2")) == ("roll0", "r3", "not yet")


def test_of_two_waiting_releases_only_the_newest_starts() -> None:
    found = group(serving(), release(2), release(3))
    assert (found.ended("r2"), found.part.release) == ("Superseded", "r3")
    assert found.view.copies.keys() == {"r3"}


@pytest.mark.parametrize("phase", ["probe", "roll0", "roll1"])
def test_an_abort_before_the_commit_takes_the_candidate_back(phase: str) -> None:
    found = up_to(phase)
    found.see(aborts={"r2": "wrong data"})
    found.settle()
    found.report()
    assert found.part.ended["r2"] == Ended(state="RolledBack", why="aborted: wrong data", version=2)
    assert (found.phase, found.part.stable, found.part.tombstones) == ("idle", version(1), [2])


@pytest.mark.parametrize("phase", ["switch", "soak", "finish"])
def test_an_abort_after_the_commit_changes_nothing(phase: str) -> None:
    found = up_to(phase)
    found.see(aborts={"r2": "too late"})
    found.settle()
    assert found.phase == phase
    for _ in range(3):
        found.report()
    assert found.ended("r2") == "Promoted"


def test_an_abort_of_a_release_that_waits_ends_it_without_a_copy() -> None:
    found = group(serving(), release(2), aborts={"r2": "second thoughts"})
    assert (found.ended("r2"), found.view.copies) == ("RolledBack", {})


@pytest.mark.parametrize("replica", REPLICAS)
def test_a_bad_report_before_the_commit_refuses_the_candidate(replica: str) -> None:
    found = up_to("roll1")
    found.report(replica, state="bad")
    assert (found.phase, found.part.tombstones, found.ended("r2")) == ("back", [2], "not yet")
    found.report()
    assert found.part.ended["r2"] == Ended(state="Refused", why=f"{replica}: it said so", version=2)
    assert found.part.stable == version(1)


@pytest.mark.parametrize("phase", ["switch", "soak", "finish"])
def test_a_bad_report_after_the_commit_waits_for_a_person(phase: str) -> None:
    found = up_to(phase)
    found.report("b", state="bad")
    found.report("a")
    assert (found.phase, found.part.stable) == (phase, version(2))
    found.ask(rollback("back-1", leaves=2))
    found.settle()
    assert (found.phase, found.part.stable, found.part.tombstones) == ("revert", version(1), [2])


@pytest.mark.parametrize(("bad", "phase"), [(2, "back"), (None, "back"), (1, "idle")])
def test_from_back_the_way_is_free_when_only_the_stable_version_is_in_trouble(bad: int | None, phase: str) -> None:
    found = up_to("roll1")
    found.report("b", state="bad", bad=2)
    found.report("a")
    assert found.phase == "back"
    found.report("b", state="bad", bad=bad)
    assert (found.phase, found.ended("r2")) == (phase, "Refused" if phase == "idle" else "not yet")


@pytest.mark.parametrize("clients", ["any", "labelled"])
def test_a_person_with_a_reason_replaces_a_stable_version_that_is_in_trouble(clients: str) -> None:
    found = group(serving(clients=clients), release(2, reason="its files are lost"))
    found.probe()
    for _ in range(5):
        before_commit = found.phase in {"load", "roll0", "roll1"}
        found.report(state="bad" if before_commit else "ok", bad=1 if before_commit else None)
    assert (found.ended("r2"), found.part.stable, found.part.previous) == ("Promoted", version(2), version(1))


@pytest.mark.parametrize(("reason", "bad"), [("", 1), ("its files are lost", 2), ("its files are lost", None)])
def test_trouble_of_the_candidate_or_without_a_persons_reason_goes_back(reason: str, bad: int | None) -> None:
    found = group(serving(), release(2, reason=reason))
    found.probe()
    found.report("a", state="bad", bad=bad)
    assert (found.phase, found.part.tombstones, found.part.stable) == ("back", [2], version(1))


def test_after_the_commit_trouble_waits_for_a_person_also_when_a_person_asked() -> None:
    found = group(serving(), release(2, reason="its files are lost"))
    found.probe()
    for _ in range(2):
        found.report()
    assert found.phase == "switch"
    found.report("a", state="bad", bad=2)
    found.report("b")
    assert (found.phase, found.ended("r2")) == ("switch", "not yet")


def test_a_version_that_was_itself_rolled_back_is_no_way_back() -> None:
    refused = [version(2).content]
    found = group(serving(3, previous=2, refused=refused), rollback("back-1", leaves=3))
    assert (found.phase, found.ended("back-1"), found.part.stable) == ("idle", "Conflict", version(3))
    assert "version 2 was itself rolled back" in found.part.ended["back-1"].why


def test_a_clock_that_was_set_back_makes_no_phase_last_longer() -> None:
    found = up_to("soak", now="2030-01-01T00:00:00+00:00", started="2030-01-01T00:00:00+00:00", soak_seconds=10.0)
    found.see(now="2026-01-01T00:00:09+00:00", started="2026-01-01T00:00:00+00:00")
    found.report()
    assert found.phase == "soak"
    found.see(now="2026-01-01T00:00:11+00:00")
    found.settle()
    assert found.phase == "finish"


def test_a_phase_that_takes_too_long_before_the_commit_goes_back() -> None:
    began = "2026-01-09T10:00:00+00:00"
    found = up_to("roll1", now=began, started=began)
    found.report("a", state="working")
    found.see(now="2026-01-09T10:14:59+00:00")
    found.settle()
    assert found.phase == "roll1"
    found.see(now="2026-01-09T10:15:01+00:00")
    found.settle()
    assert found.phase == "back"
    found.report()
    assert found.ended("r2") == "Refused"
    assert "roll1 took longer than 900 s: a: it said so" in found.part.ended["r2"].why


def test_time_in_which_nobody_decided_counts_for_no_deadline() -> None:
    began = "2026-01-09T10:00:00+00:00"
    found = up_to("roll1", now=began, started=began)
    found.see(now="2026-01-10T10:00:00+00:00", started="2026-01-10T09:59:00+00:00")
    found.settle()
    assert found.phase == "roll1"


def test_after_the_commit_no_deadline_drops_anything() -> None:
    began = "2026-01-09T10:00:00+00:00"
    found = up_to("switch", now=began, started=began)
    found.see(now="2026-01-10T10:00:00+00:00")
    found.settle()
    assert found.phase == "switch"


def test_a_rollback_from_idle_returns_to_the_previous_version() -> None:
    found = group(serving(2, previous=1, tombstones=[1]), rollback("back-1", leaves=2))
    assert (found.phase, found.part.stable, found.part.previous) == ("revert", version(1), version(2))
    assert found.part.tombstones == [2]
    found.report("a")
    assert found.phase == "revert"
    found.report()
    assert (found.phase, found.ended("back-1"), found.part.refused) == ("idle", "Promoted", ["content-2"])


def test_a_rollback_of_the_candidate_leaves_what_serves_alone() -> None:
    found = up_to("roll1")
    found.ask(rollback("back-1", leaves=2))
    found.settle()
    assert (found.phase, found.part.stable) == ("back", version(1))
    found.report()
    assert (found.ended("r2"), found.ended("back-1")) == ("RolledBack", "Promoted")
    assert (found.phase, found.part.refused) == ("idle", ["content-2"])


@pytest.mark.parametrize("phase", ["switch", "soak", "finish"])
def test_a_rollback_after_the_commit_ends_the_release_rolled_back(phase: str) -> None:
    found = up_to(phase)
    found.ask(rollback("back-1", leaves=2))
    found.settle()
    assert (found.phase, found.part.stable, found.part.tombstones) == ("revert", version(1), [2])
    found.report()
    assert (found.part.ended["r2"].state, found.part.ended["r2"].version) == ("RolledBack", 2)
    assert found.ended("back-1") == "Promoted"


def test_a_rollback_of_the_champion_ends_the_candidate_that_was_judged_against_it() -> None:
    found = group(serving(2, previous=1), release(3, champion=2))
    found.probe()
    found.ask(rollback("back-1", leaves=2))
    found.settle()
    assert (found.phase, found.ended("back-1")) == ("back", "not yet")
    found.report()
    assert (found.ended("r3"), found.phase, found.part.stable) == ("Conflict", "revert", version(1))
    found.report()
    assert (found.ended("back-1"), found.part.tombstones) == ("Promoted", [2, 3])


def test_repeating_a_rollback_does_not_toggle() -> None:
    found = group(serving(2, previous=1), rollback("back-1", leaves=2))
    found.ask(rollback("back-2", leaves=2))
    found.settle()
    assert found.ended("back-2") == "not yet"
    found.report()
    assert (found.ended("back-1"), found.ended("back-2"), found.part.stable) == ("Promoted", "Conflict", version(1))


def test_the_first_version_has_nothing_to_go_back_to() -> None:
    found = group(serving(1), rollback("back-1", leaves=1))
    assert found.ended("back-1") == "Conflict"
    assert "nothing to go back to" in found.part.ended["back-1"].why
    assert (found.phase, found.part.stable) == ("idle", version(1))


def test_a_rollback_where_nothing_serves_is_a_conflict() -> None:
    found = group(GroupRecord(replicas=REPLICAS), rollback("back-1", leaves=1))
    assert "nothing serves" in found.part.ended["back-1"].why


def test_a_rollback_to_torn_files_is_a_conflict_and_the_bad_version_serves_on() -> None:
    found = group(serving(2, previous=1), rollback("back-1", leaves=2), torn={("m", 1): "weights.bin is altered"})
    assert "weights.bin is altered" in found.part.ended["back-1"].why
    assert (found.phase, found.part.stable) == ("idle", version(2))


def test_reports_of_an_earlier_generation_do_not_count() -> None:
    found = up_to("roll1")
    old = found.part.generation - 1
    said = {"m": ModelReport(generation=old, state="ok")}
    found.report(models=said)
    assert found.phase == "roll1"
    found.report("a", models={"m": ModelReport(generation=old, state="bad")})
    assert found.phase == "roll1"


@pytest.mark.parametrize("changes", [{"epoch": 2}, {"absent": True}])
def test_reports_of_another_epoch_or_of_no_record_do_not_count(changes: dict[str, Any]) -> None:
    found = up_to("roll1")
    found.report(**changes)
    assert found.phase == "roll1"


def test_a_report_of_a_replica_that_is_not_asked_does_not_count() -> None:
    found = up_to("roll1")
    found.report("a", "stranger")
    assert found.phase == "roll1"


def test_what_one_model_does_leaves_the_others_part_as_it_was() -> None:
    found = up_to("roll0")
    other = release(5, champion=None, model="other")
    found.ask(other)
    before = found.part
    found.settle()
    assert found.part == before
    assert found.view.record.models["other"].phase == "probe"


def test_a_report_beyond_the_record_means_that_the_record_is_an_older_one() -> None:
    record = serving()
    assert not is_lost(record, {"a": Report(replica="a", epoch=3, generation=7)}, (3, 7), {})
    assert is_lost(record, {"a": Report(replica="a", epoch=3, generation=8)}, (0, 0), {})
    assert is_lost(record, {"a": Report(replica="a", epoch=4)}, (3, 7), {})
    assert is_lost(record, {}, (3, 8), {})


def test_an_end_that_was_told_and_that_the_record_does_not_know_means_that_it_is_an_older_one() -> None:
    told = {"m": {"r2": Ended(state="Refused", why="torn")}}
    assert is_lost(serving(), {}, (3, 7), told)
    running = up_to("roll1").view.record
    assert running.models["m"].release == "r2"
    assert not is_lost(running, {}, running.fence, told)


def promise(name: str, epoch: int, copy: GroupRecord | None, **changes: Any) -> Report:
    return Report(replica=name, epoch=epoch, absent=True, copy_of=copy).model_copy(update=changes)


def test_a_lost_record_is_adopted_only_when_all_replicas_have_promised() -> None:
    newer, older = serving(), serving().model_copy(update={"generation": 5})
    promises = {"a": promise("a", 4, older), "b": promise("b", 4, newer)}
    assert adopt({"a": promises["a"]}, REPLICAS, {}, {}, (0, 0)) is None
    works = Report(replica="b", epoch=3, generation=7)
    assert adopt({**promises, "b": works}, REPLICAS, {}, {}, (0, 0)) is None
    found = adopt(promises, REPLICAS, {}, {}, (0, 0))
    assert found
    assert (found.epoch, found.generation, found.models["m"].stable) == (4, 8, version(1))
    assert found.models["m"].generation == 8


def test_an_adopted_record_is_never_of_an_epoch_that_was_obeyed() -> None:
    found = adopt({n: promise(n, 2, serving()) for n in REPLICAS}, REPLICAS, {}, {}, (0, 0))
    assert found
    assert found.epoch == 4


def test_nothing_is_adopted_while_a_server_holds_what_nobody_remembers() -> None:
    promises = {"a": promise("a", 1, None), "b": promise("b", 1, None, holds={"m": 4})}
    assert adopt(promises, REPLICAS, {}, {}, (0, 0)) is None


def test_where_nothing_was_ever_obeyed_a_group_begins_with_numbers_that_were_never_used() -> None:
    told = {"m": {"r2": Ended(state="Refused", why="torn")}}
    found = adopt({n: promise(n, 1, None) for n in REPLICAS}, REPLICAS, told, {"m": 6}, (0, 0))
    assert found
    assert (found.epoch, found.models["m"].claimed, found.models["m"].ended) == (1, 6, told["m"])


def test_an_end_that_was_told_stays_when_a_copy_from_before_it_is_adopted() -> None:
    running = up_to("roll1").view.record
    told = {"m": {"r2": Ended(state="Refused", why="b: it errs", version=2)}}
    found = adopt({n: promise(n, 4, running) for n in REPLICAS}, REPLICAS, told, {}, (0, 0))
    assert found
    assert (found.models["m"].phase, found.models["m"].tombstones) == ("back", [2])
    after = Group(View(record=found, releases=[release(2)]))
    after.report()
    assert after.part.ended["r2"] == told["m"]["r2"]


def test_a_release_that_was_told_promoted_cannot_be_turned_round_after_its_record_was_lost() -> None:
    running = up_to("finish").view.record
    told = {"m": {"r2": Ended(state="Promoted", version=2)}}
    found = adopt({n: promise(n, 4, running) for n in REPLICAS}, REPLICAS, told, {}, (0, 0))
    assert found
    assert (found.models["m"].phase, found.models["m"].ended["r2"]) == ("idle", told["m"]["r2"])


def test_a_good_candidate_still_ends_promoted_after_the_record_was_lost() -> None:
    running = up_to("roll1").view.record
    found = adopt({n: promise(n, 4, running) for n in REPLICAS}, REPLICAS, {}, {}, (0, 0))
    assert found
    after = Group(View(record=found, releases=[release(2)]))
    for _ in range(4):
        after.report()
    assert after.ended("r2") == "Promoted"
