"""Values that people write with a unit."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

BYTES: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGT]i)")


def parse_duration(text: Any) -> float:
    """Seconds of `90s`, `30m`, `4h`, `28d`; ValueError for anything else, a number without its unit as well."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"received {text!r}, expected a duration with its unit: 90s, 30m, 4h, 28d")
    return float(found[1]) * SECONDS[found[2]]


Duration = Annotated[
    float,
    Field(gt=0.0),
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["90s", "4h"]}),
]
"""A time in seconds, written as `4h`."""


def parse_memory(text: Any) -> int:
    """Bytes of `512Mi`, `32Gi`; ValueError for anything else, a number without its unit as well."""
    found = _MEMORY.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"received {text!r}, expected memory with its unit: 512Mi, 32Gi")
    return int(float(found[1]) * BYTES[found[2]])


def written_memory(size: int) -> str:
    """`size` bytes as people write them, e.g. 512Mi or 1.5Gi."""
    unit, scale = next(((unit, scale) for unit, scale in reversed(BYTES.items()) if size >= scale), ("Ki", BYTES["Ki"]))
    return f"{size / scale:.4g}{unit}"


Memory = Annotated[
    int,
    Field(gt=0),
    BeforeValidator(parse_memory),
    WithJsonSchema({"type": "string", "pattern": f"^{_MEMORY.pattern}$", "examples": ["512Mi", "32Gi"]}),
]
"""Memory in bytes, written as `32Gi`."""
