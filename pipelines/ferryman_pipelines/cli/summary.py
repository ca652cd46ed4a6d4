"""A run in words: what was decided, why, what serves, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from ferryman.artifacts.evidence import Verdict
from ferryman.artifacts.fragment import Fragment
from ferryman.artifacts.record import Outcome, RunRecord
from ferryman.errors import DataError, UsageError
from ferryman_pipelines.cli.home import Home
from ferryman_pipelines.cli.output import program

HEADLINES: dict[Outcome, str] = {
    "promoted": "promoted: the new version serves",
    "held": "held: the candidate may not serve",
    "insufficient": "held: the evidence does not suffice",
    "nothing_new": "nothing new: this very model serves already",
    "refused": "refused: the new version did not prove itself at the server",
    "rolled_back": "rolled back: the release was undone",
    "superseded": "superseded by a newer release",
    "conflict": "conflict: another version serves than the one that was compared with",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "still running",
}


def step_line(step: Fragment) -> str:
    """A finished step in one line: name, seconds, what came out."""
    seconds = f"{step.seconds:6.1f} s" if step.seconds is not None else " " * 8
    text = f"FAILED: {step.error.text}" if step.state == "failed" and step.error else step.headline
    return f"  {step.step:<14}{seconds}  {text}{' (result of an earlier attempt)' if step.reused else ''}".rstrip()


def summary(record: RunRecord, home: Home) -> str:
    """The end of `ferryman run`."""
    lines = [f"{record.name or 'run'}: {HEADLINES[record.outcome]}"]
    if record.reason:
        lines.append(f"  why: {record.reason}")
    lines += _reasons(record)
    lines += _release(record)
    lines += _promotions(record) or _serves(record)
    lines += ["", *_next(record)]
    folder = home.runs / record.run
    lines.append(f"  all of it: {program()} runs show {record.run} (folder: {folder})")
    return "\n".join(lines)


def whole(record: RunRecord, home: Home) -> str:
    """`ferryman runs show`."""
    head = [f"run {record.run}, started {record.started}, ended {record.ended or '-'}", "steps:"]
    return "\n".join([*head, *(step_line(step) for step in record.steps), "", summary(record, home)])


def table(records: Sequence[RunRecord]) -> str:
    """`ferryman runs`: one line a run."""
    lines = [f"{'RUN':<34}{'STARTED':<22}{'OUTCOME':<14}{'VERSION':<9}{'TOOK':>8}"]
    for record in records:
        version = _version(record)
        took = "-" if record.seconds is None else f"{record.seconds:.0f} s"
        lines.append(f"{record.run:<34}{record.started[:19]:<22}{record.outcome:<14}{version:<9}{took:>8}")
    return "\n".join(lines)


def _reasons(record: RunRecord) -> list[str]:
    verdict = _verdict(record)
    return reason_lines(verdict) if verdict else []


def _verdict(record: RunRecord) -> Verdict | None:
    try:
        return Verdict.model_validate(record.verdict)
    except ValidationError:
        # Another hand's, or a newer one's: what cannot be read is not shown.
        return None


def _advice(record: RunRecord) -> str:
    """What to try after a hold: what its reasons advise, else what helps against any bound."""
    verdict = _verdict(record)
    advised = [reason.advice for reason in verdict.reasons if reason.advice and not reason.ok] if verdict else []
    return advised[0] if advised else "change the model or the data, or the bounds under `gate` in the spec"


def reason_lines(verdict: Verdict) -> list[str]:
    """Every reason of a verdict, a line each."""
    return [f"  {'ok  ' if reason.ok else 'HOLD'}  {reason.text}" for reason in verdict.reasons]


def _release(record: RunRecord) -> list[str]:
    release = record.release or {}
    if not release.get("terminal"):
        return []
    why = f": {release['why']}" if release.get("why") else ""
    return [f"  release {release.get('release', '')} ended {release['terminal']}{why}"]


def _promotions(record: RunRecord) -> list[str]:
    """What people decided against the gate since."""
    lines = []
    for found in record.promotions:
        version = f" as version {found.version}" if found.version else ""
        why = f": {found.why}" if found.why else ""
        ended = f"ended {found.terminal}{version}{why}" if found.terminal else "has not ended as far as anybody saw"
        lines += [
            f"  {found.by} promoted it despite that, {found.at[:19]}Z: {found.reason}",
            f"  release {found.release} {ended}",
        ]
    return lines


def _version(record: RunRecord) -> str:
    """The version that the run's model got, from its own release or by a person's word."""
    given = [found.version for found in record.promotions if found.terminal == "Promoted"]
    return str((given[-1:] or [(record.release or {}).get("version")])[0] or "")


def _serves(record: RunRecord) -> list[str]:
    """What serves after a run that changed nothing."""
    resolve = next((step for step in record.steps if step.step == "resolve"), None)
    if resolve is None or record.outcome not in {"held", "insufficient", "nothing_new", "refused", "rolled_back"}:
        return []
    before = resolve.facts.get("serves")
    return [f"  version {before['version']} serves on" if isinstance(before, dict) else "  nothing serves yet"]


def _next(record: RunRecord) -> list[str]:
    name, ferryman = record.name, program()
    if record.outcome == "promoted" or any(found.terminal == "Promoted" for found in record.promotions):
        serve, predict = f"{ferryman} serve", f"{ferryman} predict {name} FILE"
        return [f"  next: {serve:<{len(predict)}}  (serves it here)", f"        {predict}  (asks it)"]
    if record.outcome in {"held", "insufficient"}:
        return [
            f"  next: {_advice(record)}, and run it again",
            f'        {ferryman} promote {record.run} --despite-hold --reason "..."   (releases it all the same)',
        ]
    if record.outcome == "nothing_new":
        return ["  next: nothing; another seed, other data or another model would make another candidate"]
    if record.outcome in {"refused", "superseded"}:
        return ["  next: mend what is said above and run the spec again; this release is never tried again by itself"]
    again = {
        UsageError.exit_code: "a resumed run has the spec and the code that it began with",
        DataError.exit_code: "a resumed run would read the same data",
    }
    if record.exit_code in again:
        return [f"  next: mend what is said above and run the spec again ({again[record.exit_code]})"]
    if record.outcome in {"failed", "interrupted", "running", "rolled_back"}:
        return [f"  next: {ferryman} run --resume {record.run}   (finished steps are not repeated)"]
    if record.outcome == "conflict":
        return ["  next: run the spec again: it will compare with what serves now"]
    return []
