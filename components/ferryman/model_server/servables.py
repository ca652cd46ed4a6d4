"""Drives the core: looks at folders, loads and unloads, and routes requests to what is loaded.

The locks are the real server's, because its waits show: a reload holds `_reloads` until its new models are there
(`server_core.cc:config_mu_`), a look at the folders holds `_source` (`file_system_storage_path_source.cc:mu_`), and a change
of the routes holds `managing` until all older requests have ended (`basic_manager.cc:mu_`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ferryman.model_server import core
from ferryman.model_server.core import Action, Awaited, Config, Model, Refusal, State, Unlisted
from ferryman.model_server.discovery import DiscoveryError, Listing, discover
from ferryman.model_server.loads import Fetching, Loads
from ferryman.model_server.routing import Key, Router, Use
from ferryman.model_server.runtime.servable import Servable
from ferryman.model_server.threads import LOOK, Periodic, Pool

log = logging.getLogger("ferryman.model_server")

TICK = 0.1
"""Seconds between two ticks of the manager. Source: `aspired_versions_manager.h:manage_state_interval_micros`."""


class Folders(Listing, Fetching, Protocol):
    """Where versions lie: what discovery asks, and local folders to load from."""


@dataclass(frozen=True)
class Settings:
    """How the manager works; the defaults are tensorflow_model_server's."""

    poll_seconds: float = 1.0
    """Between two looks at the folders. 0 looks once, after which no reload takes effect; negative never looks."""

    load_threads: int = 0
    """0 loads in the manager's own thread, where a failing load blocks everything else."""

    unload_threads: int = 0
    initial_load_threads: int | None = None
    """For the models of the first config; four per CPU where None."""

    max_retries: int = 5
    retry_seconds: float = 60.0
    any_new_label: bool = False
    """Whether a label that is new to the server may point at a version that is not available."""


class Servables:
    """Versions of several models; `load` and `folders` are injected, `pause` waits between attempts to load."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[Path], Servable],
        folders: Folders,
        *,
        tick: float = TICK,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.settings = settings
        self.router = Router()
        self._folders = folders
        self._state = State()
        self._awaited: Awaited | None = None
        self._step_lock, self._reloads = threading.Lock(), threading.Lock()
        self._source, self._pools = threading.Lock(), threading.Lock()
        self.managing = threading.Lock()
        self._changed = threading.Condition(self._step_lock)
        self._stopping = threading.Event()
        self._load_pool = Pool("load", settings.load_threads)
        self._unload_pool = Pool("unload", settings.unload_threads)
        self._loads = Loads(self, load, folders, pause or self._stopping.wait)
        self._manager = Periodic("manager", tick, self.tick)
        self._poller: Periodic | None = None

    @property
    def state(self) -> State:
        """The state as it stands now."""
        return self._state

    @property
    def ends(self) -> bool:
        """Whether the server is ending."""
        return self._stopping.is_set()

    def use(self, name: str, number: int | None, label: str | None) -> Use:
        """The version that a request goes to: entered, (its number, itself); it is not closed before it is left.

        Raises:
            Refusal: on entering, as `core.resolve` answers.
        """
        return self.router.use(name, number, label)

    def start(self) -> None:
        """Begin to manage; looks at the folders begin with the first reload."""
        self._manager.start()

    def stop(self) -> None:
        """End; loads that run are left to end with the process."""
        self._stopping.set()
        self._manager.stop()
        if self._poller:
            self._poller.stop()
        with self._changed:
            self._changed.notify_all()

    def reload(self, config: Config) -> None:
        """Replace the whole config and wait, without a limit, for the models that are new to the source.

        One call at a time. The first config that lists models loads them with more threads and waits for all of them.
        Source: `server_core.cc:ReloadConfig`.

        Raises:
            Refusal: with the real server's code and text; part of the config may then have been applied.
        """
        with self._reloads:
            core.check_transition(self._state.config, config)
            if isinstance(config, Unlisted):
                log.info("Taking no action for empty config.")
                return
            self._adopt(config)
            if self._state.source is None:
                self._connect(config)
            else:
                self._change(config)
            core.check_logging(config)

    def step(self, change: Callable[[State], State]) -> State:
        """One step of the core; what waits for events hears of it."""
        with self._changed:
            before, self._state = self._state, change(self._state)
            if self._state.shown is not before.shown and self._awaited:
                self._awaited = self._awaited.hear(before, self._state)
            self._changed.notify_all()
            return self._state

    def tick(self) -> None:
        """One tick of the manager: forget, take over wishes, begin one action over all models."""
        with self.managing:
            action = core.next_action(self.step(core.tick))
            if action:
                self.step(lambda state: core.request(state, action))
        if action:
            self._submit(action)

    def poll(self) -> None:
        """Look at all base paths; the first that is missing stops it for all models."""
        with self._source:
            models = self._state.source
            if models is None:
                return
            try:
                found = discover(models, self._folders)
            except DiscoveryError as error:
                log.error("FileSystemStoragePathSource encountered a filesystem access error: %s", error)
                return
            self.step(lambda state: core.aspire(state, found))

    def route(self) -> bool:
        """Route requests by the versions that are ready, and wait for the requests of before; False at the end."""
        state = self._state
        ready = [m for m in state.managed if m.life == "ready"]
        served: dict[Key, tuple[int, Servable]] = {}
        for managed in ready:
            served[managed.model, managed.number] = (
                managed.number,
                self._loads.servables[managed.model, managed.number],
            )
            # They are sorted: the highest of a model comes last.
            served[managed.model, None] = served[managed.model, managed.number]
        return self.router.swap(served, self._stopping.is_set)

    def _submit(self, action: Action) -> None:
        if action.kind == "unload":
            self._unload_pool.submit(lambda: self._loads.unload(action))
            return
        with self._pools:
            self._load_pool.submit(lambda: self._loads.load(action))

    def _adopt(self, models: tuple[Model, ...]) -> None:
        with self._changed:
            self._state, error = core.adopt(self._state, models, any_new_label=self.settings.any_new_label)
            labels = self._state.labels
            self.router.labels = None if labels is None else {(name, label): to for name, label, to in labels}
        if error:
            raise error

    def _change(self, models: tuple[Model, ...]) -> None:
        """Source: `server_core.cc:AddModelsViaModelConfigList`."""
        fresh = core.replace_source(self._state, models)[1]
        with self._changed:
            # A monitor of its own: what a version was before the call counts for nothing.
            self._awaited = Awaited(fresh)
        with self._source:
            self.step(lambda state: core.replace_source(state, models)[0])
        self._await("model")

    def _connect(self, models: tuple[Model, ...]) -> None:
        """Source: `load_servables_fast.cc:ConnectSourcesWithFastInitialLoad`."""
        initial = self.settings.initial_load_threads
        self._resize(4 * (os.cpu_count() or 1) if initial is None else initial)
        with self._changed:
            self._awaited = Awaited(frozenset(model.name for model in models), self._state.shown)
            self._state = core.replace_source(self._state, models)[0]
        self._look()
        try:
            self._await("servable")
        except Refusal:
            if self._poller:
                self._poller.stop()
            self.step(core.drop_source)
            raise
        finally:
            self._resize(self.settings.load_threads)

    def _look(self) -> None:
        """Begin to look at the folders. Source: `file_system_storage_path_source.cc:SetAspiredVersionsCallback`."""
        seconds = self.settings.poll_seconds
        if seconds > 0:
            self._poller = Periodic("poll", seconds, self.poll)
            self._poller.start()
        elif seconds == 0:
            threading.Thread(target=self.poll, name="poll", daemon=True).start()

    def _await(self, noun: str) -> None:
        with self._changed:
            while self._awaited and (reached := self._awaited.reached()) is None and not self.ends:
                self._changed.wait(LOOK)
            self._awaited = None
            if self.ends:
                raise Refusal(core.UNAVAILABLE, "The server ends; the config was taken over, its models did not load.")
        error = core.unavailable(reached or (), noun)
        if error:
            raise error

    def _resize(self, threads: int) -> None:
        """Go on with another number of threads once all loads that were begun have ended, retries included.

        Source: `basic_manager.cc:SetNumLoadThreads`.
        """
        with self._pools:
            self._load_pool.join(self._stopping.is_set)
            self._load_pool = Pool("load", threads)
