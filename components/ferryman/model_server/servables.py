"""Drives the core: polls folders, loads and unloads in threads, and holds what answers requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ferryman.model_server import core
from ferryman.model_server.core import Action, Model, Refusal, State
from ferryman.model_server.runtime.servable import Servable

log = logging.getLogger("ferryman.model_server")

TICK = 0.1
"""Seconds between two looks at the state; the real manager's interval."""


@dataclass(frozen=True)
class Settings:
    """How the manager loads; the defaults are tensorflow_model_server's."""

    poll_seconds: float = 1.0
    """Between two polls of the file system; 0 polls once, negative never."""

    load_threads: int = 0
    """0 loads in the manager's own thread, where a failing load blocks everything else."""

    max_retries: int = 5
    retry_seconds: float = 60.0
    any_new_label: bool = False
    """Whether a label that is new to the server may point at a version that is not available."""


class Servables:
    """Versions of several models behind one lock; `load` and `listing` are injected."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[Path], Servable],
        listing: Callable[[str], list[int] | None],
        folder: Callable[[str, int], Path],
    ) -> None:
        self.settings = settings
        self._load, self._listing, self._folder = load, listing, folder
        self._state = State()
        self._loaded: dict[tuple[str, int], Servable] = {}
        self._users: dict[tuple[str, int], int] = {}
        self._changed = threading.Condition()
        self._reloads = threading.Lock()
        self._stopping = threading.Event()
        self._workers = ThreadPoolExecutor(max(1, settings.load_threads), thread_name_prefix="load")
        self._polled_at = float("-inf")
        self._thread = threading.Thread(target=self._work, name="manager", daemon=True)

    @property
    def state(self) -> State:
        """The state as it stands now."""
        return self._state

    def start(self) -> None:
        """Begin to poll and to load."""
        self._thread.start()

    def stop(self) -> None:
        """End; loads that run are left to end with the process."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def reload(self, models: tuple[Model, ...]) -> None:
        """Replace the config and wait until every model whose name is new has a ready version or none that can be.

        One call at a time, without a limit: as the real server, which holds its mutex while it waits.

        Raises:
            Refusal: with the real server's code and text; part of the config may then have been applied.
        """
        with self._reloads:
            with self._changed:
                self._state, fresh, error = core.reload(self._state, models, any_new_label=self.settings.any_new_label)
                if error:
                    raise error
                self._polled_at = float("-inf")
                self._changed.notify_all()
                while not core.settled(self._state, fresh) and not self._stopping.is_set():
                    self._changed.wait(1.0)
                failed = core.failures(self._state, fresh)
            if failed:
                listed = "".join(f"{{{text}}}, " for text in failed)
                raise Refusal(core.UNKNOWN, f"{len(failed)} model(s) did not become available: {{{listed}}}")

    @contextmanager
    def use(self, name: str, number: int | None, label: str | None) -> Iterator[tuple[int, Servable]]:
        """The version that a request goes to; it is not unloaded before the request ends."""
        with self._changed:
            version = core.resolve(self._state, name, number, label)
            key = (name, version)
            self._users[key] = self._users.get(key, 0) + 1
            loaded = self._loaded[key]
        try:
            yield version, loaded
        finally:
            with self._changed:
                self._users[key] -= 1
                self._changed.notify_all()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._poll()
            for action in self._begin():
                if action.kind == "load" and self.settings.load_threads == 0:
                    self._perform(action)
                else:
                    self._workers.submit(self._perform, action)
            with self._changed:
                self._changed.wait(TICK)

    def _poll(self) -> None:
        """Look at all base paths; the first that is missing stops the discovery for all, as in the real server."""
        now, pause = time.monotonic(), self.settings.poll_seconds
        if pause < 0 or (pause == 0 and self._polled_at > 0) or now - self._polled_at < pause:
            return
        models = self._state.models
        found: dict[str, list[int]] = {}
        for model in models:
            versions = self._listing(model.base_path)
            if versions is None:
                log.warning("Could not find base path %s for servable %s", model.base_path, model.name)
                self._polled_at = now
                return
            found[model.name] = versions
        with self._changed:
            if self._state.models == models:
                self._polled_at = now
                self._state = core.aspire(self._state, found)
                self._changed.notify_all()

    def _begin(self) -> tuple[Action, ...]:
        with self._changed:
            actions = tuple(action for action in core.next_actions(self._state) if not self._busy(action))
            for action in actions:
                self._state = core.begin(self._state, action)
            self._changed.notify_all()
        return actions

    def _busy(self, action: Action) -> bool:
        return any(v.status in {"UNLOADING"} and v.number == action.number for v in self._state.of(action.model))

    def _perform(self, action: Action) -> None:
        if action.kind == "load":
            self._perform_load(action)
        else:
            self._perform_unload(action)

    def _perform_load(self, action: Action) -> None:
        code, text, loaded = core.OK, "", None
        for attempt in range(1 + self.settings.max_retries):
            if attempt:
                self._stopping.wait(self.settings.retry_seconds)
            if self._unwanted(action):
                code, text = core.CANCELLED, "Loading of servable cancelled"
                break
            try:
                loaded = self._load(self._where(action))
                code, text = core.OK, ""
                break
            except Refusal as error:
                code, text = error.code, error.text
            except Exception as error:  # whatever a model file does to TensorFlow must not end the server
                code, text = core.UNKNOWN, f"{type(error).__name__}: {' '.join(str(error).split())[:1000]}"
            log.error("Loading %s version %d failed: %s", action.model, action.number, text)
        with self._changed:
            if loaded is not None:
                self._loaded[action.model, action.number] = loaded
            self._state = core.end(self._state, action, code, text)
            self._changed.notify_all()
        if loaded is not None:
            log.info("Loaded %s version %d", action.model, action.number)

    def _perform_unload(self, action: Action) -> None:
        key = (action.model, action.number)
        with self._changed:
            # Requests that came before the unload keep the version until they end.
            while self._users.get(key, 0) and not self._stopping.is_set():
                self._changed.wait(1.0)
            loaded = self._loaded.pop(key, None)
        if loaded is not None:
            loaded.close()
        with self._changed:
            self._state = core.end(self._state, action)
            self._changed.notify_all()
        log.info("Unloaded %s version %d", action.model, action.number)

    def _where(self, action: Action) -> Path:
        model = next((model for model in self._state.models if model.name == action.model), None)
        if model is None:
            raise Refusal(core.CANCELLED, "Loading of servable cancelled")
        return self._folder(model.base_path, action.number)

    def _unwanted(self, action: Action) -> bool:
        version = self._state.version(action.model, action.number)
        return self._stopping.is_set() or version is None or not version.aspired
