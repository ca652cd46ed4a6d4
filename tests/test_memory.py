"""Kills for want of memory as a container sees them, on both generations of control groups; none where it is no container."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.artifacts import step as steps
from ferryman.errors import StepError
from ferryman.process.memory import counter_file, memory_kills

FIRST = "85 81 0:32 /docker/0b7f /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime - cgroup cgroup rw,memory\n"
SECOND = "621 612 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime master:4 - cgroup2 cgroup rw,nsdelegate\n"
OTHERS = "81 80 0:50 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw\n"
OTHERS += "82 81 0:30 /docker/0b7f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"


@pytest.mark.parametrize(
    ("mounts", "groups", "file"),
    [
        (
            OTHERS + FIRST,
            "9:cpu,cpuacct:/docker/0b7f\n4:memory:/docker/0b7f\n0::/docker/0b7f\n",
            "memory/memory.oom_control",
        ),
        (OTHERS + SECOND, "0::/\n", "memory.events"),
        # A session on a laptop: others' kills count there too.
        (FIRST.replace("/docker/0b7f", "/"), "4:memory:/user.slice/session-1\n", None),
        (FIRST.replace("/docker/0b7f", "/"), "4:memory:/\n", None),
        (SECOND, "0::/user.slice/session-1.scope\n", None),
        ("", "", None),
    ],
)
def test_the_counter_is_that_of_the_container(mounts: str, groups: str, file: str | None) -> None:
    assert counter_file(mounts, groups) == (Path("/sys/fs/cgroup") / file if file else None)


def test_the_kills_are_counted(tmp_path: Path) -> None:
    group = tmp_path / "a group"
    group.mkdir()
    (tmp_path / "mountinfo").write_text(SECOND.replace("/sys/fs/cgroup", str(group).replace(" ", "\\040")))
    (tmp_path / "cgroup").write_text("0::/\n")
    assert memory_kills(tmp_path) == 0
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\n")
    assert memory_kills(tmp_path) == 2
    assert memory_kills(tmp_path / "missing") == 0


def test_a_step_that_lost_a_child_to_its_memory_limit_does_not_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([2, 3])
    monkeypatch.setattr(steps, "memory_kills", lambda: next(counts))
    with pytest.raises(StepError, match="killed 1 of its processes"), steps.step("s", str(tmp_path), "r", "") as run:
        folder = run.output(tmp_path / "made", kind="made")
        (folder / "half").write_text("x")
    fragment = run.run.fragment("s")
    assert fragment is not None
    assert (fragment.state, (tmp_path / "made").exists()) == ("failed", False)
