"""Compressed bodies, under the real server's rules.

Source: util/net_http/server/internal/evhttp_request.cc (NeedUncompressGzipContent, ReadRequestGzipBytes) and
util/net_http/compression/gzip_zlib.cc (UncompressGzipAndAllocate).
"""

from __future__ import annotations

import logging
import zlib

log = logging.getLogger("ferryman.model_server")

LARGEST = 100 << 20
"""Bytes that a body may unpack to (`ZLib::kMaxUncompressedBytes`)."""


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body under its Content-Encoding; empty when it is damaged or unpacks to too much, as the real server has it."""
    if "gzip" not in encoding or not body:
        return body
    # 31: a gzip header, and its check sum at the end. Source: zlib manual, inflateInit2.
    stream = zlib.decompressobj(31)
    try:
        found = stream.decompress(body, LARGEST + 1)
    except zlib.error as error:
        log.error("Failed to uncompress the gzipped body: %s", error)
        return b""
    # One member, and nothing after it: the real server hands zlib the whole body at once.
    if not stream.eof or stream.unused_data or len(found) > LARGEST:
        log.error(
            "Failed to uncompress the gzipped body: it is cut, has a second part or is larger than %d bytes", LARGEST
        )
        return b""
    return found
