"""What a look at the machine or at local state has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of `ferryman doctor`."""

    name: str
    """What was looked at."""

    state: Literal["ok", "warn", "fail"]
    """Fail: ferryman cannot run here as it is. Warn: something that a person may want to know, or may miss later."""

    text: str
    fix: str = ""
    """What to try; empty where all is well."""
