"""What two specs, or any two documents of theirs, say differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One field that two documents do not agree on; None stands for a field that one of them lacks."""

    field: str
    """Dotted, e.g. `gate.require.0.at_least`."""

    a: Any
    b: Any


def differences(a: Any, b: Any, field: str = "") -> Iterator[Difference]:
    """The smallest parts in which two documents differ, in the order in which they stand in `a`, then in `b`.

    Where pinned bytes lie is no difference: their digests say what they are.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            if not (key == "uri" and "sha256" in a and "sha256" in b):
                yield from differences(a.get(key), b.get(key), f"{field}.{key}" if field else str(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from differences(one, other, f"{field}.{number}")
    elif a != b or isinstance(a, bool) != isinstance(b, bool):
        yield Difference(field, a, b)
