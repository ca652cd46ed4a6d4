"""C's heap, from which TensorFlow and gRPC take their memory."""

from __future__ import annotations

import ctypes
import os

M_ARENA_MAX = -8
"""`mallopt`'s number for it (glibc, malloc.h)."""


def few_arenas(most: int = 0) -> None:
    """Let malloc have `most` arenas, by default one for each processor; call it before there are threads.

    glibc gives threads arenas of their own, up to eight for each processor, and every arena keeps what its largest
    requests needed: under requests of all sizes the server grew by 130 MB in three minutes, and with few arenas by 20. Other
    C libraries have no arenas, or none that can be counted: nothing happens there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, most or os.cpu_count() or 1)
