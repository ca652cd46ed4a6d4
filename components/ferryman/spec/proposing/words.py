"""Numbers and texts of the data as comments show them."""

from __future__ import annotations

from collections import Counter
from typing import Final

LENGTH: Final = 30
"""Characters of a cell that a comment shows."""


def shown(text: str) -> str:
    """A cell as it stands, or in quotes with its odd characters written out; never more than one short line."""
    short = text if len(text) <= LENGTH else f"{text[: LENGTH - 3]}..."
    simple = short.isprintable() and short == short.strip() and short and short[0] not in "\"'"
    return short if simple else repr(short)


def called(column: str | int) -> str:
    """A column as a person calls it: by its name, or by its index."""
    return shown(column) if isinstance(column, str) else f"column {column}"


def examples(texts: Counter[str], most: int = 4) -> str:
    """The most frequent texts, e.g. `a, b, c, ...`."""
    first = [shown(text) for text, _ in texts.most_common(most)]
    return ", ".join([*first, "..."] if len(texts) > most else first)


def percent(share: float) -> str:
    """A share for people; what is not nothing and not all is not rounded to it."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    if 0.995 < share < 1:
        return f"{min(100 * share, 99.9):.1f} %"
    return f"{100 * share:.{1 if 0 < share < 0.1 else 0}f} %"


def plain(value: float) -> str:
    """A number of the data, without digits that nobody needs."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value)}"
    return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e15 else f"{value:.0f}"


def count(number: int, what: str) -> str:
    """`1 value`, `3 values`, `2 classes`."""
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {what if number == 1 else plural}"
