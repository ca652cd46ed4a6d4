"""The memory of processes, from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ferryman_pipelines.cli.live.memory import Resident, family, processes


def test_a_process_counts_with_all_that_it_started_and_nobody_else() -> None:
    known = {1: Resident(0, 1000), 7: Resident(1, 10), 8: Resident(7, 2), 9: Resident(8, 4), 12: Resident(1, 500)}
    assert family(7, known) == 16
    assert family(8, known) == 6
    assert family(99, known) == 0


def test_what_a_real_child_takes_is_seen_whatever_its_name_holds() -> None:
    take = "import sys, ctypes; ctypes.CDLL(None).prctl(15, b') 1 (x'); taken = b'x' * 50_000_000; print(flush=True)"
    code = f"{take}; sys.stdin.read()"
    before = family(os.getpid(), processes())
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        known = processes()
    assert known[child.pid].parent == os.getpid()
    assert 50e6 < known[child.pid].size < 150e6
    assert family(os.getpid(), known) - before > 45e6


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert processes(tmp_path / "proc") == {}
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "stat").write_text("torn")
    assert processes(tmp_path) == {}
