"""A lock file: one holder, given back by the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferryman.errors import UnavailableError
from ferryman.storage.lock import held, hold, holder


def test_a_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lock"
    assert not held(path)
    with hold(path, "taken by {pid}"):
        assert held(path)
        assert holder(path) == os.getpid()
        with pytest.raises(UnavailableError, match=f"taken by {os.getpid()}"), hold(path, "taken by {pid}"):
            pass
        assert held(path), "the refused one must not have given it back"
    assert not held(path)


def test_a_killed_holder_gives_its_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = "import pathlib, sys, time\nfrom ferryman.storage.lock import hold\n"
    code += "with hold(pathlib.Path(sys.argv[1]), ''):\n    print('held', flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert held(path)
        process.kill()
    with hold(path, "still held"):
        pass
