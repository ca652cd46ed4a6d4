"""The server's versions, labels and policies as a pure state machine: no threads, no clock, no files.

The state is a small immutable value; what may happen are functions from state to state, chosen by the driver (or by a
test). `tensorflow_serving/...` names the source (2.20) that each of them follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION = 0, 1, 2, 3, 5, 9

NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""gRPC's names of the codes from 0 on."""


class Refusal(Exception):
    """An error as the server answers it: a gRPC status code and its text."""

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


@dataclass(frozen=True, order=True)
class Policy:
    """Which of the versions found in a folder are wanted."""

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: tuple[int, ...] = ()

    def choose(self, found: Iterable[int]) -> tuple[int, ...]:
        """The wanted versions among those found, ascending."""
        numbers = sorted(set(found))
        if self.kind == "all":
            return tuple(numbers)
        if self.kind == "specific":
            return tuple(number for number in numbers if number in self.versions)
        return tuple(numbers[-self.count :])


@dataclass(frozen=True)
class Model:
    """One model of the server's config."""

    name: str
    base_path: str
    policy: Policy = Policy()
    platform: str = "tensorflow"
    labels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Version:
    """One version that the server has heard of; ended ones stay listed for ever."""

    model: str
    number: int
    status: Status = "START"
    aspired: bool = True
    code: int = OK
    message: str = ""

    @property
    def gone(self) -> bool:
        """Whether it ended; it can then come back only as a new wish."""
        return self.status == "END"


@dataclass(frozen=True)
class State:
    """All that the server knows; hashable and cheap to copy."""

    models: tuple[Model, ...] = ()
    versions: tuple[Version, ...] = ()
    labels: tuple[tuple[str, str, int], ...] = ()

    def version(self, model: str, number: int) -> Version | None:
        """A version by name and number."""
        return next((v for v in self.versions if (v.model, v.number) == (model, number)), None)

    def of(self, model: str) -> tuple[Version, ...]:
        """All versions of a model, ascending."""
        return tuple(v for v in self.versions if v.model == model)

    def put(self, changed: Version) -> State:
        """The state with one version new or changed."""
        others = [v for v in self.versions if (v.model, v.number) != (changed.model, changed.number)]
        return replace(self, versions=tuple(sorted([*others, changed], key=lambda v: (v.model, v.number))))


def check_config(state: State, models: tuple[Model, ...]) -> None:
    """Refuse a config list before anything changes (`server_core.cc:ValidateModelConfigList`, `...NoModelPlatformChange`)."""
    seen: set[str] = set()
    before = {model.name: model for model in state.models}
    for model in models:
        if model.name in seen:
            raise Refusal(INVALID_ARGUMENT, f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
        if not (model.base_path.startswith("/") or "://" in model.base_path):
            raise Refusal(
                INVALID_ARGUMENT,
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}",
            )
        old = before.get(model.name)
        if old and old.platform and model.platform and old.platform != model.platform:
            raise Refusal(
                INVALID_ARGUMENT,
                f"Illegal to change a model's platform. For model {model.name} platform was {old.platform} "
                f"and new platform requested is {model.platform}",
            )


def reload(
    state: State, models: tuple[Model, ...], *, any_new_label: bool = False
) -> tuple[State, frozenset[str], Refusal | None]:
    """Replace the whole config: (state, names that are new and must be waited for, error).

    The order is the real server's, so a failed call may have applied half: the new config is kept even when labels
    are refused; labels are checked and swapped as a whole before any version changes
    (`server_core.cc:ReloadConfig`, `UpdateModelVersionLabelMap`).
    """
    try:
        check_config(state, models)
    except Refusal as error:
        return state, frozenset(), error
    known = {model.name for model in state.models}
    try:
        labels = _checked_labels(state, models, any_new_label)
    except Refusal as error:
        # Kept for comparisons of later calls only: the source of versions has not changed.
        return state, frozenset(), error
    state = replace(state, labels=labels)
    for model in models:
        if model.platform != "tensorflow":
            text = (
                f"Model {model.name} requests unsupported platform {model.platform}"
                if model.platform
                else f"Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                f"ModelServerConfig::model_platform, model name is {model.name}"
            )
            return state, frozenset(), Refusal(INVALID_ARGUMENT, text)
    wanted = {model.name for model in models}
    for version in state.versions:
        if version.model not in wanted and version.aspired:
            state = state.put(_unaspired(version))
    return replace(state, models=models), frozenset(wanted - known), None


def _checked_labels(state: State, models: tuple[Model, ...], any_new_label: bool) -> tuple[tuple[str, str, int], ...]:
    existing = {(model, label): number for model, label, number in state.labels}
    labels = []
    for model in models:
        for label, number in model.labels:
            version = state.version(model.name, number)
            ready = version is not None and version.status == "AVAILABLE"
            new = (model.name, label) not in existing
            if not ready and not (any_new_label and new) and existing.get((model.name, label)) != number:
                raise Refusal(
                    FAILED_PRECONDITION,
                    f"Request to assign label to version {number} of model {model.name}, "
                    "which is not currently available for inference",
                )
            labels.append((model.name, label, number))
    return tuple(sorted(labels))


def aspire(state: State, found: Mapping[str, Iterable[int]]) -> State:
    """Take over one poll of the file system: model -> versions found in its folder.

    A version that is wanted and was never known, or had ended after it was no longer wanted, starts; one that ended
    while wanted stays ended (`aspired_versions_manager.cc`: a failed version is not retried while it is aspired).
    """
    for model in state.models:
        if model.name not in found:
            continue
        wanted = set(model.policy.choose(found[model.name]))
        for version in state.of(model.name):
            if version.aspired and version.number not in wanted:
                state = state.put(_unaspired(version))
        for number in sorted(wanted):
            known = state.version(model.name, number)
            if known is None or (known.gone and not known.aspired):
                state = state.put(Version(model.name, number))
            elif not known.aspired and known.status in {"START", "AVAILABLE"}:
                state = state.put(replace(known, aspired=True))
    return state


def _unaspired(version: Version) -> Version:
    if version.status == "START":
        return replace(version, aspired=False, status="END")
    return replace(version, aspired=False)


@dataclass(frozen=True)
class Action:
    """What the manager does next."""

    kind: Literal["load", "unload"]
    model: str
    number: int


def next_actions(state: State) -> tuple[Action, ...]:
    """What may be done now: at most one action per model, chosen so that a ready version stays ready.

    (`availability_preserving_policy.cc`: an un-aspired ready version goes when an aspired one is ready, when nothing
    is aspired, or when more than one un-aspired is ready, lowest first; then the highest aspired new one loads.)
    """
    actions = []
    for name in sorted({version.model for version in state.versions}):
        action = _next(state.of(name))
        if action:
            actions.append(action)
    return tuple(actions)


def _next(versions: tuple[Version, ...]) -> Action | None:
    # One that failed still counts as aspired, so the last ready version outlives a bad successor.
    aspired = [v for v in versions if v.aspired]
    stale = [v for v in versions if not v.aspired and v.status == "AVAILABLE"]
    ready = any(v.status == "AVAILABLE" for v in aspired)
    if stale and (ready or not aspired or len(stale) > 1):
        return Action("unload", stale[0].model, stale[0].number)
    fresh = [v for v in aspired if v.status == "START"]
    return Action("load", fresh[-1].model, fresh[-1].number) if fresh else None


def begin(state: State, action: Action) -> State:
    """The action has started."""
    version = _known(state, action)
    return state.put(replace(version, status="LOADING" if action.kind == "load" else "UNLOADING"))


def end(state: State, action: Action, code: int = OK, message: str = "") -> State:
    """The action has ended; a load that failed, or that nobody wants any more, is END."""
    version = _known(state, action)
    if action.kind == "unload":
        # Wanted again while it was going: a new wish starts a new life.
        return state.put(replace(version, status="START" if version.aspired else "END", code=OK, message=""))
    if code != OK:
        return state.put(replace(version, status="END", code=code, message=message))
    return state.put(replace(version, status="AVAILABLE"))


def _known(state: State, action: Action) -> Version:
    version = state.version(action.model, action.number)
    if version is None:
        raise KeyError(action)
    return version


def settled(state: State, names: Iterable[str]) -> bool:
    """Whether each model has a version that is ready, or only ended ones (`servable_state_monitor.cc`)."""
    return all(any(v.status in {"AVAILABLE", "END"} for v in state.of(name)) for name in names)


def failures(state: State, names: Iterable[str]) -> list[str]:
    """Of models without any ready version: what became of them, in the server's words."""
    texts = []
    for name in sorted(names):
        versions = state.of(name)
        if not any(v.status == "AVAILABLE" for v in versions):
            for version in versions:
                if version.code != OK:
                    cause = f"{NAMES[version.code]}: {version.message}"
                    texts.append(f"{{name: {name} version: {version.number}}} due to error: {cause}")
    return texts


def resolve(state: State, name: str, number: int | None, label: str | None) -> int:
    """The version that a request goes to: the one named, the label's, or the highest that is ready.

    Raises:
        Refusal: as `server_core.cc:ServableRequestFromModelSpec` and `basic_manager.cc` answer.
    """
    if not name:
        raise Refusal(INVALID_ARGUMENT, "ModelSpec has no name specified.")
    if label is not None:
        known = {entry: version for model, entry, version in state.labels if model == name}
        if label not in known:
            raise Refusal(INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        number = known[label]
    ready = [version.number for version in state.of(name) if version.status == "AVAILABLE"]
    if number is None:
        if not ready:
            raise Refusal(NOT_FOUND, f"Servable not found for request: Latest({name})")
        return ready[-1]
    if number not in ready:
        raise Refusal(NOT_FOUND, f"Servable not found for request: Specific({name}, {number})")
    return number


def status(state: State, name: str, number: int | None) -> tuple[Version, ...]:
    """The versions that GetModelStatus lists (`get_model_status_impl.cc`); Refusal when there are none."""
    versions = state.of(name)
    if number is not None:
        versions = tuple(version for version in versions if version.number == number)
        if not versions:
            raise Refusal(NOT_FOUND, f"Could not find version {number} of model {name}")
    if not versions:
        raise Refusal(NOT_FOUND, f"Could not find any versions of model {name}")
    return versions
