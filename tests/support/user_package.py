"""A folder as the author of a user package has it: `fraud/`, data that nobody made for us, and a spec."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).parent / "packages" / "fraud"

SPEC = """
spec: 1
name: fraud
code: {path: fraud}
data:
  source: payments.csv
  features:
    amount: {kind: "fraud.features:LogAmount", reads: number, missing: keep, base: 10}
    country: {kind: category}
    hour: {kind: number}
  label: {kind: class, column: outcome, classes: [honest, theft]}
  split: {kind: exact, validation: 0.15, test: 0.3, seed: 7}
model: {kind: "fraud.model:Fraud", width: 12}
train:
  {epochs: 30, batch_size: 32, optimizer: {kind: adam, learning_rate: 0.02},
   stop: {metric: "fraud.metrics:Cost", patience: 8}}
convert: {try: [int8, float32], required: true}
gate:
  require: [{metric: accuracy, at_least: 0.8}, {metric: "fraud.metrics:Cost", at_most: 1.0}]
  champion: {metric: "fraud.metrics:Cost", may_lose: 0.5}
  converted: {metric: "fraud.metrics:Cost", may_lose: 0.3}
"""


def author_folder(folder: Path, rows: int = 600) -> Path:
    """The spec in a new folder, with its package and its data beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(PACKAGE, folder / "fraud", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "payments.csv").write_text("\n".join(payments(rows)) + "\n", encoding="utf-8")
    spec = folder / "fraud.yaml"
    spec.write_text(SPEC.lstrip(), encoding="utf-8")
    return spec


def payments(rows: int, seed: int = 3) -> list[str]:
    """Thefts are large, or by night from one country; a twelfth of the amounts is missing, and one in fifty lies."""
    random = np.random.default_rng(seed)
    lines = ["amount,country,hour,outcome"]
    for row in range(rows):
        theft = random.random() < 0.35
        night = theft and random.random() < 0.5
        amount = np.exp(random.normal(7.5 if theft and not night else 3.5, 0.8))
        country = "XK" if night else ("DE", "PT", "XK")[random.integers(0, 3)]
        hour = random.integers(0, 5) if night else random.integers(7, 23)
        outcome = "theft" if theft != (row % 50 == 0) else "honest"
        lines.append(f"{'' if row % 12 == 5 else f'{amount:.2f}'},{country},{hour},{outcome}")
    return lines


def broken(spec: Path, file: str, before: str, after: str) -> Path:
    """Plant a mistake: `before` becomes `after` in a file beside the spec (or the spec itself)."""
    path = spec.parent / file
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{before!r} is not in {file}"
    path.write_text(text.replace(before, after), encoding="utf-8")
    return spec


def line_of(spec: Path, file: str, text: str) -> int:
    """The first line, from 1, of a file beside the spec that holds `text`."""
    lines = (spec.parent / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
