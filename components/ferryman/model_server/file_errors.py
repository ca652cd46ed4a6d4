"""What the real server makes of the operating system's errors."""

from __future__ import annotations

import errno

from ferryman.model_server.core import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNKNOWN,
    Refusal,
)

CODES = {
    **dict.fromkeys((errno.ENOENT, errno.ENODEV, errno.ENXIO), NOT_FOUND),
    **dict.fromkeys((errno.EINVAL, errno.ENAMETOOLONG), INVALID_ARGUMENT),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), PERMISSION_DENIED),
    **dict.fromkeys((errno.ENOTDIR, errno.EISDIR), FAILED_PRECONDITION),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC), RESOURCE_EXHAUSTED),
}
"""Source: Abseil, `status.cc:ErrnoToStatusCode`; any other is UNKNOWN."""


def refused(error: OSError, path: str = "") -> Refusal:
    """The refusal for an error at a file, named `path` or as the error names it.

    Source: TSL, `posix_file_system.cc:IOError`.
    """
    name, what = path or error.filename, error.strerror or str(error)
    text = f"{name}; {what}" if name else what
    return Refusal(CODES.get(error.errno or 0, UNKNOWN), text)
