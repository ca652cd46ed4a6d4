"""What the kernel does to a container whose memory runs out, as seen from inside.

An engine tells it of a container's main process at best: a child that is killed leaves a container that ends well.
"""

from __future__ import annotations

from pathlib import Path


def memory_kills(proc: Path = Path("/proc/self")) -> int:
    """How many processes of this container were killed because its memory ran out; 0 outside of containers.

    Source: Linux, Documentation/admin-guide, cgroup-v1/memory.rst (`memory.oom_control`, `oom_kill` since 4.13) and
    cgroup-v2.rst (`memory.events`).
    """
    try:
        mounts = (proc / "mountinfo").read_text(encoding="utf-8", errors="replace")
        groups = (proc / "cgroup").read_text(encoding="utf-8", errors="replace")
        counter = counter_file(mounts, groups)
        counts = dict(line.split() for line in counter.read_text().splitlines()) if counter else {}
        return int(counts.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def counter_file(mounts: str, groups: str) -> Path | None:
    """Where this container's kills are counted, of what /proc/self/mountinfo and cgroup say; None outside of one.

    A control group that others share, as a session's on a laptop, counts kills that are none of ours.
    """
    own = dict(line.split(":", 2)[1:] for line in groups.splitlines())
    for line in mounts.splitlines():
        # Source: proc(5): root, mount point and options stand fourth to sixth, then optional fields to a single dash.
        place, _, system = line.partition(" - ")
        # A blank in a path is written as octal.
        root, point = (path.replace("\\040", " ") for path in place.split()[3:5])
        kind, _, options = system.split(" ", 2)
        if kind == "cgroup" and "memory" in options.split(",") and root == own.get("memory") != "/":
            return Path(point) / "memory.oom_control"
        # In a namespace of its own it is the root; the machine's own root has no such file.
        if kind == "cgroup2" and own.get("") == root == "/" and "memory" not in own:
            return Path(point) / "memory.events"
    return None
