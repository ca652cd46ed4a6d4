"""A lock file: one holder, given back by the kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ferryman.errors import UnavailableError
from ferryman.storage.lock import held, hold, holder, share


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


def test_those_who_share_a_lock_keep_out_who_wants_it_alone_and_not_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with share(path), share(path), pytest.raises(UnavailableError, match="shared"), hold(path, "shared"):
        pass
    with hold(path, "still shared"):
        pass


def test_a_lock_whose_folder_is_removed_while_it_is_waited_for_is_held_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with hold(path, "taken"), ThreadPoolExecutor(1) as threads:

        def wait() -> None:
            with hold(path, "taken"):
                pass

        waiting = threads.submit(wait)
        shutil.rmtree(path.parent)
        # It waits on the old file, or finds no folder and makes a new one; it must never hold the old one.
        path.parent.mkdir()
        path.touch()
    assert held(path) is False
    error = waiting.exception()
    assert error is None or isinstance(error, UnavailableError)
