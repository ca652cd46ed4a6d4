"""`ferryman lint`: what is wrong in compiled pipelines, ours and others'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.errors import SpecError, UsageError
from ferryman.spec.cluster import ClusterTarget
from ferryman_pipelines.cli.options import TargetsFile, target_named
from ferryman_pipelines.cli.output import Format, say, show, show_json

if TYPE_CHECKING:
    from ferryman_pipelines.lint import Finding

SHOWN = 5
"""Places of one rule that a person reads; `-o json` has all."""


@dataclass(frozen=True)
class Report:
    """One file and what was found in it."""

    file: str
    findings: list[Finding] = field(default_factory=list)
    others: tuple[str, ...] = ()
    """Documents that no rule looks at."""

    error: str = ""
    """Why it could not be read; then nothing was looked for."""

    def count(self, severity: str) -> int:
        """Findings that count, of one severity."""
        return sum(finding.severity == severity and not finding.waived for finding in self.findings)


def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Compiled pipelines, and Kubernetes objects with or for one.", metavar="FILE..."),
    ] = None,
    on: Annotated[str | None, typer.Option("--on", help="The target whose waivers count.", metavar="TARGET")] = None,
    targets: TargetsFile = None,
    waive: Annotated[
        list[str] | None, typer.Option("--waive", help="Accept what one rule finds.", metavar="RULE=REASON")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules.")] = False,
    output: Annotated[Format, typer.Option("-o", "--output", help="How to print what was found.")] = Format.text,
) -> int:
    """Find in a compiled pipeline what only production would find.

    That is what KFP's compiler and backend let pass, in any pipeline that is compiled for KFP v2. It runs and changes
    nothing. Exit code 0 when there is no error (warnings do not count), 2 otherwise.

    Example: ferryman lint pipeline.yaml
    """
    if rules:
        return _list_rules(output)
    if not files:
        raise UsageError("received no file; try: ferryman lint pipeline.yaml (or --rules)")
    waivers = _waivers(on, targets, waive or [])
    reports = [_report(file, waivers) for file in files]
    if output is Format.json:
        show_json({"ok": not _wrong(reports), "files": [_document(report) for report in reports]})
    else:
        show("\n\n".join(map(_told, reports)))
        _say_unused(waivers, reports)
    return SpecError.exit_code if _wrong(reports) else 0


def _report(file: Path, waivers: Mapping[str, str]) -> Report:
    from ferryman_pipelines.lint.bundle import read_bundle
    from ferryman_pipelines.lint.linting import lint_bundle
    from ferryman_pipelines.lint.reading import read_documents

    try:
        bundle = read_bundle(read_documents(file))
    except SpecError as error:
        return Report(str(file), error=": ".join(part for part in (error.path, error.message) if part))
    return Report(str(file), lint_bundle(bundle, waivers), bundle.others)


def _waivers(on: str | None, targets: Path | None, given: list[str]) -> dict[str, str]:
    """The waivers of the target and of the command line."""
    from ferryman_pipelines.lint.linting import check_waivers

    waivers = _of_target(on, targets) if on or targets else {}
    for text in given:
        name, equals, reason = text.partition("=")
        if not equals:
            raise UsageError(f"--waive {text}: expected RULE=REASON, e.g. --waive 'image-digest=our proxy pins them'")
        waivers[name.strip()] = reason
    check_waivers(waivers)
    return waivers


def _of_target(on: str | None, targets: Path | None) -> dict[str, str]:
    if not on:
        raise UsageError("--targets: received no target, expected its name, e.g. --on prod")
    target = target_named(on, targets)
    # Other targets have no files of their own.
    return target.lint.waive if isinstance(target, ClusterTarget) else {}


def _wrong(reports: Iterable[Report]) -> bool:
    return any(report.error or report.count("error") for report in reports)


def _document(report: Report) -> dict[str, Any]:
    return {
        **asdict(report),
        "errors": report.count("error"),
        "warnings": report.count("warning"),
        "waived": sum(bool(finding.waived) for finding in report.findings),
    }


def _told(report: Report) -> str:
    """A file's findings by rule, errors first, with reason and fix."""
    if report.error:
        return f"{report.file}: {report.error}"
    lines = [f"{report.file}: {_summary(report)}"]
    for severity in ("error", "warning"):
        for rule in dict.fromkeys(finding.rule for finding in report.findings if finding.severity == severity):
            found = [finding for finding in report.findings if finding.rule == rule]
            lines += _waived(found) if found[0].waived else _broken(found)
    return "\n".join(lines)


def _broken(found: list[Finding]) -> list[str]:
    first = found[0]
    lines = [f"  {first.severity:<8} {first.rule}: {first.reason}"]
    lines += [f"           {finding.where}: {finding.what}" for finding in found[:SHOWN]]
    lines += (
        [f"           and {_counted(len(found) - SHOWN, 'more place')} (-o json lists all)"]
        if len(found) > SHOWN
        else []
    )
    return [*lines, f"           try: {first.fix}"]


def _waived(found: list[Finding]) -> list[str]:
    return [f"  waived   {found[0].rule} ({_counted(len(found), 'place')}): {found[0].waived}"]


def _summary(report: Report) -> str:
    errors, warnings = report.count("error"), report.count("warning")
    waived = len(report.findings) - errors - warnings
    words = [_counted(errors, "error"), _counted(warnings, "warning")] if errors or warnings else ["nothing found"]
    words += [f"{waived} waived"] if waived else []
    words += [f"not looked at: {', '.join(dict.fromkeys(report.others))}"] if report.others else []
    return ", ".join(words)


def _say_unused(waivers: Mapping[str, str], reports: list[Report]) -> None:
    """A waiver that nothing needs any more would hide the next finding."""
    used = {finding.rule for report in reports for finding in report.findings}
    for name in waivers if not any(report.error for report in reports) else ():
        if name not in used:
            say(f"the waiver of {name} waives nothing here")


def _list_rules(output: Format) -> int:
    from ferryman_pipelines.lint.linting import RULES

    if output is Format.json:
        show_json(
            [{"id": rule.id, "severity": rule.severity, "reason": rule.reason, "fix": rule.fix} for rule in RULES]
        )
        return 0
    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        show(f"{rule.severity:<8} {rule.id:<{width}}  {rule.reason}")
        show(f"{'':<8} {'':<{width}}  -> {rule.fix}")
    return 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
