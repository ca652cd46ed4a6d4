"""Thousands of interleavings of the core's steps: two models, folders that come and go, loads that fail, requests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ferryman.model_server import core
from ferryman.model_server.core import Action, Model, Policy, State, Version
from ferryman.model_server.discovery import choose

NAMES, NUMBERS, LABELS = ("a", "b"), (1, 2, 3), ("stable", "canary")
RETRIES = 1

numbers = st.frozensets(st.sampled_from(NUMBERS), min_size=1)
policies = st.one_of(
    st.just(Policy()),
    st.just(Policy("all")),
    numbers.map(lambda chosen: Policy("specific", versions=tuple(sorted(chosen)))),
)
labels = st.dictionaries(st.sampled_from(LABELS), st.sampled_from(NUMBERS)).map(
    lambda made: tuple(sorted(made.items()))
)
models = st.lists(
    st.tuples(st.sampled_from(NAMES), policies, labels).map(lambda of: Model(of[0], "/m", of[1], labels=of[2])),
    unique_by=lambda model: model.name,
).map(tuple)


class Server(RuleBasedStateMachine):
    """One server; actions that were begun end whenever it pleases the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = core.reload(State(), ())[0]
        self.folders: dict[str, frozenset[int]] = {name: frozenset(NUMBERS) for name in NAMES}
        self.queued: list[Action] = []
        self.running: list[Action] = []
        self.labels: tuple[tuple[str, str, int], ...] = ()
        self.users: list[tuple[str, int]] = []
        self.closed: set[tuple[str, int]] = set()
        self.failed: dict[tuple[str, int], Version] = {}

    def step(self, after: State) -> None:
        before, self.state = self.state, after
        assert hash(after) == hash(State(*after))
        # What was shown once is never forgotten, and stays in order.
        assert {version[:2] for version in before.shown} <= {version[:2] for version in after.shown}
        assert list(after.shown) == sorted(after.shown)

    # What clients and folders do

    @rule(listed=models, free=st.booleans())
    def reload(self, listed: tuple[Model, ...], free: bool) -> None:
        available = {version[:2] for version in self.state.shown if version.status == "AVAILABLE"}
        before = {entry[:2]: entry[2] for entry in self.labels}
        after, fresh, error = core.reload(self.state, listed, any_new_label=free)
        wanted = tuple(sorted((model.name, *label) for model in listed for label in model.labels))
        allowed = all(
            (name, number) in available or (free and before.get((name, label), number) == number)
            for name, label, number in wanted
        )
        assert (error is None) == allowed
        assert after.config == listed
        if allowed:
            self.labels = wanted
            names = {model.name for model in listed}
            assert fresh == names - {model.name for model in self.state.source or ()}
            assert after.source == listed
        else:
            assert after._replace(config=self.state.config) == self.state
        self.step(after)

    @rule(name=st.sampled_from(NAMES), found=st.frozensets(st.sampled_from(NUMBERS)))
    def folders_change(self, name: str, found: frozenset[int]) -> None:
        self.folders[name] = found

    @rule()
    def poll(self) -> None:
        found = {}
        for model in self.state.source or ():
            chosen = choose(model.policy, map(str, self.folders[model.name]))
            found[model.name] = tuple((number, f"/m/{name}") for number, name in chosen)
        self.step(core.aspire(self.state, found))

    @rule(name=st.sampled_from(NAMES), label=st.one_of(st.none(), st.sampled_from(LABELS)))
    def request(self, name: str, label: str | None) -> None:
        known = {entry[:2]: entry[2] for entry in self.labels}
        ready = self.state.ready(name)
        number = known.get((name, label)) if label else max(ready, default=None)
        if number in ready:
            self.users.append((name, core.resolve(self.state, name, None, label)))
            assert self.users[-1] == (name, number)
            return
        with pytest.raises(core.Refusal) as caught:
            core.resolve(self.state, name, None, label)
        assert caught.value.code == (core.INVALID_ARGUMENT if label and number is None else core.NOT_FOUND)

    @rule(listed=models)
    def reload_and_poll(self, listed: tuple[Model, ...]) -> None:
        """Chance alone seldom does one after the other."""
        self.reload(tuple(model._replace(labels=()) for model in listed), free=False)
        self.poll()

    @precondition(lambda self: self.users)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        used = self.users.pop(data.draw(st.integers(0, len(self.users) - 1)))
        assert used not in self.closed

    # What the manager and its threads do

    @rule()
    def tick(self) -> None:
        self.step(core.tick(self.state))
        self.failed = {key: end for key, end in self.failed.items() if key[1] in self.state.aspired(key[0])}
        action = core.next_action(self.state)
        if action is None:
            return
        held = self.state.held(action.model, action.number)
        assert held is not None
        if action.kind == "unload":
            self.may_unload(action)
        else:
            assert held.aspired
            assert (action.model, action.number) not in self.failed
            assert not any(self.may_be_unloaded(name) for name in NAMES)
        self.step(core.request(self.state, action))
        self.queued.append(action)

    def may_unload(self, action: Action) -> None:
        held = self.state.held(action.model, action.number)
        assert held is not None
        # A ready version that is aspired is never unloaded.
        assert not held.aspired
        ready, aspired = self.state.ready(action.model), self.state.aspired(action.model)
        # While something is aspired, no step leaves Latest without a version.
        assert len(ready) > 1 or not aspired
        stale = [number for number in ready if number not in aspired]
        assert action.number == min(stale)

    def may_be_unloaded(self, name: str) -> bool:
        ready, aspired = set(self.state.ready(name)), set(self.state.aspired(name))
        return bool(ready - aspired) and (bool(ready & aspired) or not aspired or len(ready - aspired) > 1)

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        action = self.queued.pop(data.draw(st.integers(0, len(self.queued) - 1)))
        self.step(core.begin(self.state, action))
        self.closed.discard((action.model, action.number))
        self.running.append(action)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), worked=st.booleans())
    def end(self, data: st.DataObject, worked: bool) -> None:
        action = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        key = (action.model, action.number)
        if action.kind == "unload" and key in self.users:
            # The driver waits for them.
            self.running.append(action)
            return
        held = self.state.held(*key)
        assert held is not None
        if action.kind == "load" and not worked:
            self.step(core.failed(self.state, action, core.NOT_FOUND, "broken", RETRIES))
            after = self.state.held(*key)
            assert after is not None
            if after.life == "loading":
                assert held.aspired
                assert after.tries <= RETRIES
                self.running.append(action)
            elif held.aspired:
                assert held.tries == RETRIES
                self.failed[key] = Version(*key, "END", core.NOT_FOUND, "broken")
            return
        self.step(core.end(self.state, action))
        if action.kind == "unload":
            self.closed.add(key)
        assert (key[1] in self.state.ready(key[0])) == (action.kind == "load" and held.aspired)

    @rule()
    def everything_ends(self) -> None:
        """All requests, and all loads, which work: from here other steps lead further."""
        self.users.clear()
        self.work()

    # What always holds

    @invariant()
    def labels_point_where_the_last_reload_that_worked_put_them(self) -> None:
        assert self.state.labels == self.labels

    @invariant()
    def what_failed_stays_ended_with_its_error_while_it_is_aspired(self) -> None:
        for key, end in self.failed.items():
            assert self.state.version(*key) == end

    @invariant()
    def what_is_shown_fits_what_is_held(self) -> None:
        shows = {
            "new": {"START"},
            "load requested": {"START"},
            "loading": {"LOADING"},
            "ready": {"AVAILABLE"},
            "unload requested": {"AVAILABLE"},
            "unloading": {"UNLOADING"},
            "disabled": {"END"},
            "error": {"END"},
        }
        for held in self.state.managed:
            shown = self.state.version(held.model, held.number)
            assert shown is not None
            assert shown.status in shows[held.life]

    @invariant()
    def nothing_is_shown_available_that_the_manager_does_not_hold(self) -> None:
        for shown in self.state.shown:
            if shown.status in {"LOADING", "AVAILABLE", "UNLOADING"}:
                assert self.state.held(shown.model, shown.number) is not None

    @invariant()
    def latest_is_the_highest_ready_version(self) -> None:
        for name in NAMES:
            ready = self.state.ready(name)
            if ready:
                assert core.resolve(self.state, name, None, None) == max(ready)

    def teardown(self) -> None:
        """Whatever happened, work alone leads to what the folders have, and empties a server whose list is empty."""
        self.users.clear()
        self.poll()
        wishes = dict(self.state.pending)
        self.work()
        put_off = dict(self.state.pending)
        for model in self.state.source or ():
            numbers = tuple(number for number, _ in wishes[model.name])
            aspired, ready = self.state.aspired(model.name), self.state.ready(model.name)
            if model.name in put_off:
                # The last ready version stays while its successor failed, and cannot be taken over again.
                assert set(ready) - set(aspired) & set(numbers)
                assert not set(ready) & set(aspired)
            else:
                assert aspired == numbers
                assert set(aspired) <= set(ready) | {number for name, number in self.failed if name == model.name}
        self.step(core.reload(self.state, ())[0])
        self.work()
        assert self.state.managed == ()

    def work(self) -> None:
        """Tick, and end whatever was begun, until nothing is left to do."""
        for _ in range(60):
            self.tick()
            idle = not self.queued and not self.running and core.tick(self.state) == self.state
            for begun in self.queued:
                self.step(core.begin(self.state, begun))
                self.closed.discard((begun.model, begun.number))
            self.running, self.queued = self.running + self.queued, []
            while self.running:
                self.step(core.end(self.state, self.running.pop()))
            if idle:
                return


TestServer = Server.TestCase
TestServer.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_twenty_servers_start_and_serve_in_no_time() -> None:
    listed = tuple(Model(f"m{number}", "/m", Policy("all")) for number in range(5))
    found = {model.name: ((1, "/m/1"), (2, "/m/2")) for model in listed}
    servers = [core.aspire(core.reload(State(), listed)[0], found) for _ in range(20)]
    for _ in range(10):
        for index, server in enumerate(servers):
            state = core.tick(server)
            action = core.next_action(state)
            assert action is not None
            servers[index] = core.end(core.begin(core.request(state, action), action), action)
    assert all(core.resolve(state, model.name, None, None) == 2 for state in servers for model in listed)
    assert len(set(servers)) == 1
