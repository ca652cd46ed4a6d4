"""The controller of one group: the shell round `decide`. It alone writes the record and the serving store."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ferryman.controller.adopt import adopt, is_lost
from ferryman.controller.decide import Decision, View, decide
from ferryman.controller.ports import RecordPort
from ferryman.controller.probe import Probe
from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import FILE, Ended, GroupRecord, ModelPart, Released, parse_or_none
from ferryman.serving.release import Release, read_aborts, read_ends, read_releases, write_end
from ferryman.serving.report import Report, parse_report
from ferryman.serving.store import (
    clear_partials,
    copy_version,
    find_copy,
    largest_numbers,
    numbers_in_store,
    verify_version,
)


class Controller:
    """Decides for the group in `folder`; `step` is called again and again."""

    def __init__(
        self,
        folder: Path,
        port: RecordPort,
        replicas: list[str],
        soak_seconds: float = 0.0,
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder, self._port, self._replicas = folder, port, replicas
        self._soak_seconds, self._told = soak_seconds, told
        self._probe: Probe | None = None
        self._copies: dict[str, Released] = {}
        self._refusals: dict[str, str] = {}
        self._mirrored: set[str] = set()
        self._clock = _steady_clock()
        self._started = self._clock()
        self._known = self._obeyed()
        self._seen: tuple[int, int] | None = None
        clear_partials(folder)

    def step(self) -> GroupRecord | None:
        """Decide once; the record as it then is, None while it is lost."""
        record = self._port.read()
        reports = self._reports()
        if record and is_lost(record, reports, self._known, self._told_ends(record)):
            self._told("the group record is older than what its agents have obeyed: it is put aside and adopted anew")
            self._port.put_aside()
            record = None
        if record is None:
            return self._recover(reports)
        self._known = self._seen = record.fence
        self._mirror(record)
        self._attend_probe(record)
        decision = decide(self._view(record, reports))
        try:
            return self._carry_out(record, decision)
        except ConflictError:
            return self._port.read()

    def stop(self) -> None:
        """End the probe; everything else goes on from the record."""
        if self._probe:
            self._probe.stop()

    def _carry_out(self, record: GroupRecord, decision: Decision) -> GroupRecord:
        if decision.copy:
            self._copy(record, decision.copy)
        if decision.record:
            self._port.swap(record, decision.record)
            self._known = self._seen = decision.record.fence
            self._mirror(decision.record)
            return decision.record
        return record

    def _recover(self, reports: dict[str, Report]) -> GroupRecord | None:
        """No record: adopt the agents' copies, or begin where there never was one."""
        ends, numbers = read_ends(self.folder), largest_numbers(self.folder)
        adopted = adopt(reports, self._replicas, ends, numbers, self._known)
        if adopted is None:
            return None
        if adopted.models:
            self._told(f"the group record was lost: adopted under epoch {adopted.epoch}")
        self._port.swap(None, adopted)
        self._known = adopted.fence
        return adopted

    def _told_ends(self, record: GroupRecord) -> dict[str, dict[str, Ended]]:
        """The mirrored ends, read again only where the record is not the one that was seen or written last."""
        return {} if record.fence == self._seen else read_ends(self.folder)

    def _obeyed(self) -> tuple[int, int]:
        """The newest record that lies here or that an agent has kept, before any of them has reported."""
        copies = [parse_or_none(self.folder / "agents" / name / FILE) for name in self._replicas]
        return max((copy.fence for copy in (*copies, self._port.read()) if copy), default=(0, 0))

    def _view(self, record: GroupRecord, reports: dict[str, Report]) -> View:
        releases = read_releases(self.folder)
        return View(
            record=record,
            releases=releases,
            aborts=read_aborts(self.folder),
            reports=reports,
            probes=[self._probe.report] if self._probe and self._probe.report else [],
            copies=self._copies,
            refusals=self._refusals,
            torn=self._torn(record, releases),
            now=self._clock(),
            started=self._started,
            soak_seconds=self._soak_seconds,
        )

    def _torn(self, record: GroupRecord, releases: list[Release]) -> dict[tuple[str, int], str]:
        """Whether the versions that waiting rollbacks lead to are whole; nobody else pays for the look."""
        torn = {}
        for release in releases:
            part = record.models.get(release.model, ModelPart())
            if release.kind == "rollback" and release.name not in {*part.ended, part.rollback} and part.previous:
                try:
                    verify_version(self.folder, release.model, part.previous.number)
                except ArtifactError as error:
                    torn[release.model, part.previous.number] = str(error)
        return torn

    def _copy(self, record: GroupRecord, release: Release) -> None:
        """Copy a release's files under a new number; a failure is the release's, and ends it."""
        part = record.models.get(release.model, ModelPart())
        known = [version.number for version in (part.stable, part.previous, part.candidate) if version]
        used = max([part.claimed, *part.tombstones, *known], default=0)
        try:
            number = find_copy(self.folder, release, used)
            if number is None:
                number = 1 + max([used, *numbers_in_store(self.folder, release.model)])
                copy_version(self.folder, release, number)
        except ArtifactError as error:
            # Any other trouble (a full disk) is none of the release's: it is tried again.
            self._refusals[release.name] = f"its files cannot be copied: {error}"
            return
        self._copies[release.name] = Released(
            number=number, digest=release.digest, content=release.content, release=release.name
        )

    def _attend_probe(self, record: GroupRecord) -> None:
        """One probe at a time, for the candidate whose phase it is."""
        wanted = next(
            (
                (name, part.candidate.number)
                for name, part in record.models.items()
                if part.phase == "probe" and part.candidate
            ),
            None,
        )
        current = (self._probe.model, self._probe.number) if self._probe else None
        if current != wanted:
            if self._probe:
                self._probe.stop()
            self._probe = Probe(self.folder, *wanted) if wanted else None

    def _mirror(self, record: GroupRecord) -> None:
        for part in record.models.values():
            for release, end in part.ended.items():
                if release not in self._mirrored:
                    self._tell_end(release, end)
                    self._mirrored.add(release)

    def _tell_end(self, release: str, end: Ended) -> None:
        """The mirror of an end; what keeps one from being written keeps no other model from going on."""
        try:
            write_end(self.folder, release, end)
        except OSError as error:
            self._told(f"the end of {release} ({end.state}) cannot be told in {self.folder / 'releases'}: {error}")

    def _reports(self) -> dict[str, Report]:
        found = {name: parse_report(self.folder / "agents" / name / "report.json") for name in self._replicas}
        return {name: report for name, report in found.items() if report}


def _steady_clock() -> Callable[[], str]:
    """Now, ISO 8601 UTC; from the first call on no correction of the machine's clock changes how time passes."""
    began, started = datetime.now(UTC), time.monotonic()

    def now() -> str:
        return (began + timedelta(seconds=time.monotonic() - started)).isoformat()

    return now
