"""Names that a spec can have, from names that files and columns have."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from ferryman.features import RESERVED

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""The form of a spec's name."""

_ENDINGS: Final = re.compile(r"(\.(csv|tsv|tab|txt|data|parquet|pq|gz))+$", re.IGNORECASE)

_LETTERS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ø": "o", "æ": "ae", "ł": "l"}
)
"""Letters that lose more than an accent when they are written in ASCII."""


def spec_name(file: str) -> str:
    """A spec's name from that of its data file: `Telco Churn.csv.gz` -> `telco-churn`."""
    bare = _ENDINGS.sub("", file.rpartition("/")[2])
    name = re.sub(r"[^a-z0-9]+", "-", _ascii(bare).lower()).strip("-")[:63].rstrip("-")
    return name or "model"


def feature_names(columns: Iterable[tuple[int, str | int]]) -> dict[int, str]:
    """Position -> a feature's name for each column (position and name, or index): all different, case aside."""
    # TensorFlow's graphs tell names apart without their case, and `missing: mean` adds NAME_missing.
    taken: set[str] = set()
    names = {}
    for position, column in columns:
        base = feature_name(column)
        name, number = base, 2
        while {name.lower(), f"{name}_missing".lower()} & taken:
            name, number = f"{base}_{number}", number + 1
        taken |= {name.lower(), f"{name}_missing".lower()}
        names[position] = name
    return names


def feature_name(column: str | int) -> str:
    """A feature's name from that of its column: `Größe (cm)` -> `Groesse_cm`, 3 -> `column_3`."""
    if isinstance(column, int):
        return f"column_{column}"
    name = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(column)).strip("_")[:80]
    if column.isidentifier() and column.isascii() and not column.startswith("_") and len(column) <= 80:
        name = column
    if not name or name[0].isdigit() or name.lower() in RESERVED or keyword.iskeyword(name):
        name = f"column_{name}" if name else "column"
    return name


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_LETTERS))
    return decomposed.encode("ascii", "ignore").decode()
