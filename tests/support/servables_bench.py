"""Servables of real folders whose models load at a word: threads and looks at folders, but no TensorFlow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from newcomer import eventually

from ferryman.model_server.core import NOT_FOUND, Model, Policy, Refusal
from ferryman.model_server.folders import Folders
from ferryman.model_server.servables import Servables, Settings


class Loads:
    """Loads whatever there is: `fail` counts refusals to come by folder name, `held` makes loads of a name wait."""

    def __init__(self) -> None:
        self.fail: dict[str, int] = {}
        self.held: dict[str, threading.Event] = {}
        self.attempts: list[str] = []
        self.closed: list[str] = []

    def __call__(self, folder: Path) -> Any:
        name = f"{folder.parent.name}/{folder.name}"
        self.attempts.append(name)
        if name in self.held:
            self.held[name].wait(20)
        if self.fail.get(name, 0):
            self.fail[name] -= 1
            raise Refusal(NOT_FOUND, f"{name} is broken")
        return Loaded(name, self)


class Loaded:
    """A version that knows its name and whether it was closed."""

    def __init__(self, name: str, loads: Loads) -> None:
        self.name, self.loads = name, loads

    def close(self) -> None:
        self.loads.closed.append(self.name)


class Looks(Folders):
    """Real folders; counts the looks at base paths of models."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def exists(self, path: str) -> bool:
        self.seen.append(path)
        return super().exists(path)


class Bench:
    """The servables of a folder of models."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.loads, self.folders = root, Loads(), Looks()
        chosen = Settings(**{"poll_seconds": 0.05, "load_threads": 2, "retry_seconds": 0.02, **settings})
        self.servables = Servables(chosen, self.loads, self.folders, tick=0.01)
        self.servables.start()
        # A reload waits without a limit: a test that would hang fails instead.
        self.limit = threading.Timer(60, self.servables.stop)
        self.limit.daemon = True
        self.limit.start()

    def stop(self) -> None:
        """End, and let all loads that are held go on."""
        self.limit.cancel()
        for held in self.loads.held.values():
            held.set()
        self.servables.stop()

    def model(self, name: str, *versions: int, there: bool = True) -> Model:
        if there:
            for number in versions:
                (self.root / name / str(number)).mkdir(parents=True, exist_ok=True)
        return Model(name, str(self.root / name), Policy("specific", versions=versions))

    @contextmanager
    def reloading(self, *models: Model) -> Iterator[Future[None]]:
        """A reload that runs meanwhile; a test that fails does not wait for it."""
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(self.servables.reload, models)
            except BaseException:
                self.servables.stop()
                raise

    def states(self, name: str) -> dict[int, str]:
        return {version.number: version.status for version in self.servables.state.of(name)}

    def answering(self, name: str) -> str:
        with self.servables.use(name, None, None) as (_, loaded):
            return loaded.name  # type: ignore[attr-defined,no-any-return]

    def looked(self, name: str) -> None:
        """Wait until the base path of a model was looked at twice from now on: one look may be under way."""
        path, before = str(self.root / name), self.folders.seen.count(str(self.root / name))
        eventually(lambda: self.folders.seen.count(path) >= before + 2, 15)

    def becomes(self, name: str, states: dict[int, str]) -> None:
        eventually(lambda: self.states(name) == states, 15)
