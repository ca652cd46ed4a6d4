"""How long a whole run takes beside one plain script that does the same, and warm beside fresh.

    python tests/benchmarks/run.py [--runs N] [digits] [mnist] [table]

Prints JSON lines {"name", "ours", "floor", "ratio", "unit", "runs"}: medians over N runs, measured in alternation.
`ours` is `ferryman run` from a pinned input to a promoted release in a fresh FERRYMAN_HOME; the floor trains for as
many epochs as that run did. `NAME, warm against fresh` has `--isolate` as its floor. Unit `s` is the wall clock,
`CPU s` the processor time of all processes, which hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.data.options import PinnedSource
from ferryman.storage.uri import local_path
from ferryman_pipelines.cli.home import Home
from ferryman_pipelines.cli.pinning import pinned_spec

HERE = Path(__file__).resolve().parent
SPECS = HERE.parents[1] / "pipelines" / "specs"
ROWS = 100_000

TABLE = """\
spec: 1
name: table
data:
  source: table.csv
  format: {kind: csv, nulls: [""]}
  features:
    x0: {kind: number, missing: mean}
    x1: {kind: number, missing: mean}
    x2: {kind: number, missing: mean}
    x3: {kind: number, missing: mean}
    x4: {kind: number, missing: mean}
    x5: {kind: number, missing: mean}
    shop: {kind: category}
    colour: {kind: category, missing: category}
  label: {kind: class, column: kind}
  split: {kind: exact, validation: 0.1, test: 0.2, seed: 7}
model: {kind: mlp, hidden: [64, 32]}
train: {epochs: 8, batch_size: 128, optimizer: {kind: adam, learning_rate: 0.002}, stop: {metric: loss, patience: 3}}
convert: {try: [int8, float32], required: true}
gate:
  require: [{metric: accuracy, at_least: 0.8}]
  champion: {metric: accuracy, may_lose: 0.01}
  converted: {metric: accuracy, may_lose: 0.02}
"""


@dataclass
class Job:
    """One comparison: a spec, and what the plain script must know of it."""

    name: str
    spec: Path
    kind: str
    settings: dict[str, Any]
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Wall and CPU seconds by what was measured."""


def jobs(folder: Path, names: list[str]) -> Iterator[Job]:
    """The comparisons that were asked for."""
    split = {"validation": 0.1, "test": 0.2}
    if "digits" in names:
        digits = {"side": 8, "scale": 16, "filters": [16, 32], "dense": 32, "batch": 32, "rate": 0.003}
        yield Job("digits", SPECS / "digits.yaml", "images", {**digits, "validation": 0.15, "test": 0.25})
    if "mnist" in names:
        mnist = {"side": 28, "scale": 255, "filters": [32, 64], "dense": 64, "batch": 64, "rate": 0.001}
        yield Job("mnist", SPECS / "mnist.yaml", "images", {**mnist, **split})
    if "table" in names:
        write_table(folder / "table.csv")
        (folder / "table.yaml").write_text(TABLE, encoding="utf-8")
        table = {"hidden": [64, 32], "width": 4, "batch": 128, "rate": 0.002}
        yield Job("table", folder / "table.yaml", "table", {**table, **split})


def write_table(path: Path) -> None:
    """Six numbers with gaps, two categories, three classes that depend on them."""
    draw = np.random.default_rng(11)
    numbers = draw.normal(50, 12, (ROWS, 6))
    shop, colour = draw.integers(0, 12, ROWS), draw.integers(0, 4, ROWS)
    score = (numbers[:, 0] - numbers[:, 1]) / 12 + (shop % 3) - 1 + 0.4 * (colour == 2) + draw.normal(0, 0.3, ROWS)
    kind = np.digitize(score, [-0.8, 0.9])
    gaps = draw.random((ROWS, 6)) < 0.03
    names = ["", "red", "green", "blue"]
    with path.open("w", encoding="utf-8") as file:
        file.write("x0,x1,x2,x3,x4,x5,shop,colour,kind\n")
        for row in range(ROWS):
            cells = ["" if gap else f"{value:.3f}" for value, gap in zip(numbers[row], gaps[row], strict=True)]
            file.write(",".join([*cells, f"shop-{shop[row]}", names[colour[row]], "abc"[kind[row]]]) + "\n")


def measure(job: Job, runs: int, place: Path) -> None:
    """Fill the job's seconds: warm, fresh and floor in turn."""
    pinned = Home(place / "pinned")
    source = pinned_spec(job.spec, pinned).data.source
    if not isinstance(source, PinnedSource):
        raise TypeError(source)
    for number in range(runs):
        home = place / f"run-{number}"
        epochs = 0
        for what, options in (("warm", []), ("fresh", ["--isolate"])):
            shutil.copytree(pinned.folder, home)
            command = [str(Path(sys.executable).with_name("ferryman")), "run", str(job.spec), *options]
            timed(job, what, command, {"FERRYMAN_HOME": str(home)})
            (record,) = (json.loads(path.read_text()) for path in home.glob("runs/*/record.json"))
            epochs = next(step["facts"]["epochs"] for step in record["steps"] if step["step"] == "train")
            tell_steps(job, what, record)
            shutil.rmtree(home)
        out = place / f"floor-{number}"
        out.mkdir()
        settings = json.dumps(job.settings)
        floor = [sys.executable, HERE / "floor.py", job.kind, local_path(source.uri), str(epochs), out, settings]
        timed(job, "floor", [str(word) for word in floor], {})


def timed(job: Job, what: str, command: list[str], environment: dict[str, str]) -> None:
    """Run one command and keep its seconds; its output is shown when it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read().decode()}")
    job.seconds.setdefault(what, []).append((wall, usage.ru_utime + usage.ru_stime))


def tell_steps(job: Job, what: str, record: dict[str, Any]) -> None:
    """The seconds of each step, for people, on stderr."""
    steps = "  ".join(f"{step['step']} {step['seconds']:.1f}" for step in record["steps"])
    print(f"{job.name} {what}: {job.seconds[what][-1][0]:.1f} s  ({steps})", file=sys.stderr, flush=True)


def tell(job: Job) -> None:
    """The job's JSON lines."""
    for number, unit in enumerate(("s", "CPU s")):
        warm, fresh, floor = (
            statistics.median(seconds[number] for seconds in job.seconds[what]) for what in ("warm", "fresh", "floor")
        )
        runs = len(job.seconds["warm"])
        for name, ours, other in ((job.name, warm, floor), (f"{job.name}, warm against fresh", warm, fresh)):
            line = {"name": name, "ours": round(ours, 2), "floor": round(other, 2), "ratio": round(ours / other, 3)}
            print(json.dumps({**line, "unit": unit, "runs": runs}), flush=True)


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("names", nargs="*", default=["digits", "mnist", "table"], metavar="NAME")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs(Path(folder), given.names):
            place = Path(folder) / job.name
            place.mkdir()
            measure(job, given.runs, place)
            tell(job)


if __name__ == "__main__":
    main()
