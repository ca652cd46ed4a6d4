"""What the linter finds: which rule is broken, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One place where one rule is broken."""

    rule: str
    """The rule's id, by which it is waived."""

    severity: Severity
    """error: it is refused, fails, or does something other than it says; warning: it runs, and its owner may regret it."""

    where: str
    """The place in the file, e.g. `root.dag.tasks.train`; later documents of a file begin with their number, `[2].`."""

    what: str
    """What was found there."""

    reason: str
    """Why the rule exists, in one line."""

    fix: str
    """What to change."""

    waived: str = ""
    """Why it is accepted, as the targets file says; empty for what counts."""
