"""A reload in the real server's order: a call that fails may have applied half.

Source: `server_core.cc:ReloadConfig`.
"""

from __future__ import annotations

from ferryman.model_server.core.codes import FAILED_PRECONDITION, Refusal
from ferryman.model_server.core.config import Model, check_list, check_platforms, check_routes
from ferryman.model_server.core.state import State

Labels = tuple[tuple[str, str, int], ...]


def reload(
    state: State, models: tuple[Model, ...], *, any_new_label: bool = False
) -> tuple[State, frozenset[str], Refusal | None]:
    """Replace the whole config: (state, names that are new and must be waited for, error)."""
    state, error = adopt(state, models, any_new_label=any_new_label)
    if error:
        return state, frozenset(), error
    return *replace_source(state, models), None


def adopt(
    state: State, models: tuple[Model, ...], *, any_new_label: bool = False
) -> tuple[State, Refusal | None]:  # fmt: skip
    """Check and keep a list, then check and swap all labels, then check the platforms: (state, error).

    The list is kept whatever the labels say, and the labels stay moved whatever the platforms say.
    """
    try:
        check_list(models)
        check_platforms(state.config or (), models)
        state = state._replace(config=models)
        state = state._replace(labels=_labels(state, models, any_new_label))
        check_routes(models)
    except Refusal as error:
        return state, error
    return state, None


def replace_source(state: State, models: tuple[Model, ...]) -> tuple[State, frozenset[str]]:
    """Look for `models` from now on and aspire nothing of those left out: (state, names that are new).

    Source: `file_system_storage_path_source.cc:UpdateConfig`, `server_core.cc:NewModelNamesInSourceConfig`.
    """
    before, after = ({model.name for model in listed or ()} for listed in (state.source, models))
    pending = dict(state.pending) | {name: () for name in before - after}
    state = state._replace(source=models, pending=tuple(sorted(pending.items())))
    return state, frozenset(after - before)


def drop_source(state: State) -> State:
    """The state after a first config whose models did not load: what was loaded stays, and nothing looks any more.

    Source: `server_core.cc:AddModelsViaModelConfigList`, which keeps the source only of a first config that worked.
    """
    return state._replace(source=None)


def _labels(state: State, models: tuple[Model, ...], any_new_label: bool) -> Labels:
    """The new label map; Refusal when one may not point where it should.

    Source: `server_core.cc:UpdateModelVersionLabelMap`. Without the flag even a label that stays where it is needs an
    available version.
    """
    existing = {(model, label): number for model, label, number in state.labels or ()}
    labels = []
    for model in models:
        for label, number in model.labels:
            free = any_new_label and existing.get((model.name, label), number) == number
            version = state.version(model.name, number)
            if not free and (version is None or version.status != "AVAILABLE"):
                raise Refusal(
                    FAILED_PRECONDITION,
                    f"Request to assign label to version {number} of model {model.name}, "
                    "which is not currently available for inference",
                )
            labels.append((model.name, label, number))
    return tuple(sorted(labels))
