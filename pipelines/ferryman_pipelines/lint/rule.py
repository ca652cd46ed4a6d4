"""What a rule is: a small pure function over a part of the file, with the words that explain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ferryman_pipelines.lint.finding import Finding, Severity

Places = Iterator[tuple[str, str]]
"""Where a rule is broken, and what was found there."""

Check = Callable[[Any], Places]


@dataclass(frozen=True)
class Rule:
    """One thing that a file may do wrong."""

    id: str
    severity: Severity
    reason: str
    fix: str
    subjects: tuple[type, ...]
    """What it looks at: `Pipeline`, `Manifest`, or the whole `Bundle` of documents."""

    check: Check

    def findings(self, subject: Any) -> Iterator[Finding]:
        """Every place in `subject` where the rule is broken."""
        if isinstance(subject, self.subjects):
            for where, what in self.check(subject):
                yield Finding(self.id, self.severity, where, what, self.reason, self.fix)


def rule(id: str, severity: Severity, *subjects: type, reason: str, fix: str) -> Callable[[Check], Rule]:
    """Make a rule of a function that yields the places where it is broken."""
    return lambda check: Rule(id, severity, reason, fix, subjects, check)


def rules_of(module: ModuleType) -> Iterator[Rule]:
    """The rules that a module defines, in its own order."""
    return (value for value in vars(module).values() if isinstance(value, Rule))
