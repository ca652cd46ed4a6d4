"""Which call a request is.

Source: model_servers/http_rest_api_util.cc (the expressions, ParseModelInfo), model_servers/http_rest_api_handler.cc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal

API = re.compile(r"/v1/.*", re.I | re.A)
"""Targets that the API answers; all others are not found."""

_WHICH = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(rf"/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)", re.I | re.A)
_GET = re.compile(rf"/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.I | re.A)

KEPT = 128
"""Targets whose calls are remembered."""

LARGEST_INT64 = 2**63 - 1


class NotNumeric(Refusal):
    """A version that is no int64; the real server answers it without a body."""

    def __init__(self, digits: str) -> None:
        super().__init__(INVALID_ARGUMENT, f"Failed to convert version: {digits} to numeric.")


@dataclass(frozen=True, slots=True)
class Route:
    """A call to a model. Names and labels may hold any bytes: as `surrogateescape` decodes them."""

    model: str = ""
    number: int | None = None
    label: str | None = None
    method: str = ""
    """What stands after the colon, or `metadata`, or neither, as it was written: only lower case is a method."""

    @property
    def shown(self) -> str:
        """The model's name where it must be text: what is no UTF-8 is replaced."""
        return self.model.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@lru_cache(KEPT)
def route(http_method: str, target: str) -> Route | None:
    """The call of a request to the API, None when it is malformed.

    Raises:
        NotNumeric: for a version beyond int64.
    """
    pattern = {"POST": _POST, "GET": _GET}.get(http_method)
    found = pattern.fullmatch(target) if pattern else None
    if found is None:
        return None
    number = None if found[2] is None else _number(found[2])
    label = None if found[3] is None else _decoded(found[3])
    return Route(_decoded(found[1] or ""), number, label, found[4] or "")


@lru_cache(KEPT)
def model_of(http_method: str, target: str) -> str:
    """The model that a target names, for what is counted about it; empty when it names none."""
    pattern = {"POST": _POST, "GET": _GET}.get(http_method)
    found = pattern.fullmatch(target) if pattern else None
    return Route(_decoded(found[1] or "")).shown if found else ""


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    # Only as many digits as an int64 has: Python refuses to read thousands.
    if len(significant) > len(str(LARGEST_INT64)) or int(significant or "0") > LARGEST_INT64:
        raise NotNumeric(digits)
    return int(significant or "0")


def _decoded(text: str) -> str:
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")
