"""C's heap has as few arenas as it is told to have."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

ALLOCATE = """
import ctypes, sys, threading
from ferryman.model_server.heap import few_arenas

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
few_arenas(int(sys.argv[1]))
meeting = threading.Barrier(9)

def work():
    libc.malloc(5000)
    meeting.wait()

for _ in range(8):
    threading.Thread(target=work).start()
meeting.wait()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has arenas")
@pytest.mark.parametrize("most", [2, 4])
def test_eight_threads_share_the_arenas(most: int, tmp_path: Path) -> None:
    page = tmp_path / "malloc.xml"
    subprocess.run([sys.executable, "-c", ALLOCATE, str(most), str(page)], check=True, timeout=60)
    assert len(re.findall("<heap nr=", page.read_text())) == most
