"""Every compiled file is linted before it is written: no file of ours has an error, and what a target accepts it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ferryman.errors import SpecError
from ferryman.spec.yaml import read_yaml_stream

if TYPE_CHECKING:
    from ferryman_pipelines.lint import Finding

HERE: Final = dict.fromkeys(
    ("image-digest", "missing-requests", "missing-memory-limit", "missing-timeout"),
    "a run on this machine has processes, not pods; it stops a step at its limit by itself",
)
"""What does not hold for a file that only this machine runs."""

PORTABLE: Final = {"missing-timeout": "time limits are settings of one platform, and a portable file has none"}
"""What does not hold for the portable form."""


def judged(text: str, waivers: Mapping[str, str]) -> list[str]:
    """The warnings that a file's text deserves, a line each; a rule in `waivers` (rule -> reason) is not asked.

    Raises:
        SpecError: it has an error. UsageError: a waiver names no rule.
    """
    from ferryman_pipelines.lint import lint_documents

    documents = read_yaml_stream(text, max_bytes=len(text.encode()))
    found = [finding for finding in lint_documents(documents, waivers) if not finding.waived]
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        first, more = errors[0], f" (and {len(errors) - 1} more)" if errors[1:] else ""
        reason = f"{first.what}{more}: {first.reason}; try: {first.fix}"
        raise SpecError(first.where, f"{reason}, or waive {first.rule} with a reason in the targets file")
    rules = dict.fromkeys(finding.rule for finding in found)
    return [_line([finding for finding in found if finding.rule == rule]) for rule in rules]


def _line(found: list[Finding]) -> str:
    first = found[0]
    more = f" and {len(found) - 1} more" if found[1:] else ""
    return f"{first.rule}: {first.where}{more}: {first.reason}; try: {first.fix}"
