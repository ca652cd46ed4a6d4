"""The life of one version from the request to load it to its end; every step names what it publishes.

Source: `basic_manager.cc`, `loader_harness.cc`, `retrier.cc`.
"""

from __future__ import annotations

from ferryman.model_server.core.codes import CANCELLED, OK
from ferryman.model_server.core.manage import Action
from ferryman.model_server.core.state import Life, Managed, State, Status, Version

CANCELLED_TEXT = "Loading of servable cancelled"


def request(state: State, action: Action) -> State:
    """The action waits for a thread; nothing of it shows. Source: `basic_manager.cc:LoadOrUnloadServable`."""
    if action.kind == "load":
        return _lives(state, action, "new", "load requested")
    return _lives(state, action, "ready", "unload requested")


def begin(state: State, action: Action) -> State:
    """A thread has taken the action: LOADING; or UNLOADING, from when on no request reaches the version.

    Source: `basic_manager.cc:ExecuteLoad`, `ExecuteUnload`.
    """
    if action.kind == "load":
        return _shows(_lives(state, action, "load requested", "loading"), action, "LOADING")
    return _shows(_lives(state, action, "unload requested", "unloading"), action, "UNLOADING")


def unreserved(state: State, action: Action, code: int, message: str) -> State:
    """The memory of a version cannot be told, because its files cannot be read: it ends without ever being LOADING.

    Source: `basic_manager.cc:ApproveLoad`, `ReserveResources`.
    """
    text = (
        f"Error while attempting to reserve resources to load servable {{name: {action.model} version: {action.number}}}: "
        f"{message}"
    )
    return _shows(_lives(state, action, "load requested", "error"), action, "END", code, text)


def loaded(state: State, action: Action) -> State:
    """A load worked: requests may reach the version, which does not show before `announce`."""
    return _lives(state, action, "loading", "ready")


def announce(state: State, action: Action) -> State:
    """AVAILABLE, once all requests that began before the version could answer have ended."""
    held = state.held(action.model, action.number)
    return _shows(state, action, "AVAILABLE") if held and held.life == "ready" else state


def cancelled(state: State, action: Action) -> State:
    """A load worked that nobody wants any more, and was undone. Source: `loader_harness.cc:UnloadDueToCancelledLoad`."""
    state = _lives(state, action, "loading", "disabled")
    return _shows(state, action, "END", CANCELLED, CANCELLED_TEXT)


def failed(state: State, action: Action, code: int, message: str, retries: int = 0) -> State:
    """An attempt failed: it stays LOADING when it is to be tried again, else it ends with this error.

    A version that is not aspired any more is not tried again; an attempt that already waits is made nevertheless.
    Source: `retrier.cc:Retry`, `loader_harness.cc:ErrorInternal`.
    """
    held = _held(state, action, "loading")
    tries = held.tries + 1
    if tries <= retries and held.aspired:
        return state.put(held._replace(tries=tries))
    # Equal fates are equal states, however many attempts they took.
    return _shows(state.put(held._replace(life="error", tries=0)), action, "END", code, message)


def unloaded(state: State, action: Action) -> State:
    """The version is closed. Source: `basic_manager.cc:ExecuteUnload`."""
    return _shows(_lives(state, action, "unloading", "disabled"), action, "END")


def end(state: State, action: Action, code: int = OK, message: str = "") -> State:
    """The action has ended, a load with its last attempt: for those who do not look at the steps between."""
    if action.kind == "unload":
        return unloaded(state, action)
    if code != OK:
        return failed(state, action, code, message)
    if not _held(state, action, "loading").aspired:
        return cancelled(state, action)
    return announce(loaded(state, action), action)


def _held(state: State, action: Action, life: Life) -> Managed:
    held = state.held(action.model, action.number)
    if held is None or held.life != life:
        raise ValueError(f"{action} when {held}; expected {life}")
    return held


def _lives(state: State, action: Action, before: Life, after: Life) -> State:
    return state.put(_held(state, action, before)._replace(life=after, tries=0))


def _shows(state: State, action: Action, status: Status, code: int = OK, message: str = "") -> State:
    return state.publish(Version(action.model, action.number, status, code, message))
