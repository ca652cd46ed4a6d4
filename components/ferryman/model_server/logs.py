"""The server's log on standard error: one event a line, in words or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

log = logging.getLogger("ferryman.model_server")


def configure(kind: str) -> None:
    """Begin to log, as `text` or `json`: our own events from INFO on, other libraries' warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if kind == "json" else Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A standard error that nobody reads any more must not end a request.
    logging.raiseExceptions = False
    threading.excepthook = _thread_died


class Text(logging.Formatter):
    """`2026-11-25 15:04:05.123 INFO m version 3 serves`; a traceback goes behind it in the same line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = f"{moment}.{int(record.msecs):03} {record.levelname} {_escaped(record.getMessage())}"
        return f"{text} | {_escaped(trace)}" if (trace := _trace(record)) else text


class Json(logging.Formatter):
    """`{"time", "level", "event"}`, then the values that the event names, then `traceback` after a bug of ours."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; what is no JSON is written as text."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = record.args if isinstance(record.args, Mapping) else {}
        entry: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if trace := _trace(record):
            entry["traceback"] = trace
        return json.dumps(entry, default=str)


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or not record.exc_info[0]:
        return ""
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()


def _escaped(text: str) -> str:
    """Without line breaks and other controls: a model's name must not write a line of its own."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _thread_died(death: threading.ExceptHookArgs) -> None:
    if death.exc_type is SystemExit or death.exc_value is None:
        return
    trace: TracebackType | None = death.exc_traceback
    name = death.thread.name if death.thread else "?"
    log.error("A bug: the thread %s ended", name, exc_info=(death.exc_type, death.exc_value, trace))
