"""`ferryman check`: everything that can be known in a minute, before anything long runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ferryman.checks.finding import Finding, exit_code_of
from ferryman.checks.ground import Request
from ferryman.checks.stage import Told
from ferryman.spec import parse_assignments
from ferryman_pipelines.cli import output as words
from ferryman_pipelines.cli.home import home
from ferryman_pipelines.cli.options import Assignments, ReleaseGroup, TargetName, TargetsFile, spec_file
from ferryman_pipelines.cli.output import Format, program, say, show, show_json
from ferryman_pipelines.cli.target import choose
from ferryman_pipelines.runners.checking import run_checks


def check(
    spec: Annotated[Path, typer.Argument(help="The spec to check.", metavar="SPEC")],
    set_: Assignments = None,
    on: TargetName = "local",
    targets: TargetsFile = None,
    group: ReleaseGroup = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print what was found.")] = Format.text,
) -> int:
    """Try a spec on some rows: what would go wrong, and what to try.

    In under a minute it reads the data, takes two training steps, exports, converts and serves the model, and says
    whether the test rows can support the bounds under `gate`. Nothing is kept or released. It exits with 0 when
    nothing stands in the way, 2 for a wrong spec, 4 for the data, 5 for the model, 3 when the gate would hold
    whatever comes of it.

    Example: ferryman check pipelines/specs/mnist.yaml
    """
    place = home()
    request = Request(
        spec=str(spec_file(spec)),
        overrides=parse_assignments(set_ or []),
        home=str(place.folder),
        group=str(place.group(group or choose(on, targets).target.group)),
    )
    began = time.monotonic()
    stages: list[Told] = []

    def told(news: Told) -> None:
        if news.state != "begins":
            stages.append(news)
        if news.state == "done":
            say(stage_line(news))

    findings = run_checks(request, told, lambda log: say(log) if words.debug else None)
    code = exit_code_of(findings)
    if skipped := [news.stage for news in stages if news.state == "skipped"]:
        say(f"  not looked at: {', '.join(skipped)}")
    if output is Format.json:
        show_json(_document(spec, code, stages, findings))
    else:
        show(f"\n{summary(spec, findings, time.monotonic() - began)}")
    return code


def stage_line(news: Told) -> str:
    """A stage that has ended in one line: name, seconds, what was seen."""
    counts = Counter(finding.kind for finding in news.findings)
    marks = [_count(counts[kind], kind) for kind in ("error", "warning") if counts[kind]]
    return "  ".join([f"  {news.stage:<14}{news.seconds:6.1f} s", *marks, news.headline]).rstrip()


def summary(spec: Path, findings: Sequence[Finding], seconds: float) -> str:
    """All findings, the gravest first, and what to do next."""
    counts = Counter(finding.kind for finding in findings)
    errors = counts["error"]
    verdict = f"{_count(errors, 'error')} in the way" if errors else "nothing stands in the way"
    others = [_count(counts[kind], kind) for kind in ("warning", "note") if counts[kind]]
    besides = f" ({', '.join(others)})" if others else ""
    lines = [f"{spec}: {verdict}{besides}, {seconds:.0f} s"]
    for kind in ("error", "warning", "note"):
        for finding in findings:
            if finding.kind == kind:
                lines += _told(finding)
    if not errors:
        lines += ["", f"  next: {program()} run {spec}"]
    return "\n".join(lines)


def _told(finding: Finding) -> list[str]:
    first = (
        f"  {finding.kind:<8} {finding.where}: {finding.what}"
        if finding.where
        else f"  {finding.kind:<8} {finding.what}"
    )
    return [first, f"           try: {finding.advice}"] if finding.advice else [first]


def _document(spec: Path, code: int, stages: Sequence[Told], findings: Sequence[Finding]) -> dict[str, object]:
    return {
        "spec": str(spec),
        "exit_code": code,
        "findings": [finding.model_dump(mode="json", by_alias=True) for finding in findings],
        "stages": [stage.model_dump(mode="json", exclude={"findings"}) for stage in stages],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
