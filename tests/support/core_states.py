"""States of the model server's core, made by hand or by running its steps."""

from __future__ import annotations

from ferryman.model_server import core
from ferryman.model_server.core import Action, Managed, Model, Policy, State, Status, Version

LIVES = {"START": "new", "LOADING": "loading", "AVAILABLE": "ready", "UNLOADING": "unloading", "END": "error"}


def model(name: str = "m", versions: tuple[int, ...] = (41, 42), platform: str = "tensorflow", **labels: int) -> Model:
    return Model(name, f"/{name}", Policy("specific", versions=versions), platform, tuple(sorted(labels.items())))


def listed(*models: Model) -> State:
    """A state whose config is `models`, nothing of them loaded."""
    state, _, error = core.reload(State(), models, any_new_label=True)
    assert error is None
    return state


def with_versions(state: State, name: str = "m", /, aspired: bool = True, **statuses: Status) -> State:
    for key, value in statuses.items():
        number = int(key.removeprefix("v"))
        state = state.put(Managed(name, number, LIVES[value], aspired)).publish(Version(name, number, value))  # type: ignore[arg-type]
    return state


def wish(*numbers: int) -> core.Wish:
    return tuple((number, f"/m/{number}") for number in numbers)


def aspired(state: State, name: str = "m", /, *numbers: int) -> State:
    """A poll that found `numbers`, and the tick after it."""
    return core.tick(core.aspire(state, {name: wish(*numbers)}))


def statuses(state: State, name: str = "m") -> dict[int, str]:
    return {version.number: version.status for version in state.of(name)}


def begun(state: State, action: Action) -> State:
    return core.begin(core.request(state, action), action)


def done(state: State, action: Action, code: int = 0, message: str = "") -> State:
    return core.end(begun(state, action), action, code, message)


def run(state: State) -> tuple[State, list[str]]:
    """Tick until nothing is left to do, each action done before the next; what was done, in order."""
    log = []
    while True:
        state = core.tick(state)
        action = core.next_action(state)
        if action is None:
            return state, log
        state = done(state, action)
        log.append(
            f"{action.kind} {action.number}" if action.model == "m" else f"{action.kind} {action.model}{action.number}"
        )
