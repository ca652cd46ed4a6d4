"""Loads and unloads one version, step by step as the core names them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ferryman.model_server import core
from ferryman.model_server.core import Action, Refusal, State
from ferryman.model_server.file_errors import refused
from ferryman.model_server.runtime.servable import Servable

log = logging.getLogger("ferryman.model_server")


class Fetching(Protocol):
    """Local folders of versions."""

    def fetch(self, path: str) -> Path:
        """A local folder with the files of a version; OSError or Refusal when it cannot be had."""

    def walk(self, path: str) -> None:
        """Nothing; OSError when one of the folders of a version cannot be listed."""

    def release(self, folder: Path) -> None:
        """A folder from `fetch` that nobody needs any more."""


class Host(Protocol):
    """The state that loads change."""

    @property
    def settings(self) -> Settings: ...
    @property
    def state(self) -> State: ...
    @property
    def ends(self) -> bool: ...
    def step(self, change: Callable[[State], State]) -> State: ...

    managing: threading.Lock

    def route(self) -> bool: ...


class Settings(Protocol):
    """How often a load is tried."""

    @property
    def max_retries(self) -> int: ...
    @property
    def retry_seconds(self) -> float: ...


class Loads:
    """What is loaded, and the folder that each came from."""

    def __init__(
        self, host: Host, load: Callable[[Path], Servable], folders: Fetching, pause: Callable[[float], object]
    ) -> None:
        self.servables: dict[tuple[str, int], Servable] = {}
        self._places: dict[tuple[str, int], Path] = {}
        self._host, self._load, self._folders, self._pause = host, load, folders, pause

    def load(self, action: Action) -> None:
        """Load a version, trying as often as the settings say. Source: `basic_manager.cc:ExecuteLoad`."""
        if not self._reserve(action):
            return
        self._host.step(lambda state: core.begin(state, action))
        # TensorFlow takes seconds, of which the first model's are the longest.
        log.info("Loading servable version {name: %(model)s version: %(version)d}", _named(action))
        if not self._attempts(action):
            return
        held = self._host.state.held(action.model, action.number)
        if held and not held.aspired:
            self._close(action)
            self._host.step(lambda state: core.cancelled(state, action))
            return
        self._host.step(lambda state: core.loaded(state, action))
        with self._host.managing:
            self._host.route()
        self._host.step(lambda state: core.announce(state, action))
        log.info("Successfully loaded servable version {name: %(model)s version: %(version)d}", _named(action))

    def unload(self, action: Action) -> None:
        """Unload a version once all requests have ended that could use it. Source: `basic_manager.cc:ExecuteUnload`."""
        with self._host.managing:
            self._host.step(lambda state: core.begin(state, action))
            if not self._host.route():
                return
        self._close(action)
        self._host.step(lambda state: core.unloaded(state, action))
        log.info("Done unloading servable version {name: %(model)s version: %(version)d}", _named(action))

    def _reserve(self, action: Action) -> bool:
        """Whether the files of a version can be looked through; until then or the last retry the manager stands still.

        Source: `basic_manager.cc:ReserveResources`, `util.cc:GetModelDiskSize`.
        """
        path, retries = self._path(action), self._host.settings.max_retries
        with self._host.managing:
            for left in reversed(range(retries + 1)):
                try:
                    self._folders.walk(path)
                    return True
                except OSError as error:
                    failure = refused(error)
                log.error(
                    "Reserving resources for servable: {name: %s version: %d} failed: %s", *action[1:], failure.text
                )
                if left:
                    self._pause(self._host.settings.retry_seconds)
                if self._host.ends:
                    return False
            self._host.step(lambda state: core.unreserved(state, action, failure.code, failure.text))
        return False

    def _path(self, action: Action) -> str:
        held = self._host.state.held(action.model, action.number)
        return held.path if held else ""

    def _attempts(self, action: Action) -> bool:
        """Whether an attempt worked. Source: `retrier.cc:Retry`."""
        path, retries = self._path(action), self._host.settings.max_retries
        while True:
            failure = self._attempt(action, path)
            if failure is None:
                return True
            code, text = failure
            log.error(
                "Loading servable: {name: %(model)s version: %(version)d} failed: %(error)s",
                {**_named(action), "error": text},
            )
            state = self._host.step(lambda state: core.failed(state, action, code, text, retries))  # noqa: B023
            held = state.held(action.model, action.number)
            if held is None or held.life != "loading":
                return False
            self._pause(self._host.settings.retry_seconds)
            if self._host.ends:
                return False
            log.info("Retrying of loading {name: %(model)s version: %(version)d}", _named(action))

    def _attempt(self, action: Action, path: str) -> tuple[int, str] | None:
        """None when it worked, else code and text."""
        folder = None
        try:
            folder = self._folders.fetch(path)
            self.servables[action.model, action.number] = self._load(folder)
        except Refusal as error:
            failure = error.code, error.text
        except OSError as error:
            found = refused(error)
            failure = found.code, found.text
        except Exception as error:  # whatever a model file does to TensorFlow must not end the server
            failure = core.UNKNOWN, f"{type(error).__name__}: {' '.join(str(error).split())[:1000]}"
        else:
            self._places[action.model, action.number] = folder
            return None
        if folder:
            self._folders.release(folder)
        return failure

    def _close(self, action: Action) -> None:
        key = (action.model, action.number)
        try:
            self.servables.pop(key).close()
        except Exception:
            log.exception("{name: %s version: %d} could not be closed", *key)
        self._folders.release(self._places.pop(key))


def _named(action: Action) -> dict[str, str | int]:
    return {"model": action.model, "version": action.number}
