"""Memory of processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Resident:
    """One process: who started it, and how much of it is in memory."""

    parent: int
    size: int
    """Bytes; what it shares with others is counted with each."""


def processes(proc: Path = Path("/proc")) -> dict[int, Resident]:
    """Every process that can be seen, by its id; none where there is no /proc."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = {}
    try:
        names = [name for name in os.listdir(proc) if name.isdigit()]
    except OSError:
        return {}
    for name in names:
        try:
            # The name in parentheses may hold anything. Source: proc(5), fields 4 (ppid) and 24 (rss, pages).
            words = (proc / name / "stat").read_bytes().rpartition(b")")[2].split()
            found[int(name)] = Resident(int(words[1]), int(words[21]) * page)
        except (OSError, ValueError, IndexError):
            # It ended meanwhile.
            continue
    return found


def family(pid: int, known: Mapping[int, Resident]) -> int:
    """Bytes of a process and of all that it started; 0 when it is gone."""
    children: dict[int, list[int]] = {}
    for number, process in known.items():
        children.setdefault(process.parent, []).append(number)
    members = [pid] if pid in known else []
    for member in members:
        members += children.get(member, ())
    return sum(known[member].size for member in members)
