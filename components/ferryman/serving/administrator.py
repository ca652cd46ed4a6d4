"""The one administrator of a server process: starts it, tells it what to hold, and knows what it was told and proved.

What is known of a server process is forgotten with it. Nothing here decides: acts come from `converge`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ferryman.process import last_line
from ferryman.serving.client import ServerAwayError, ServingClient, ServingError
from ferryman.serving.config import ModelConfig
from ferryman.serving.converge import Act, Observed, Seen
from ferryman.serving.proof import golden_difference
from ferryman.serving.server import ServerProcess, free_ports, launch, server_kind
from ferryman.serving.startup import FILE, STABLE, model_config, read_startup, write_startup

RELOAD_LIMIT = 300.0
"""Seconds for one reload call: the first version of a new model loads inside it, and a large one takes a minute."""

FORGET = 1.5
"""Seconds that a failed version stays off the list: the server polls once a second and forgets at the next poll."""

LONGEST_PAUSE = 15.0
"""Seconds at most between two starts of a server that keeps ending; the first restart is immediate."""


@dataclass
class Knowledge:
    """What is known of one server process."""

    sent: dict[str, ModelConfig] = field(default_factory=dict)
    """The list that it holds."""

    proven: set[tuple[str, int]] = field(default_factory=set)
    disproven: dict[tuple[str, int], str] = field(default_factory=dict)
    removed: dict[tuple[str, int], float] = field(default_factory=dict)
    """When a version was taken off the list, monotonic seconds."""

    retried: dict[tuple[str, int], float] = field(default_factory=dict)
    """When a version that had ended came back on the list; until it moves, its END is the old one."""

    ended: set[tuple[str, int]] = field(default_factory=set)
    listened: bool = False


class Administrator:
    """Of the server that lies in `place`, for the group in `group`; of its ports (gRPC, REST) 0 takes a free one."""

    def __init__(self, group: Path, place: Path, host: str, ports: tuple[int, int]) -> None:
        self.place = place
        self.server: ServerProcess | None = None
        self._group, self._host, self._ports = group, host, ports
        self._known = Knowledge()
        self._client: ServingClient | None = None
        self._noticed = True
        self._bad_starts = 0
        self._not_before = 0.0
        self._losses: dict[tuple[str, int], int] = {}
        self.harmful: dict[tuple[str, int], str] = {}
        """Versions that ended the server or hung it, and how: not to be loaded again before they are committed."""

    @property
    def startup(self) -> dict[str, int]:
        """Model -> the version that the start-up file names."""
        return read_startup(self.place / FILE, self._group) or {}

    def exited(self) -> bool:
        """Whether no server process runs; a new end is taken note of."""
        if self.server is None:
            return True
        if self.server.process.poll() is None:
            return False
        if not self._noticed:
            self._noticed = True
            self._note_end(self.server)
        return True

    def up(self) -> bool:
        """Whether the server runs and listens."""
        if self.exited() or self.server is None:
            return False
        if not self._known.listened:
            self._known.listened = self.server.listens()
            if self._known.listened:
                self._bad_starts = 0
        return self._known.listened

    def listening_server(self) -> ServerProcess | None:
        """The server while it listens, as this administrator last saw it; for other threads to ask."""
        server = self.server
        return server if server and self._known.listened and server.process.poll() is None else None

    def start(self) -> str:
        """Start the server from its start-up file; why not yet, when it ended too often."""
        if time.monotonic() < self._not_before:
            return f"the server ended {self._bad_starts} times: {self.last_words()}"
        self.forget()
        path = self.place / FILE
        if read_startup(path, self._group) is None:
            write_startup(path, self._group, {})
        if self._bad_starts and self.startup:
            # One model that cannot load ends the whole server; from an empty list each tells its own trouble.
            path = self.place / "bare.config"
            write_startup(path, self._group, {})
        self._noticed = False
        # Free ports are looked for at each start: who had none of their own may find the last ones taken.
        ports = free_ports(self._host, self._ports)
        self.server = launch(server_kind(), path, self.place, self._host, ports, wait=False)
        for model, number in (read_startup(path, self._group) or {}).items():
            self._known.sent[model] = model_config(self._group, model, frozenset({number}), number)
        return ""

    def observe(self, model: str, torn: Mapping[int, str], label: int | None) -> Observed:
        """What is known of `model`; `label` is the committed version, which is never given up as harmful."""
        harmful = {n: why for (name, n), why in self.harmful.items() if name == model and n != label}
        broken, startup = {**harmful, **torn}, self.startup.get(model)
        if not self.up() or self.server is None:
            return Observed(listening=False, exited=self.exited(), startup=startup, broken=broken)
        client, known = self._connected(self.server), self._known
        sent = known.sent.get(model)
        return Observed(
            listening=True,
            startup=startup,
            aspired=frozenset(sent.versions) if sent else frozenset(),
            label_config=sent.labels.get(STABLE) if sent else None,
            versions=self._versions(client, model),
            label=self._label(client, model),
            broken=broken,
            resting=frozenset(
                n for (name, n), at in known.removed.items() if name == model and time.monotonic() - at < FORGET
            ),
            proven=frozenset(n for name, n in known.proven if name == model),
            disproven={n: why for (name, n), why in known.disproven.items() if name == model},
        )

    def perform(self, model: str, act: Act) -> None:
        """Carry out one act on one model; what it came to is for the next observation to say."""
        if act.kind == "write_startup":
            models = {name: number for name, number in self.startup.items() if name != model}
            if act.label is not None:
                models[model] = act.label
            write_startup(self.place / FILE, self._group, models)
        elif act.kind == "reload":
            self._reload(model, model_config(self._group, model, act.versions, act.label))
        elif act.kind == "prove" and self.server:
            (number,) = act.versions
            why = golden_difference(self._connected(self.server), self._group, model, number)
            if why:
                self._known.disproven[model, number] = why
            else:
                self._known.proven.add((model, number))

    def last_words(self) -> str:
        """What the server said last, for people."""
        return (last_line(self.server.process.log) if self.server else "") or "it said nothing"

    def stop(self) -> None:
        """End the server."""
        if self.server:
            self.server.stop()
        self.forget()

    def forget(self) -> None:
        """Nothing is known of the next server process."""
        self._known = Knowledge()
        if self._client:
            self._client.close()
            self._client = None

    def _reload(self, model: str, config: ModelConfig) -> None:
        """Send the whole list with one model's part changed: a reload replaces everything that it does not repeat."""
        if self.server is None:
            return
        before = self._known.sent.get(model)
        self._note_changes(model, before, config)
        # A name without versions would be a new name that the server waits for without limit: leave it out.
        after = {**{name: sent for name, sent in self._known.sent.items() if name != model}}
        if config.versions:
            after[model] = config
        try:
            self._connected(self.server).reload(after.values(), timeout=RELOAD_LIMIT)
        except ServerAwayError as error:
            if error.code == "DEADLINE_EXCEEDED":
                self._restart_hung(model, config, before)
            raise
        except ServingError as error:
            if error.code in {"INVALID_ARGUMENT", "FAILED_PRECONDITION"}:
                # Refused before anything changed. Any other error leaves the new list in force.
                raise
            self._known.sent = after
            raise
        self._known.sent = after

    def _note_changes(self, model: str, before: ModelConfig | None, config: ModelConfig) -> None:
        now, old = time.monotonic(), set(before.versions) if before else set()
        for number in old - set(config.versions):
            self._known.removed[model, number] = now
        for number in set(config.versions) - old:
            if (model, number) in self._known.ended:
                self._known.retried[model, number] = now

    def _restart_hung(self, model: str, config: ModelConfig, before: ModelConfig | None) -> None:
        """A call past its deadline goes on inside the server, whatever we send later: only a new process is certain."""
        for number in set(config.versions) - set(before.versions if before else ()):
            self.harmful[model, number] = f"it did not load within {RELOAD_LIMIT:.0f} s"
        self._noticed = True
        if self.server:
            self.server.process.kill()

    def _versions(self, client: ServingClient, model: str) -> dict[int, Seen]:
        """The server's own list; an END from before a version was tried again counts as START."""
        found = {}
        for number, status in client.status(model).items():
            key = (model, number)
            message = status.message or f"error {status.code}" if status.code else ""
            if status.state != "END":
                self._known.retried.pop(key, None)
                self._known.ended.discard(key)
                found[number] = Seen(status.state, message)
                continue
            self._known.ended.add(key)
            tried = self._known.retried.get(key)
            stale = tried is not None and time.monotonic() - tried < FORGET
            found[number] = Seen("START") if stale else Seen("END", message)
        return found

    def _label(self, client: ServingClient, model: str) -> int | None:
        """Where `stable` really points: the version that answers under it."""
        try:
            return client.resolved(model, STABLE)
        except ServerAwayError:
            raise
        except ServingError:
            return None

    def _note_end(self, server: ServerProcess) -> None:
        """A server that never listened started badly; one that did may have been ended by what it was loading."""
        if not self._known.listened:
            self._bad_starts += 1
            self._not_before = time.monotonic() + min(LONGEST_PAUSE, 0.25 * 2**self._bad_starts)
            return
        startup = self.startup
        for model, config in self._known.sent.items():
            for number in config.versions:
                if number == startup.get(model):
                    continue
                losses = self._losses[model, number] = self._losses.get((model, number), 0) + 1
                # Once may be an accident that has nothing to do with it.
                if losses > 1:
                    self.harmful[model, number] = f"the server ended twice while it held it: {self.last_words()}"

    def _connected(self, server: ServerProcess) -> ServingClient:
        if self._client is None:
            self._client = ServingClient(server.grpc_address)
        return self._client
