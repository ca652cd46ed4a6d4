"""Whole jobs through the command line, as a user types it: real processes, real servers, a home folder a test."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SPECS = Path(__file__).resolve().parents[2] / "pipelines" / "specs"


@dataclass
class User:
    """Somebody who types `ferryman ...` in a folder of their own."""

    folder: Path
    python: Path = Path(sys.executable)
    """Of the environment that ferryman is installed in."""

    settings: dict[str, str] = field(default_factory=dict)
    """Environment variables of their own."""

    @property
    def home(self) -> Path:
        return Path(self.settings.get("FERRYMAN_HOME", self.folder / ".ferryman"))

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(self.python.with_name("ferryman")), *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FERRYMAN_")}
        return {**clean, **self.settings}

    def types(
        self, *arguments: str | Path, stdin: str | None = None, limit: float = 280
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )

    def starts(self, *arguments: str | Path, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(*arguments),
                cwd=self.folder,
                env=self.environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def runs(self) -> list[dict[str, Any]]:
        """The records of all runs, oldest first."""
        return [json.loads(path.read_text()) for path in sorted(self.home.glob("runs/*/record.json"))]

    def fragments(self) -> dict[str, dict[str, Any]]:
        """What the steps of the newest run have said of themselves, by name."""
        found = {}
        for run in sorted(self.home.glob("runs/*"))[-1:]:
            for path in run.glob("fragments/*.json"):
                # It may be at work this very moment.
                with contextlib.suppress(ValueError):
                    found[path.stem] = json.loads(path.read_text())
        return found

    def group(self) -> dict[str, Any]:
        """The group record."""
        return json.loads((self.home / "groups" / "local" / "record.json").read_text())


def ends_well(process: subprocess.Popen[bytes], limit: float = 30) -> int:
    """Ask a process to end as Ctrl-C does, and wait; it is killed when it does not obey."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(limit)
    finally:
        process.kill()
        process.wait()


def eventually(check: Callable[[], Any], limit: float = 60) -> Any:
    """What `check` gives as soon as it is true; an error of its own counts as not yet."""
    deadline = time.monotonic() + limit
    last: BaseException | None = None
    while time.monotonic() < deadline:
        try:
            if result := check():
                return result
        except Exception as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {limit} s; last: {last!r}")


def strangers(folder: Path) -> list[str]:
    """Command lines of processes that still work below `folder`: it is where they are or what they were given."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                # A forked step has the command line of what it was forked from, and a folder of its own.
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(folder) in line or f"{place}/".startswith(f"{folder}/"):
                found.append(line)
    return found


def family(pid: int) -> list[int]:
    """A process and all that it started, as far as they live."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def spoil(data: Path) -> None:
    """A letter in line 8 of the flowers, where their sepal's number begins."""
    lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[7] = lines[7].replace(";", ";x", 1)
    data.write_text("".join(lines), encoding="utf-8")


def flowers(folder: Path, *, rows: int = 400, seed: int = 5, name: str = "flowers", **blocks: str) -> Path:
    """A small table that no ready spec was made for, its spec beside it: two numbers, a category, three classes."""
    draw = random.Random(seed)
    lines = ["petal;sepal;ground;flower"]
    for number in range(rows):
        kind = number % 3
        petal, sepal = draw.gauss(1 + 2 * kind, 0.4), draw.gauss(6 - kind, 0.5)
        ground = draw.choice(["chalk", "moor", ""]) if kind else draw.choice(["sand", "moor"])
        lines.append(f"{petal:.3f};{sepal:.3f};{ground};{['aster', 'bell', 'cress'][kind]}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = folder / f"{name}.yaml"
    train = blocks.get("train", "{epochs: 30, batch_size: 16, optimizer: {kind: adam, learning_rate: 0.02}}")
    gate = blocks.get(
        "gate", "{require: [{metric: accuracy, at_least: 0.9}], champion: {metric: accuracy, may_lose: 0.1}}"
    )
    spec.write_text(
        f"""\
spec: 1
name: {name}
data:
  source: {name}.csv
  format: {{kind: csv, separator: ";"}}
  features:
    petal: {{kind: number}}
    sepal: {{kind: number}}
    ground: {{kind: category, missing: category}}
  label: {{kind: class, column: flower}}
  split: {{kind: exact, validation: 0.2, test: 0.3, seed: 1}}
model: {{kind: mlp, hidden: [16]}}
train: {train}
convert: {{try: [int8, float32]}}
gate: {gate}
""",
        encoding="utf-8",
    )
    return spec
