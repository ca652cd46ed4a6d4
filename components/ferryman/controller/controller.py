"""The controller of one group: the shell round `decide`. It alone writes the record and the serving store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ferryman.controller.decide import Decision, View, adopt, decide
from ferryman.controller.ports import RecordPort
from ferryman.controller.probe import Probe
from ferryman.errors import ArtifactError, ConflictError
from ferryman.serving.record import GroupRecord, ModelPart, Released
from ferryman.serving.release import Release, read_aborts, read_releases, write_end
from ferryman.serving.report import Report, parse_report
from ferryman.serving.store import clear_partials, copy_version, numbers_in_store


class Controller:
    """Decides for the group in `folder`; `step` is called again and again."""

    def __init__(self, folder: Path, port: RecordPort, replicas: list[str], soak_seconds: float) -> None:
        self.folder, self._port, self._replicas = folder, port, replicas
        self._soak_seconds = soak_seconds
        self._probe: Probe | None = None
        self._copies: dict[str, Released] = {}
        self._refusals: dict[str, str] = {}
        clear_partials(folder)

    def step(self) -> GroupRecord | None:
        """Decide once; the record as it then is, None while it is lost."""
        record = self._port.read()
        reports = self._reports()
        if record is None:
            return self._recover(reports)
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
            self._mirror(decision.record)
            return decision.record
        return record

    def _recover(self, reports: dict[str, Report]) -> GroupRecord | None:
        """No record: adopt the agents' copies, or begin where there never was one."""
        adopted = adopt(reports, self._replicas)
        everyone = all(replica in reports and reports[replica].absent for replica in self._replicas)
        if adopted is None and everyone and not any(report.copy_of for report in reports.values()):
            adopted = GroupRecord(replicas=self._replicas, models=self._found_models())
        if adopted is None:
            return None
        adopted = adopted.model_copy(update={"replicas": self._replicas})
        self._port.swap(None, adopted)
        return adopted

    def _found_models(self) -> dict[str, ModelPart]:
        """Models whose folders are there without any record: their numbers count as used."""
        place = self.folder / "store"
        names = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        return {name: ModelPart(claimed=max(numbers_in_store(self.folder, name), default=0)) for name in names}

    def _view(self, record: GroupRecord, reports: dict[str, Report]) -> View:
        return View(
            record=record,
            releases=read_releases(self.folder),
            aborts=read_aborts(self.folder),
            reports=reports,
            probes=[self._probe.report] if self._probe and self._probe.report else [],
            copies=self._copies,
            refusals=self._refusals,
            now=datetime.now(UTC).isoformat(),
            soak_seconds=self._soak_seconds,
        )

    def _copy(self, record: GroupRecord, release: Release) -> None:
        """Copy a release's files under a new number; a failure is the release's, and ends it."""
        part = record.models.get(release.model, ModelPart())
        known = [version.number for version in (part.stable, part.previous, part.candidate) if version]
        number = 1 + max(
            [part.claimed, *part.tombstones, *known, *numbers_in_store(self.folder, release.model)], default=0
        )
        try:
            copy_version(self.folder, release, number)
        except (ArtifactError, OSError) as error:
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
                write_end(self.folder, release, end)

    def _reports(self) -> dict[str, Report]:
        found = {name: parse_report(self.folder / "agents" / name / "report.json") for name in self._replicas}
        return {name: report for name, report in found.items() if report}
