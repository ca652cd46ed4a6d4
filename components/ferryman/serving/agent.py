"""The agent beside one server: its only administrator, and the only one who says what that server holds.

It reads the group's record, acts (at most one act at a time), proves versions by their golden sets, and reports. It
obeys no record older than the newest it has seen, and keeps that one on disk before its first act.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ferryman.errors import ArtifactError, FerrymanError
from ferryman.golden.compare import compare
from ferryman.process import last_line
from ferryman.serving.client import ServingClient, ServingError
from ferryman.serving.config import ModelConfig, render
from ferryman.serving.converge import Act, Observed, Seen, converge
from ferryman.serving.record import GroupRecord, ModelPart, parse_or_none, targets
from ferryman.serving.report import ModelReport, Report, Startup, parse_report
from ferryman.serving.server import ServerProcess, launch, listening, server_kind
from ferryman.serving.store import golden_of, verify_version
from ferryman.storage.local import atomic_write

STABLE = "stable"
BATCH = 64
"""Golden rows in one request."""

RELOAD_LIMIT = 120.0
"""Seconds for one reload call; a model's first load happens inside it."""

RETRY_PAUSE = 1.5
"""Seconds between taking a failed version off the list and putting it back: the server must poll in between."""


@dataclass
class Sent:
    """What this server process was told of one model."""

    config: ModelConfig
    complete: bool = False
    """Whether this agent itself sent it; what a start-up file said may have been half obeyed."""


@dataclass
class Knowledge:
    """What is known of one server process; forgotten with it."""

    sent: dict[str, Sent] = field(default_factory=dict)
    proven: set[tuple[str, int]] = field(default_factory=set)
    disproven: dict[tuple[str, int], str] = field(default_factory=dict)


class Agent:
    """Keeps one server of the group in `folder` as the record says."""

    def __init__(self, folder: Path, replica: str, *, host: str, ports: tuple[int, int], first: bool) -> None:
        self.folder, self.replica = folder, replica
        self.place = folder / "agents" / replica
        self.place.mkdir(parents=True, exist_ok=True)
        self.server: ServerProcess | None = None
        self._host, self._ports, self._first = host, ports, first
        self._known = Knowledge()
        self._client: ServingClient | None = None
        self._broken: dict[tuple[str, int], str] = {}
        self._checked: set[tuple[str, int]] = set()
        self._obeyed = parse_or_none(self.place / "record.json")

    def step(self, record: GroupRecord | None) -> Report:
        """Observe, act once, and report; short of a model's load it does not block."""
        if record is None:
            return self._promise()
        if self._obeyed and record.fence < self._obeyed.fence:
            # A record that was replaced by an older one: obeying it could bring back what was dropped.
            return self._reported(Report(replica=self.replica, epoch=self._obeyed.epoch))
        if self._obeyed is None or record.fence > self._obeyed.fence:
            atomic_write(self.place / "record.json", record.model_dump_json(indent=1).encode())
            self._obeyed = record
        models = {}
        for name, part in sorted(record.models.items()):
            try:
                models[name] = self._converge(name, part)
            except ServingError as error:
                # A reload that fails may have been half obeyed; what it came to is observed at the next step.
                models[name] = ModelReport(generation=part.generation, state="working", why=str(error))
        return self._reported(Report(replica=self.replica, epoch=record.epoch, models=models))

    def stop(self) -> None:
        """End the server."""
        self._forget()
        if self.server:
            self.server.stop()

    def _promise(self) -> Report:
        """No record: change nothing, promise never to obey the lost one's epoch again, offer the copy."""
        if self._obeyed is None:
            return self._reported(Report(replica=self.replica, epoch=0, absent=True))
        return self._reported(
            Report(replica=self.replica, epoch=self._obeyed.epoch + 1, absent=True, copy_of=self._obeyed)
        )

    def _converge(self, name: str, part: ModelPart) -> ModelReport:
        want = targets(part, self._first)
        seen = self._observe(name, want.wanted)
        act = converge(want, seen)
        self._perform(name, act)
        state = act.kind if act.kind in {"ok", "bad"} else "working"
        return ModelReport.model_validate(
            {"generation": part.generation, "state": state, "why": act.why, "serves": seen.label}
        )

    def _observe(self, name: str, wanted: frozenset[int]) -> Observed:
        self._check_files(name, wanted)
        broken = {number: why for (model, number), why in self._broken.items() if model == name}
        startup = self._startup().get(name)
        if self.server is None or self.server.process.poll() is not None:
            return Observed(listening=False, exited=True, startup=startup, broken=broken)
        if not listening(self.server.grpc_address):
            return Observed(listening=False, startup=startup, broken=broken)
        client = self._connected(self.server)
        sent = self._known.sent.get(name)
        versions = {
            n: Seen(s.state, s.message or (f"error {s.code}" if s.code else "")) for n, s in client.status(name).items()
        }
        return Observed(
            listening=True,
            startup=startup,
            aspired=frozenset(sent.config.versions) if sent and sent.complete else None,
            label_config=sent.config.labels.get(STABLE) if sent else None,
            versions=versions,
            label=self._label(client, name),
            broken=broken,
            proven=frozenset(n for model, n in self._known.proven if model == name),
            disproven={n: why for (model, n), why in self._known.disproven.items() if model == name},
        )

    def _perform(self, name: str, act: Act) -> None:
        if act.kind == "write_startup":
            self._write_startup(name, act.label)
        elif act.kind == "start":
            self._start()
        elif act.kind == "reload":
            self._reload(name, act)
        elif act.kind == "prove":
            (number,) = act.versions
            self._prove(name, number)

    def _start(self) -> None:
        self._forget()
        startup = self.place / "models.config"
        if not startup.exists():
            atomic_write(startup, render([]).encode())
        self.server = launch(server_kind(), startup, self.place, self._host, self._ports, wait=False)
        # What the start-up file names is the list that the server holds now; only a reload of ours makes it certain.
        for name, number in self._startup().items():
            self._known.sent[name] = Sent(self._config(name, frozenset({number}), number))

    def _reload(self, name: str, act: Act) -> None:
        server = self.server
        if server is None:
            return
        config = self._config(name, act.versions, act.label)
        # A reload replaces the whole list: every other model is repeated as it is.
        others = [sent.config for model, sent in self._known.sent.items() if model != name]
        self._known.sent[name] = Sent(config, complete=True)
        # A name without a version would make the server wait for one for ever, deaf to every later reload.
        listed = [entry for entry in (*others, config) if entry.versions]
        self._connected(server).reload(listed, timeout=RELOAD_LIMIT)
        if act.why:
            time.sleep(RETRY_PAUSE)

    def _config(self, name: str, versions: frozenset[int], label: int | None) -> ModelConfig:
        labels = {STABLE: label} if label is not None else {}
        return ModelConfig(name, str(self.folder / "store" / name), tuple(sorted(versions)), labels)

    def _prove(self, name: str, number: int) -> None:
        """Ask this very server for the golden answers of a version."""
        if self.server is None:
            return
        why = golden_difference(self._connected(self.server), self.folder, name, number)
        if why:
            self._known.disproven[name, number] = why
        else:
            self._known.proven.add((name, number))

    def _check_files(self, name: str, wanted: frozenset[int]) -> None:
        """Verify each wanted version's files once, before it is loaded for the first time."""
        for number in wanted:
            if (name, number) not in self._checked:
                self._checked.add((name, number))
                try:
                    verify_version(self.folder, name, number)
                except ArtifactError as error:
                    self._broken[name, number] = str(error)

    def _label(self, client: ServingClient, name: str) -> int | None:
        """Where `stable` really points: the version that answers under it."""
        try:
            return client.resolved(name, STABLE)
        except ServingError:
            return None

    def _startup(self) -> dict[str, int]:
        """Model -> the one version that the start-up file names."""
        try:
            document = Startup.read(self.place / "startup.json")
        except ArtifactError:
            return {}
        return document.models

    def _write_startup(self, name: str, label: int | None) -> None:
        models = {model: number for model, number in self._startup().items() if model != name}
        if label is not None:
            models[name] = label
        configs = [self._config(model, frozenset({number}), number) for model, number in sorted(models.items())]
        atomic_write(self.place / "models.config", render(configs).encode())
        # Second: a crash between the two leaves the old claim, and the file is written again.
        atomic_write(self.place / "startup.json", Startup(models=models).model_dump_json().encode())

    def _connected(self, server: ServerProcess) -> ServingClient:
        if self._client is None:
            self._client = ServingClient(server.grpc_address)
        return self._client

    def _forget(self) -> None:
        self._known = Knowledge()
        if self._client:
            self._client.close()
            self._client = None

    def _reported(self, report: Report) -> Report:
        path = self.place / "report.json"
        if not path.exists() or parse_report(path) != report:
            atomic_write(path, report.model_dump_json(indent=1).encode())
        return report

    def last_words(self) -> str:
        """What the server said last, for people."""
        return last_line(self.server.process.log) if self.server else ""


def golden_difference(client: ServingClient, folder: Path, name: str, number: int) -> str:
    """Why a loaded version does not give its golden answers; empty when it does."""
    try:
        golden, release = golden_of(folder, name, number)
        parts = []
        for start in range(0, len(golden), BATCH):
            inputs = {alias: tensor[start : start + BATCH] for alias, tensor in golden.raw.items()}
            parts.append(client.predict(name, inputs, version=number).outputs)
    except FerrymanError as error:
        return f"no golden answer: {error}"
    answers = {alias: np.concatenate([part[alias] for part in parts]) for alias in parts[0]}
    return compare(golden.answers, answers, release.absolute, release.relative).reason
