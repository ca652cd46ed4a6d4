"""`ferryman promote`: what a gate held, a person may release, with a reason and on the record."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferryman.artifacts.promotion import Promotion
from ferryman.artifacts.record import EXIT_CODES, TERMINAL, write_record
from ferryman.artifacts.run_store import Run
from ferryman.artifacts.step import timestamp
from ferryman.errors import ConflictError, InterruptedRunError, UsageError
from ferryman.serving.record import Ended, ModelPart
from ferryman_pipelines.cli.completion import run_ids
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.output import Format, program, say, show, show_json
from ferryman_pipelines.cli.rollback import adopted
from ferryman_pipelines.cli.runs import find_run

if TYPE_CHECKING:
    from ferryman.serving.promotion import Candidate


def promote(
    run: Annotated[
        str, typer.Argument(help="The run whose model it is: its id, or `last`.", metavar="RUN", autocompletion=run_ids)
    ],
    despite_hold: Annotated[
        bool, typer.Option("--despite-hold", help="Release it although the run's gate held it.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept on the record.")] = "",
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")] = Format.text,
) -> int:
    """Release a model that the gate held or that was rolled back.

    A person has a reason to, and it is kept on the record.

    The evidence is verified first, and the server proves the model as in any release; it goes on the run's record.
    A model that a server did not serve, or that answers NaN, is released by nobody.

    Example: ferryman promote last --despite-hold --reason "the champion's labels were wrong in May"
    """
    if despite_hold and not reason.strip():
        raise UsageError("--reason is missing or empty; say why, it is kept on the record")
    found = find_run(run)
    from ferryman.serving.promotion import comparison, judged_candidate
    from ferryman_pipelines.runners.signals import sigterm_interrupts

    with found.lock(), sigterm_interrupts():
        group = _group(found)
        promotion = _unfinished(found, group)
        if promotion:
            say(f"{promotion.release} was asked for already by {promotion.by}: {promotion.reason}")
        else:
            candidate = judged_candidate(found)
            part = _part(group, candidate.card.name)
            refusal = _refused(candidate, part, despite_hold)
            if refusal is not None:
                return refusal
            say(f"promoting the model of run {found.id}: {comparison(candidate, part)}")
            promotion = _ask(found, candidate, group, part, reason.strip())
        end, promotion = _ended(found, group, promotion)
    if output is Format.json:
        show_json(promotion.model_dump(mode="json"))
    elif end.state == "Promoted":
        show(f"version {end.version} serves; {promotion.by} promoted it: {promotion.reason}")
    else:
        show(f"{promotion.release}: {end.state}: {end.why}")
    return EXIT_CODES[TERMINAL[end.state]]


def _refused(candidate: Candidate, part: ModelPart, despite_hold: bool) -> int | None:
    """Say why this model is not released now; the exit code, None when it may be."""
    from ferryman.serving.promotion import is_held, never

    name, stable = candidate.card.name, part.stable
    if stable and stable.content == candidate.card.content:
        say(f"nothing new: version {stable.number} of {name}, which serves, is this very model")
        return EXIT_CODES["nothing_new"]
    if why := never(candidate):
        say(f"the model of run {candidate.run} may not be promoted at all, whatever the reason: {why}")
        return EXIT_CODES["refused"]
    if not is_held(candidate, part):
        raise UsageError(
            f"nobody holds the model of run {candidate.run}: its gate said {candidate.verdict.kind} (see "
            f"`{program()} runs show {candidate.run}`); run its spec again, it will be compared with what serves now"
        )
    if despite_hold:
        return None
    _say_what_held(candidate, part)
    return EXIT_CODES["held"]


def _say_what_held(candidate: Candidate, part: ModelPart) -> None:
    say(f"the model of run {candidate.run} is held: its gate said {candidate.verdict.kind}")
    for reason in candidate.verdict.reasons:
        if not reason.ok:
            say(f"  HOLD  {reason.text}")
    if candidate.card.content in part.refused:
        say("  HOLD  a person rolled this very model back")
    say(f'to release it all the same: {program()} promote {candidate.run} --despite-hold --reason "..."')


def _ask(run: Run, candidate: Candidate, group: Path, part: ModelPart, reason: str) -> Promotion:
    """Ask for the release; the decision is on the run's record before it."""
    from ferryman.serving.promotion import despite_hold
    from ferryman.serving.release import create_release

    now, name = timestamp(datetime.now(UTC)), _new_name(run.id, group)
    promotion = Promotion(
        release=name,
        by=_who(),
        at=now,
        reason=reason,
        despite=candidate.verdict.kind,
        compared_with=candidate.compared_with,
        serves=part.stable.number if part.stable else None,
    )
    run.write_promotion(promotion)
    create_release(group, despite_hold(candidate, part, name=name, created=now, reason=reason))
    return promotion


def _ended(run: Run, group: Path, promotion: Promotion) -> tuple[Ended, Promotion]:
    """Wait for the release, and put on the record how it ended; whoever is interrupted aborts it."""
    from ferryman.serving.release import read_end
    from ferryman_pipelines.runners.serving import wait_for

    try:
        end = wait_for(group, promotion.release, give_up="the person who asked for it interrupted it")
    except (KeyboardInterrupt, InterruptedRunError) as error:
        known = read_end(group, promotion.release)
        if known:
            _keep(run, promotion, known)
        how = f"ended {known.state}" if known else "is given up by whoever runs the group next"
        raise InterruptedRunError(f"interrupted: {promotion.release} {how}") from error
    return end, _keep(run, promotion, end)


def _keep(run: Run, promotion: Promotion, end: Ended) -> Promotion:
    """The decision with its end, on the run's record."""
    told = {"terminal": end.state, "version": end.version, "why": end.why, "ended": timestamp(datetime.now(UTC))}
    promotion = promotion.model_copy(update=told)
    run.write_promotion(promotion)
    write_record(run)
    return promotion


def _unfinished(run: Run, group: Path) -> Promotion | None:
    """A decision whose release has been asked for and has not ended; ends that were missed are put on the record."""
    from ferryman.serving.release import read_end

    for promotion in run.promotions():
        if promotion.terminal or not _asked(group, promotion.release).exists():
            continue
        end = read_end(group, promotion.release)
        if end is None:
            return promotion
        _keep(run, promotion, end)
    return None


def _part(group: Path, model: str) -> ModelPart:
    """The model's part of the group record as it is now; ConflictError while something moves."""
    record = adopted(group)
    part = record.models.get(model, ModelPart()) if record else ModelPart()
    if part.phase != "idle":
        moving = part.release or part.rollback
        raise ConflictError(f"{moving} of {model} is on its way (phase {part.phase}): decide again when it has ended")
    return part


def _new_name(run: str, group: Path) -> str:
    from ferryman.serving.promotion import release_name

    attempt = 1
    while _asked(group, release_name(run, attempt)).exists():
        attempt += 1
    return release_name(run, attempt)


def _asked(group: Path, release: str) -> Path:
    return group / "releases" / f"{release}.json"


def _group(run: Run) -> Path:
    """The group that the run released to, where it is now: the home may have been moved since."""
    resolve = run.fragment("resolve")
    name = Path(str(run.request().get("group") or (resolve.facts.get("group") if resolve else "") or "")).name
    if not name:
        raise UsageError(f"run {run.id} releases nowhere: it has no serving group")
    return home().group(name)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container without a user database.
        return f"uid {os.getuid()}"
