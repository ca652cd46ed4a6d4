"""Values that people write with a unit."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")


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
