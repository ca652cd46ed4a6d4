"""Data files as people have them, none of which a spec was made for: decimal commas, dates, identifiers, gaps, odd names."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def houses(folder: Path) -> Path:
    """Semicolons, decimal commas, a byte order mark, CR LF, dates, an id, a constant, 40 % missing, names with blanks."""
    draw = random.Random(3)
    lines = ["Objekt-ID;Größe (qm);Lage;Verkauft am;Notiz;Währung;Zimmer;Preis"]
    for number in range(600):
        size, rooms, place = draw.uniform(30, 200), draw.randint(1, 6), draw.choice(["Nord", "Süd", "West"])
        price = size * 3.1 + rooms * 20 + (80 if place == "Süd" else 0) + draw.gauss(0, 15)
        note = " ".join(draw.choice(["schön", "alt", "neu", "hell", "ruhig", "Balkon", "Keller"]) for _ in range(6))
        known = "" if draw.random() < 0.4 else str(rooms)
        cells = [
            f"OBJ-{number * 7:05d}",
            f"{size:.2f}",
            place,
            f"{draw.randint(1, 28):02d}/{draw.randint(1, 12):02d}/2023",
        ]
        lines.append(";".join([*cells, note, "EUR", known, f"{price:.1f}"]).replace(".", ","))
    path = folder / "Häuser 2023.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    return path


def events(folder: Path) -> Path:
    """Parquet with nulls, time stamps, booleans, a nested column, and integers that only identify."""
    draw, rows = random.Random(4), 500
    start = datetime(2024, 1, 1)
    amount = [None if draw.random() < 0.2 else draw.gauss(100, 20) for _ in range(rows)]
    online = [draw.random() < 0.5 for _ in range(rows)]
    fraud = ["yes" if (value or 90) > 100 and there else "no" for value, there in zip(amount, online, strict=True)]
    columns = {
        "when": [start + timedelta(hours=7 * number, seconds=number) for number in range(rows)],
        "Amount (EUR)": amount,
        "online": online,
        "account": pa.array([2**60 + number * 13 for number in range(rows)]),
        "tags": pa.array([[1, 2], [3]] * (rows // 2)),
        "fraud": [None if number % 50 == 0 else label for number, label in enumerate(fraud)],
    }
    path = folder / "events.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=128)
    return path


def flowers_without_header(folder: Path) -> Path:
    """No header: columns have indexes only."""
    draw = random.Random(5)
    names = ["setosa", "versicolor", "virginica"]
    path = folder / "iris.data"
    path.write_text(
        "".join(
            f"{draw.gauss(5 + kind, 0.3):.1f},{draw.gauss(3, 0.3):.1f},{draw.gauss(2 + kind, 0.3):.1f},{names[kind]}\n"
            for kind in (0, 1, 2)
            for _ in range(50)
        )
    )
    return path


def letters(folder: Path) -> Path:
    """Tabs, quoted cells with line ends and quotes in them, a header that is no safe name."""
    lines = ['"what\tit says"\t1st guess\tself\tclass']
    for number in range(120):
        text = '"dear ""you""\nhello"' if number % 2 else '"bye\n"'
        lines.append(f"{text}\t{number * 1.5}\t{'abc'[number % 3]}\t{number % 2}")
    path = folder / "letters.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def digits(folder: Path) -> Path:
    """Images of 8 x 8 pixels from 0 to 16, the digit in the first column, sorted by it."""
    draw = random.Random(6)
    lines = ["digit," + ",".join(f"pixel{number}" for number in range(64))]
    for row in range(200):
        digit = row // 20
        pixels = [16 if number % 10 == digit else draw.randint(0, 5) for number in range(64)]
        lines.append(",".join(map(str, [digit, *pixels])))
    path = folder / "digits.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


RUNNABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "houses": (houses, "Preis"),
    "events": (events, "fraud"),
    "iris": (flowers_without_header, "3"),
    "letters": (letters, "class"),
    "digits": (digits, "digit"),
}
"""Name -> what writes the file, and its label."""
