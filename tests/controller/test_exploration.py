"""Every interleaving of a small group, by breadth-first search: the real `decide`, `adopt`, `converge` and `attitude`,
the embedded server's real state machine, and between them agents, controllers and servers that crash between any two
effects, records that are lost or replaced by an older one, aborts, rollbacks and rival releases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from ferryman.controller.adopt import adopt, is_lost
from ferryman.controller.decide import ProbeReport, View, decide
from ferryman.model_server import core
from ferryman.serving.converge import Act, Observed, Seen, converge
from ferryman.serving.record import Ended, GroupRecord, ModelPart, Released, allowed_answers, attitude, targets
from ferryman.serving.release import Release
from ferryman.serving.report import ModelReport, Report

M = "m"

RECORDS: list[GroupRecord] = []
KNOWN: dict[str, int] = {}


def intern(record: GroupRecord) -> int:
    """Records are compared by their text, once; states hold small numbers."""
    text = record.model_dump_json()
    if text not in KNOWN:
        KNOWN[text] = len(RECORDS)
        RECORDS.append(record)
    return KNOWN[text]


NOTHING = intern(GroupRecord.model_construct(epoch=0, generation=0, replicas=[], models={}))
"""What those know who never saw a record."""


@dataclass(frozen=True)
class Said:
    """A report as the controller can read it."""

    epoch: int
    generation: int
    model: tuple[int, str] | None = None
    absent: bool = False
    copy: int | None = None
    holds: int | None = None


@dataclass(frozen=True)
class Replica:
    """A server, its agent, and what both keep on disk."""

    server: core.State | None = None
    startup: int | None = None
    obeyed: int | None = None
    promised: int = 0
    said: Said | None = None
    aspired: frozenset[int] | None = frozenset()
    label_sent: int | None = None
    proven: frozenset[int] = frozenset()
    disproven: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()


@dataclass(frozen=True)
class World:
    """One state of everything."""

    record: int | None
    truth: int
    """The newest record ever written."""

    replicas: tuple[Replica, ...]
    asked: frozenset[str]
    known: tuple[int, int] = (0, 0)
    """The newest fence that the controller knows of."""

    aborted: frozenset[str] = frozenset()
    store: tuple[tuple[str, int], ...] = ()
    probed: int = 0
    told: tuple[tuple[str, str], ...] = ()
    """Ends that were mirrored for others to read."""

    faults: int = 0
    losses: int = 0
    failures: int = 0


@dataclass(frozen=True)
class Scenario:
    """What may happen in one search; budgets bound it."""

    releases: dict[str, Release]
    first: frozenset[str]
    """Asked for from the start; the others whenever it pleases somebody."""

    bad: dict[str, str]
    """Release -> `probe` (the probe sees it) or `server` (only the group's own servers give other answers)."""

    aborts: frozenset[str] = frozenset()
    replicas: int = 1
    clients: str = "any"
    serves: bool = True
    faults: int = 1
    losses: int = 0
    failures: int = 0
    server_outlives_agent: bool = False
    must_promote: frozenset[str] = frozenset()
    """Releases that end Promoted whatever the faults, as long as no load fails."""


class Broken(AssertionError):
    """An invariant does not hold."""


class System:
    """The transitions of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.names = [f"r{number}" for number in range(scenario.replicas)]
        self.writes: dict[tuple[int, int], int] = {}

    def initial(self) -> World:
        clients = self.scenario.clients
        if not self.scenario.serves:
            record = intern(GroupRecord(replicas=self.names, clients=clients))
            return World(record, record, tuple(Replica() for _ in self.names), self.scenario.first, known=(1, 1))
        stable = Released(number=2, digest="d2", content="c2", release="old2")
        previous = Released(number=1, digest="d1", content="c1", release="old1")
        ended = {name: Ended(state="Promoted", version=n) for n, name in ((1, "old1"), (2, "old2"))}
        part = ModelPart(generation=9, stable=stable, previous=previous, claimed=2, tombstones=[1], ended=ended)
        record = intern(GroupRecord(generation=9, replicas=self.names, clients=clients, models={M: part}))
        replica = Replica(
            server=started(2),
            startup=2,
            obeyed=record,
            said=Said(1, 9, (9, "ok")),
            aspired=frozenset({2}),
            label_sent=2,
        )
        replicas = tuple(replace(replica, proven=frozenset({2})) for _ in self.names)
        store = (("old1", 1), ("old2", 2))
        return World(record, record, replicas, self.scenario.first, known=(1, 9), store=store)

    # Who moves: (name of the move, whether it is an accident or somebody's wish rather than work, next state).

    def moves(self, world: World) -> Iterator[tuple[str, bool, World]]:
        for after in self._controller(world):
            yield "controller", False, after
        for index, replica in enumerate(world.replicas):
            for name, after in self._agent(world, replica, index):
                yield f"agent {index}: {name}", False, put(world, index, after)
            if replica.server is not None:
                for name, failed, server in self._server(world, replica.server):
                    moved = put(world, index, replace(replica, server=server))
                    yield f"server {index}: {name}", failed, replace(moved, failures=moved.failures + failed)
        yield from self._accidents(world)

    def _accidents(self, world: World) -> Iterator[tuple[str, bool, World]]:
        for release in self.scenario.releases.keys() - world.asked:
            yield f"{release} is asked for", True, replace(world, asked=world.asked | {release})
        for release in (self.scenario.aborts - world.aborted) & world.asked:
            yield f"{release} is aborted", True, replace(world, aborted=world.aborted | {release})
        if world.faults < self.scenario.faults:
            worse = replace(world, faults=world.faults + 1)
            for index, replica in enumerate(world.replicas):
                down = replace(forgetful(replica), server=None)
                if replica.server is not None:
                    yield f"server {index} dies", True, put(worse, index, down)
                if self.scenario.server_outlives_agent:
                    unsure = replace(forgetful(replica), aspired=None, label_sent=None, said=None)
                    yield f"agent {index} dies", True, put(worse, index, unsure)
            downs = tuple(replace(forgetful(replica), server=None, said=None) for replica in world.replicas)
            if not self.scenario.server_outlives_agent:
                # Whoever starts again knows what lies on disk; what nobody knows of is as if it had never been written.
                kept = [n for n in (world.record, *(r.obeyed for r in world.replicas)) if n is not None]
                truth = max(kept, key=lambda number: RECORDS[number].fence, default=NOTHING)
                killed = replace(worse, replicas=downs, probed=0, truth=truth, known=RECORDS[truth].fence)
                yield "kill -9 of all", True, killed
        if world.losses < self.scenario.losses:
            lost = replace(world, losses=world.losses + 1)
            yield "the record is deleted", True, replace(lost, record=None)
            older = self.initial().truth
            if world.record != older:
                # What nobody alive knows of has had no effect: losing it is as if it had never been written.
                unseen = max(world.known, obeyed(world)) <= RECORDS[older].fence
                truth = older if unseen else world.truth
                yield "an old record is put back", True, replace(lost, record=older, truth=truth)

    def _controller(self, world: World) -> Iterator[World]:
        reports = {n: heard(n, r.said) for n, r in zip(self.names, world.replicas, strict=True) if r.said}
        told_ends = {release: Ended.model_validate_json(end) for release, end in world.told}
        ends = {M: told_ends} if told_ends else {}
        if world.record is None:
            claimed = {M: world.store[-1][1]} if world.store else {}
            adopted = adopt(reports, self.names, ends, claimed, world.known)
            if adopted:
                yield self._write(world, adopted.model_copy(update={"clients": self.scenario.clients}))
            return
        record = RECORDS[world.record]
        if is_lost(record, reports, world.known, ends):
            yield replace(world, record=None)
            return
        part = record.models.get(M, ModelPart())
        untold = {name: end for name, end in part.ended.items() if name not in dict(world.told)}
        for name, text in world.told:
            if name in part.ended and part.ended[name].model_dump_json() != text:
                raise Broken(f"{name} ended twice: {text} and {part.ended[name]}")
        if untold:
            told = tuple(
                sorted({**dict(world.told), **{n: end.model_dump_json() for n, end in untold.items()}}.items())
            )
            yield replace(world, told=told)
            return
        if part.phase == "probe" and part.candidate and world.probed != part.candidate.number:
            yield replace(world, probed=part.candidate.number)
        decision = decide(self._view(world, record, reports, part))
        if decision.copy:
            used = [part.claimed, *part.tombstones, *(number for _, number in world.store)]
            yield replace(world, store=(*world.store, (decision.copy.name, 1 + max(used))))
        if decision.record:
            yield self._write(world, decision.record)

    def _view(self, world: World, record: GroupRecord, reports: dict[str, Report], part: ModelPart) -> View:
        releases = [release for name, release in self.scenario.releases.items() if name in world.asked]
        numbers = {name: number for name, number in world.store if number > part.claimed}
        probes = []
        if world.probed:
            name = dict((number, name) for name, number in world.store)[world.probed]
            probes = [ProbeReport(M, world.probed, self.scenario.bad.get(name) != "probe", "it is bad")]
        return View(
            record=record,
            releases=sorted(releases, key=lambda release: (release.created, release.name)),
            aborts={name: "somebody said so" for name in world.aborted},
            reports=reports,
            probes=probes,
            copies={
                name: Released(number=n, digest=f"d{n}", content=f"c-{name}", release=name)
                for name, n in numbers.items()
            },
        )

    def _write(self, world: World, record: GroupRecord) -> World:
        truth = RECORDS[world.truth]
        if record.fence <= truth.fence:
            raise Broken(f"{record.fence} written after {truth.fence}")
        part = record.models.get(M, ModelPart())
        numbers = {number: name for name, number in world.store}
        for version in (part.stable, part.previous):
            if version and numbers.get(version.number) in self.scenario.bad:
                raise Broken(f"a bad version serves: {version}")
        number = intern(record)
        return replace(world, record=number, truth=number, known=record.fence)

    def _agent(self, world: World, replica: Replica, index: int) -> Iterator[tuple[str, Replica]]:
        record = RECORDS[world.record] if world.record is not None else None
        obeyed = RECORDS[replica.obeyed] if replica.obeyed is not None else None
        stance = attitude(record, obeyed, replica.promised)
        if record is None or stance == "absent":
            epoch = max(replica.promised, obeyed.epoch + 1 if obeyed else 1)
            if epoch != replica.promised:
                yield "promises", replace(replica, promised=epoch)
                return
            said = Said(epoch, 0, None, True, replica.obeyed, replica.startup)
            if said != replica.said:
                yield "reports absent", replace(replica, said=said)
            return
        if stance == "older":
            fence = max((replica.promised, 0), obeyed.fence if obeyed else (0, 0))
            if replica.said != Said(*fence):
                yield "reports that it knows better", replace(replica, said=Said(*fence))
            return
        if replica.obeyed != world.record:
            yield "keeps the record", replace(replica, obeyed=world.record)
            return
        yield from self._acts(record, replica, index, dict((n, name) for name, n in world.store))

    def _acts(
        self, record: GroupRecord, replica: Replica, index: int, names: dict[int, str]
    ) -> Iterator[tuple[str, Replica]]:
        part = record.models.get(M)
        if part is None:
            if replica.server is None:
                yield "start", begun(replica)
            elif replica.said != Said(*record.fence):
                yield "reports", replace(replica, said=Said(*record.fence))
            return
        want = targets(part, first=index == 0)
        act = converge(want, observed(replica))
        if act.kind in {"ok", "bad"}:
            said = Said(*record.fence, (part.generation, act.kind))
            if said != replica.said:
                yield f"reports {act.kind} {act.why}", replace(replica, said=said)
        elif act.kind != "wait":
            yield f"{act.kind} {sorted(act.versions)} {act.label or ''}", self._performed(replica, act, part, names)

    def _performed(self, replica: Replica, act: Act, part: ModelPart, names: dict[int, str]) -> Replica:
        if act.kind == "write_startup":
            return replace(replica, startup=act.label)
        if act.kind == "start":
            return begun(replica)
        if act.kind == "prove":
            bad = frozenset(number for number in act.versions if names[number] in self.scenario.bad)
            return replace(replica, disproven=replica.disproven | bad, proven=replica.proven | act.versions - bad)
        assert replica.server is not None
        before = {managed.number: managed for managed in replica.server.managed if managed.aspired}
        for number in before.keys() - act.versions:
            if number not in part.tombstones and before[number].life != "error":
                raise Broken(f"{number} is dropped without a tombstone: {act}")
        labels = (("stable", act.label),) if act.label else ()
        policy = core.Policy("specific", versions=tuple(sorted(act.versions)))
        models = (core.Model(M, "/m", policy, labels=labels),) if act.versions else ()
        server, _, refusal = core.reload(replica.server, models, any_new_label=True)
        if refusal:
            raise Broken(f"refused: {refusal} after {act} at {replica}")
        removed = (replica.removed | (replica.aspired or frozenset())) - act.versions
        return replace(replica, server=server, aspired=act.versions, label_sent=act.label, removed=removed)

    def _server(self, world: World, server: core.State) -> Iterator[tuple[str, bool, core.State]]:
        polled = core.aspire(server, news(server))
        if polled != server:
            yield "polls", False, polled
        managed = core.tick(server)
        if managed != server:
            yield "manages", False, managed
            return
        action = core.next_action(server)
        if action:
            begun_state = core.begin(core.request(server, action), action)
            yield f"{action.kind}s {action.number}", False, core.end(begun_state, action)
            if action.kind == "load" and world.failures < self.scenario.failures:
                yield (
                    f"fails to load {action.number}",
                    True,
                    core.end(begun_state, action, core.UNKNOWN, "out of memory"),
                )


def news(server: core.State) -> dict[str, core.Wish]:
    """What a look at the folders changes; a wish that the manager has already would be taken over without effect."""
    waiting = dict(server.pending)
    return {
        model.name: tuple((number, "") for number in model.policy.versions)
        for model in server.source or ()
        if model.name in waiting or server.aspired(model.name) != model.policy.versions
    }


def obeyed(world: World) -> tuple[int, int]:
    return max((RECORDS[r.obeyed].fence for r in world.replicas if r.obeyed is not None), default=(0, 0))


def put(world: World, index: int, replica: Replica) -> World:
    return replace(world, replicas=(*world.replicas[:index], replica, *world.replicas[index + 1 :]))


def forgetful(replica: Replica) -> Replica:
    nothing: frozenset[int] = frozenset()
    return replace(replica, aspired=nothing, label_sent=None, proven=nothing, disproven=nothing, removed=nothing)


def started(number: int | None) -> core.State:
    """A server that has just begun to listen: what its start-up file names is loaded."""
    if number is None:
        return core.reload(core.State(), ())[0]
    model = core.Model(M, "/m", core.Policy("specific", versions=(number,)), labels=(("stable", number),))
    return core.State(
        config=(model,),
        source=(model,),
        labels=((M, "stable", number),),
        managed=(core.Managed(M, number, "ready"),),
        shown=(core.Version(M, number, "AVAILABLE"),),
    )


def begun(replica: Replica) -> Replica:
    aspired = frozenset({replica.startup}) if replica.startup else frozenset()
    return replace(forgetful(replica), server=started(replica.startup), aspired=aspired, label_sent=replica.startup)


def observed(replica: Replica) -> Observed:
    if replica.server is None:
        return Observed(listening=False, exited=True, startup=replica.startup)
    versions = {}
    for version in replica.server.of(M):
        back = version.number not in replica.server.aspired(M)
        waiting = version.gone and back and replica.aspired and version.number in replica.aspired
        # Not polled yet since it came back on the list: an END of its former life.
        versions[version.number] = Seen("START") if waiting else Seen(version.status, version.message)
    wished = dict(replica.server.pending).get(M, ())
    still = frozenset(replica.server.aspired(M)) | {number for number, _ in wished}
    return Observed(
        listening=True,
        startup=replica.startup,
        aspired=replica.aspired,
        label_config=replica.label_sent,
        versions=versions,
        label=answer(replica.server, "stable"),
        resting=replica.removed & still,
        proven=replica.proven,
        disproven={number: "other answers" for number in replica.disproven},
    )


def answer(server: core.State, label: str | None) -> int | None:
    try:
        return core.resolve(server, M, None, label)
    except core.Refusal:
        return None


def heard(name: str, said: Said) -> Report:
    models = {M: ModelReport(generation=said.model[0], state=said.model[1])} if said.model else {}
    return Report(
        replica=name,
        epoch=said.epoch,
        generation=said.generation,
        models=models,
        absent=said.absent,
        copy_of=RECORDS[said.copy] if said.copy is not None else None,
        holds={M: said.holds} if said.holds else {},
    )


def check(world: World) -> None:
    """What must hold in every state, by the newest record that was ever written."""
    record = RECORDS[world.truth]
    part = record.models.get(M, ModelPart())
    labelled, unlabelled = allowed_answers(part, record.clients)
    committed = {version.number for version in (part.stable, part.previous) if version}
    for replica in world.replicas:
        if replica.startup is not None and replica.startup not in committed:
            raise Broken(f"the start-up file names {replica.startup}, committed are {committed}")
        if replica.server is None:
            continue
        number = answer(replica.server, "stable")
        if number is not None and number not in labelled:
            raise Broken(f"stable answers {number}, allowed are {sorted(labelled)} in {part.phase}")
        first_switch = part.previous is None and part.phase == "switch"
        retried = world.failures > 0
        if number is None and part.stable and not first_switch and not retried:
            raise Broken(f"stable answers nothing in {part.phase}")
        latest = answer(replica.server, None)
        if record.clients == "any" and latest is not None and latest not in unlabelled:
            raise Broken(f"{latest} answers without a label, allowed are {sorted(unlabelled)} in {part.phase}")


def done(world: World) -> bool:
    """Nothing is left to do: every release has ended, and was told, and every agent says ok."""
    if world.record is None:
        return False
    record = RECORDS[world.record]
    part = record.models.get(M)
    if part is None or part.phase != "idle" or not world.asked <= dict(world.told).keys():
        return False
    return all(r.said == Said(*record.fence, (part.generation, "ok")) for r in world.replicas)


def explore(scenario: Scenario, limit: int = 400_000) -> dict[str, set[str]]:
    """Visit every state; release -> the states in which it can end. Broken, with the trace, when a rule does not hold."""
    system = System(scenario)
    start = system.initial()
    came: dict[World, tuple[World, str] | None] = {start: None}
    work: dict[World, list[World]] = {}
    frontier = [start]
    ends: dict[str, set[str]] = defaultdict(set)
    while frontier:
        following = []
        for world in frontier:
            try:
                check(world)
                work[world] = []
                for name, accident, after in system.moves(world):
                    if after == world:
                        continue
                    if not accident:
                        work[world].append(after)
                    if after not in came:
                        came[after] = (world, name)
                        following.append(after)
            except Broken as error:
                raise Broken(f"{error}\n{trace(came, world)}") from None
            if done(world):
                for release, text in world.told:
                    end = Ended.model_validate_json(text)
                    ends[release].add(end.state)
                    if release in scenario.must_promote and not world.failures and end.state != "Promoted":
                        raise Broken(f"{release} ended {end}\n{trace(came, world)}")
        frontier = following
        assert len(came) < limit, f"more than {limit} states"
    progress(work, came)
    print(f"{len(came)} states")
    return ends


def progress(work: dict[World, list[World]], came: dict[World, tuple[World, str] | None]) -> None:
    """From every state work alone leads to the goal, and never in a circle."""
    before: dict[World, list[World]] = defaultdict(list)
    left = {}
    for world, following in work.items():
        left[world] = len(following)
        for after in following:
            before[after].append(world)
    ready = [world for world, count in left.items() if count == 0]
    for world in ready:
        if not done(world):
            raise Broken(f"stuck\n{trace(came, world)}")
    settled = 0
    while ready:
        world = ready.pop()
        settled += 1
        for earlier in before[world]:
            left[earlier] -= 1
            if left[earlier] == 0:
                ready.append(earlier)
    if settled < len(work):
        circling = next(world for world, count in left.items() if count)
        raise Broken(f"work in a circle\n{trace(came, circling)}")


def trace(came: dict[World, tuple[World, str] | None], world: World) -> str:
    lines = [str(world), str(RECORDS[world.truth].models.get(M))]
    step = came.get(world)
    while step:
        lines.append(step[1])
        step = came[step[0]]
    return "\n".join(reversed(lines))


def release(
    name: str, second: int, champion: int | None = 2, kind: str = "release", leaves: int | None = None
) -> Release:
    return Release(
        name=name,
        kind=kind,
        model=M,
        created=f"2026-01-01T00:00:{second:02d}Z",
        artifact="/a",
        digest="d",
        content=f"c-{name}",
        champion_version=champion,
        champion_digest=f"d{champion}" if champion else None,
        leaves=leaves,
        reason="a person" if kind == "rollback" else "",
    )


def scenario(*releases: Release, later: tuple[Release, ...] = (), **rest: object) -> Scenario:
    everything = {one.name: one for one in (*releases, *later)}
    return Scenario(everything, frozenset(one.name for one in releases), rest.pop("bad", {}), **rest)  # type: ignore[arg-type]


ONE = release("one", 1)
TWO = release("two", 2)
FIRST = release("one", 1, champion=None)
LEAVES_OLD = release("back", 9, kind="rollback", leaves=2)
LEAVES_NEW = release("back", 9, kind="rollback", leaves=3)
PROMOTED, REFUSED, ROLLED_BACK, SUPERSEDED, CONFLICT = "Promoted", "Refused", "RolledBack", "Superseded", "Conflict"


@pytest.mark.parametrize("clients", ["any", "labelled"])
def test_a_good_candidate_is_promoted_whatever_dies_and_when(clients: str) -> None:
    ends = explore(scenario(ONE, clients=clients, faults=2, losses=1, must_promote=frozenset({"one"})))
    assert ends["one"] == {PROMOTED}


def test_a_first_release_is_promoted_whatever_dies_and_when() -> None:
    ends = explore(scenario(FIRST, serves=False, faults=2, losses=1, must_promote=frozenset({"one"})))
    assert ends["one"] == {PROMOTED}


def test_an_agent_that_finds_a_server_it_knows_nothing_of_tells_it_everything_anew() -> None:
    ends = explore(scenario(ONE, server_outlives_agent=True, faults=2, must_promote=frozenset({"one"})))
    assert ends["one"] == {PROMOTED}


@pytest.mark.parametrize("clients", ["any", "labelled"])
@pytest.mark.parametrize("where", ["probe", "server"])
@pytest.mark.parametrize("one", [ONE, FIRST], ids=["next", "first"])
def test_a_bad_candidate_is_refused_and_what_served_still_serves(one: Release, where: str, clients: str) -> None:
    bad = {"one": where}
    ends = explore(scenario(one, serves=one is ONE, bad=bad, clients=clients, faults=1, losses=1))
    assert ends["one"] == {REFUSED}


def test_a_load_that_fails_once_refuses_a_candidate_and_is_tried_again_for_what_is_committed() -> None:
    ends = explore(scenario(ONE, failures=1, faults=1))
    assert ends["one"] == {PROMOTED, REFUSED}


def test_an_abort_goes_back_before_the_commit_and_changes_nothing_after_it() -> None:
    ends = explore(scenario(ONE, aborts=frozenset({"one"}), faults=1, losses=1))
    assert ends["one"] == {PROMOTED, ROLLED_BACK}


def test_of_two_releases_one_wins_and_the_other_is_superseded_or_a_conflict() -> None:
    ends = explore(scenario(ONE, later=(TWO,), faults=1))
    assert ends["one"] == {PROMOTED, SUPERSEDED}
    assert ends["two"] == {PROMOTED, CONFLICT}


def test_a_rival_that_is_aborted_stops_nobody() -> None:
    ends = explore(scenario(ONE, later=(TWO,), aborts=frozenset({"two"}), faults=0))
    assert ends["two"] == {PROMOTED, CONFLICT, ROLLED_BACK}


def test_a_rollback_of_what_serves_takes_the_candidate_with_it_or_meets_another_version() -> None:
    ends = explore(scenario(ONE, later=(LEAVES_OLD,), faults=1, losses=1))
    assert ends["one"] == {PROMOTED, CONFLICT}
    assert ends["back"] == {PROMOTED, CONFLICT}


def test_a_rollback_of_the_new_version_works_before_its_commit_and_at_any_time_after() -> None:
    ends = explore(scenario(ONE, later=(LEAVES_NEW,), faults=1, losses=1))
    assert ends["one"] == {PROMOTED, ROLLED_BACK}
    assert ends["back"] == {PROMOTED, CONFLICT}


@pytest.mark.parametrize("clients", ["any", "labelled"])
def test_two_replicas_agree_on_a_good_candidate(clients: str) -> None:
    ends = explore(scenario(ONE, replicas=2, clients=clients, faults=1, must_promote=frozenset({"one"})))
    assert ends["one"] == {PROMOTED}


def test_two_replicas_go_back_together() -> None:
    ends = explore(scenario(ONE, replicas=2, later=(LEAVES_NEW,), faults=0))
    assert ends["one"] == {PROMOTED, ROLLED_BACK}
