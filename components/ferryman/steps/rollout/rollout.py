"""The step `rollout`: it asks for a release and waits for its one terminal state; it starts nothing itself."""

from __future__ import annotations

import time
from pathlib import Path

from ferryman.artifacts.evidence import Conversion, ServingCheck, Verdict, check_judged
from ferryman.artifacts.manifest import digest_of
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.step import step
from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.serving.record import Ended
from ferryman.serving.release import Release, create_release, read_aborts, read_end

LIMIT = 3600.0
"""Seconds that a release may take: a soak of ten minutes and slow loads fit; a group that nobody runs does not."""

PAUSE = 0.1


def release_model(
    resolved: str, root: str, run_id: str, job: str, model: str, conversion: str, check: str, verdict: str
) -> None:
    """Ask the group to release the model that the gate promoted; how that ended is a fact on the record, no error.

    Raises:
        ArtifactError: an input is torn or altered, or the verdict is not to promote this very model.
        UnavailableError: the release has not ended in time (it goes on: a resumed run waits for it again).
    """
    with step("rollout", root, run_id, job) as run:
        fixed = ResolvedRun.parse(resolved)
        if not fixed.group:
            raise UsageError("the run has no serving group to release to")
        manifest = run.input(Path(model), kind="model")
        for path, kind in ((conversion, "conversion"), (check, "serving_check"), (verdict, "verdict")):
            run.input(Path(path), kind=kind)
        check_evidence(manifest.digest, Path(conversion), Path(check), Path(verdict))
        card = ModelCard.read(Path(model) / FILE)
        served = fixed.read_spec().gate.served.scaled(card.scale)
        group = Path(fixed.group)
        release = Release(
            name=f"{run.run_id}-{_attempt(group, run.run_id)}",
            model=card.name,
            created=fixed.as_of,
            artifact=str(Path(model).resolve()),
            digest=manifest.digest,
            content=card.content,
            conversion=digest_of(Path(conversion)),
            serving_check=digest_of(Path(check)),
            champion_version=fixed.serves.version if fixed.serves else None,
            champion_digest=fixed.serves.digest if fixed.serves else None,
            absolute=served.absolute,
            relative=served.relative,
        )
        create_release(group, release)
        run.facts["release"] = release.name
        end = _wait(group, release.name)
        run.facts |= {"terminal": end.state, "version": end.version, "why": end.why}
        run.headline = headline(release, end)


def check_evidence(model: str, conversion: Path, check: Path, verdict: Path) -> None:
    """Refuse to release a model (by digest) that the gate did not promote, or that the evidence does not speak of.

    Raises:
        ArtifactError: a document is missing or not readable, says otherwise, or judges another model.
    """
    decided = Verdict.read(verdict / "verdict.json")
    if decided.kind != "promote":
        raise ArtifactError(f"{verdict}: the gate says {decided.kind}, expected promote", "verdict.json")
    documents = {
        "verdict.json": decided.model,
        "conversion.json": Conversion.read(conversion / "conversion.json").model,
        "serving_check.json": ServingCheck.read(check / "serving_check.json").model,
    }
    check_judged(model, documents)


def headline(release: Release, end: Ended) -> str:
    """One line for people."""
    if end.state == "Promoted":
        return f"{release.model} version {end.version} serves"
    return f"{end.state}: {end.why}"


def _attempt(group: Path, run_id: str) -> int:
    """1, or one more after each attempt of this run that was aborted: any other end stands."""
    number = 1
    while (
        (end := read_end(group, f"{run_id}-{number}"))
        and end.state == "RolledBack"
        and f"{run_id}-{number}" in read_aborts(group)
    ):
        number += 1
    return number


def _wait(group: Path, name: str) -> Ended:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        end = read_end(group, name)
        if end:
            return end
        time.sleep(PAUSE)
    raise UnavailableError(
        f"release {name} has not ended within {LIMIT:.0f} s: does a group process run? start one with `ferryman serve`"
    )
