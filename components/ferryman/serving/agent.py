"""The agent beside one server: its only administrator, and the only one who says what that server holds.

It reads the group's record, acts, proves versions by their golden sets, and reports. It obeys no record older than the
newest it has seen, and keeps that one on disk before its first act.
"""

from __future__ import annotations

import time
from pathlib import Path

from ferryman.errors import ArtifactError
from ferryman.serving.administrator import Administrator
from ferryman.serving.client import ServingError
from ferryman.serving.converge import Act, Observed, converge
from ferryman.serving.record import FILE, GroupRecord, ModelPart, attitude, parse_or_none, targets
from ferryman.serving.report import ModelReport, Promise, Report, parse_report
from ferryman.serving.server import ServerProcess
from ferryman.serving.store import verify_version
from ferryman.storage.local import atomic_write

LOOK_AGAIN = 5.0
"""Seconds after which files that were found torn are looked at again: a person may have put them right."""


class Agent:
    """Keeps one server of the group in `folder` as the record says; `first` when it goes first in a rollout."""

    def __init__(self, folder: Path, replica: str, *, host: str, ports: tuple[int, int], first: bool) -> None:
        self.folder, self.replica = folder, replica
        self.place = folder / "agents" / replica
        self.place.mkdir(parents=True, exist_ok=True)
        self.administrator = Administrator(folder, self.place, host, ports)
        self._first = first
        self._torn: dict[tuple[str, int], tuple[str, float]] = {}
        self._whole: set[tuple[str, int]] = set()
        self._whole_since: ServerProcess | None = None
        self._obeyed = parse_or_none(self.place / FILE)
        self._promised = _promised(self.place / "promise.json")

    @property
    def server(self) -> ServerProcess | None:
        """The server process, once there is one."""
        return self.administrator.server

    def step(self, record: GroupRecord | None) -> Report:
        """Observe, act at most once on each model, and report; short of a new model's load it does not block."""
        stance = attitude(record, self._obeyed, self._promised)
        if record is None or stance == "absent":
            return self._reported(self._promise())
        if stance == "older":
            return self._reported(self._nothing())
        if self._obeyed is None or record.fence > self._obeyed.fence:
            atomic_write(self.place / FILE, record.model_dump_json(indent=1).encode())
            self._obeyed = record
        models = self._work(record) if self.administrator.up() else self._raise(record)
        return self._reported(self._nothing().model_copy(update={"models": models}))

    def stop(self) -> None:
        """End the server."""
        self.administrator.stop()

    def _nothing(self) -> Report:
        epoch, generation = self._obeyed.fence if self._obeyed else (0, 0)
        if self._promised > epoch:
            epoch, generation = self._promised, 0
        return Report(replica=self.replica, epoch=epoch, generation=generation)

    def _promise(self) -> Report:
        """No record: change nothing, promise never to obey the lost one's epoch again, offer the copy."""
        epoch = max(self._promised, self._obeyed.epoch + 1 if self._obeyed else 1)
        if epoch != self._promised:
            atomic_write(self.place / "promise.json", Promise(epoch=epoch).model_dump_json().encode())
            self._promised = epoch
        copy = self._obeyed
        return Report(replica=self.replica, epoch=epoch, absent=True, copy_of=copy, holds=self.administrator.startup)

    def _raise(self, record: GroupRecord) -> dict[str, ModelReport]:
        """No server listens: every model's part of the start-up file comes before the start."""
        if self.administrator.exited() and self._whole_since is not self.server:
            # The next process reads the files again, so they are verified again.
            self._whole.clear()
            self._whole_since = self.server
        acts = {name: converge(targets(part, self._first), self._seen(name, part)) for name, part in _parts(record)}
        written = [name for name, act in acts.items() if act.kind == "write_startup"]
        for name in written:
            self.administrator.perform(name, acts[name])
        why = "the server starts"
        if not written and self.administrator.exited():
            why = self.administrator.start() or why
        return {name: _report(part, Act("wait", why=why), None) for name, part in _parts(record)}

    def _work(self, record: GroupRecord) -> dict[str, ModelReport]:
        models = {}
        for name, part in _parts(record):
            try:
                seen = self._seen(name, part)
                act = converge(targets(part, self._first), seen)
                self.administrator.perform(name, act)
                models[name] = _report(part, act, seen.label)
            except ServingError as error:
                # What a failed call has left behind is observed at the next step.
                models[name] = _report(part, Act("wait", why=str(error)), None)
        return models

    def _seen(self, name: str, part: ModelPart) -> Observed:
        want = targets(part, self._first)
        seen = self.administrator.observe(name, self._torn_among(name, want.wanted), want.label)
        # What ended may have lost its files under the server: they are verified again.
        self._whole -= {(name, number) for number, version in seen.versions.items() if version.state == "END"}
        return seen

    def _torn_among(self, name: str, wanted: frozenset[int]) -> dict[int, str]:
        """Wanted versions whose files in the store are not whole; each is verified before it is loaded."""
        torn = {}
        for key in ((name, number) for number in sorted(wanted)):
            if key in self._whole:
                continue
            why, at = self._torn.get(key, ("", float("-inf")))
            if time.monotonic() - at > LOOK_AGAIN:
                try:
                    verify_version(self.folder, *key)
                    self._whole.add(key)
                    continue
                except ArtifactError as error:
                    why = str(error)
                    self._torn[key] = why, time.monotonic()
            torn[key[1]] = why
        return torn

    def _reported(self, report: Report) -> Report:
        path = self.place / "report.json"
        if parse_report(path) != report:
            atomic_write(path, report.model_dump_json(indent=1).encode())
        return report


def _parts(record: GroupRecord) -> list[tuple[str, ModelPart]]:
    return sorted(record.models.items())


def _report(part: ModelPart, act: Act, label: int | None) -> ModelReport:
    state = act.kind if act.kind in {"ok", "bad"} else "working"
    bad = next(iter(act.versions), None) if state == "bad" else None
    said = {"generation": part.generation, "state": state, "why": act.why, "bad": bad, "serves": label}
    return ModelReport.model_validate(said)


def _promised(path: Path) -> int:
    try:
        return Promise.read(path).epoch
    except ArtifactError:
        return 0
