"""Files that hold a protobuf message as text, written by hand and by machines.

Source of the codes and texts: tensorflow_serving/util/proto_util.h (2.21), ParseProtoTextFile.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path
from typing import Any

from ferryman.model_server.core import INVALID_ARGUMENT, NOT_FOUND, Refusal
from ferryman.model_server.file_errors import refused

log = logging.getLogger("ferryman.model_server")


def read(path: str, message: Any) -> Any:
    """The `message` (its class) that a file holds.

    Raises:
        Refusal: the file cannot be read, or is none; then what is wrong in it is logged.
    """
    from google.protobuf import text_format

    content, parsed = contents(path), message()
    try:
        # In the pool of the message: what an Any holds may be known there alone.
        text_format.Parse(content.decode(), parsed, descriptor_pool=message.DESCRIPTOR.file.pool)
    except (text_format.ParseError, ValueError, RecursionError) as error:
        log.error("%s is no %s: %s", path, message.DESCRIPTOR.name, " ".join(str(error).split())[:500])
        raise Refusal(INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'") from error
    return parsed


def contents(path: str) -> bytes:
    """What is in a file. Refusal when it cannot be read, or mapped: the real server maps it, which an empty one resists."""
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if not found.st_size:
            # A pipe, too, which would keep us waiting.
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return Path(path).read_bytes()
    except ValueError as error:
        raise Refusal(NOT_FOUND, f"{path!r}; {error}") from error
    except OSError as error:
        raise refused(error, path) from error
