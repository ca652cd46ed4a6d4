"""The step `hold`: it says why a candidate may not serve, and changes nothing."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.evidence import Verdict
from ferryman.artifacts.step import step


def hold_release(resolved: str, root: str, run_id: str, job: str, verdict: str) -> None:
    """Put the reasons of a verdict that is no promotion on the record."""
    with step("hold", root, run_id, job) as run:
        run.input(Path(verdict), kind="verdict")
        found = Verdict.read(Path(verdict) / "verdict.json")
        failed = [reason for reason in found.reasons if not reason.ok]
        run.facts["kind"] = found.kind
        run.headline = f"{len(failed)} of {len(found.reasons)} checks do not hold; what serves still serves"
        for reason in failed:
            print(f"HOLD {reason.check}: {reason.text}", flush=True)
