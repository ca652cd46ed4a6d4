"""What a run will take: time, memory and disk, from what the checks themselves took; and the ports that serving wants."""

from __future__ import annotations

import math
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ferryman.checks.finding import UNAVAILABLE, Finding, error, note, warning
from ferryman.checks.ground import Ground, given
from ferryman.controller.lock import lock_held
from ferryman.errors import UnavailableError
from ferryman.models.core import ClassHead
from ferryman.serving.server import check_free
from ferryman.steps.train.rows import rows_from

TIMED: Final = 1.0
"""Seconds spent on timing training steps."""

LARGEST_TIMED: Final = 4096
"""Rows of a timed step; a larger batch is taken to cost in proportion."""

AT_ONCE: Final = 0.7
"""What a step costs where sixteen of them are one call, as in a run, against one call each."""

SERVERS: Final = 3
"""Servers that a run starts: the serving check's, the rollout's probe and the group's own."""

AROUND: Final = 5.0
"""Seconds for compiling the pipeline and starting the light steps."""

COPIES: Final = 4
"""How many times a run holds the rows in memory at its largest step: as Arrow, as raw and device tensors, in batches."""

MODELS: Final = 6
"""Copies of the model on disk: the artifact, its Keras file, the serving store, the agent's, rungs and logs."""

SERVE_PORTS: Final = (8500, 8501)
"""Where `ferryman serve` listens unless it is told otherwise."""


def check_cost(ground: Ground) -> Iterator[Finding]:
    """Time, memory and disk of a run of this spec on this machine."""
    seconds, memory = run_seconds(ground), run_memory(ground)
    ground.headline = f"a run takes about {_duration(seconds)} and {_bytes(memory)} of memory here"
    spec = given(ground.spec)
    early = ", less when it stops early" if spec.train.stop else ""
    yield note("a run of this spec", f"about {_duration(seconds)} on this machine{early}; {_bytes(memory)} of memory")
    free = memory_available()
    if free is not None and memory > free:
        text = f"needs about {_bytes(memory)} of memory, {_bytes(free)} are available"
        yield warning("a run of this spec", text, "close other programs, use fewer rows, or a larger machine")


def check_disk(ground: Ground) -> Iterator[Finding]:
    """Whether what a run writes has room in the home folder's file system."""
    found, place = given(ground.scan), _existing(Path(ground.request.home))
    model = sum(path.stat().st_size for path in ground.model.rglob("*") if path.is_file()) if ground.model else 0
    needed = (found.size or 0) + _table_bytes(ground) + MODELS * model
    free = shutil.disk_usage(place).free
    ground.headline = f"{_bytes(needed)} needed, {_bytes(free)} free in {place}"
    if needed > free:
        text = f"a run writes about {_bytes(needed)}, {_bytes(free)} are free"
        yield error(str(place), text, "make room, or set FERRYMAN_HOME to a folder on another disk", UNAVAILABLE)


def check_ports(ground: Ground) -> Iterator[Finding]:
    """Whether `ferryman serve` would find its ports free, unless the group is served already."""
    if lock_held(Path(ground.request.group)):
        ground.headline = "the group is being served"
        return
    taken = []
    for port in SERVE_PORTS:
        try:
            check_free("127.0.0.1", port)
        except UnavailableError:
            taken.append(port)
    ground.headline = f"{', '.join(map(str, taken)) or 'none'} taken of {', '.join(map(str, SERVE_PORTS))}"
    for port in taken:
        advice = "ferryman serve --port 0 --rest-port 0 takes free ones; a run takes free ones anyway"
        yield note(f"port {port}", "another program listens on it, and `ferryman serve` wants it", advice)


def run_seconds(ground: Ground) -> float:
    """About how long a run takes if it does not stop early."""
    spec, found, took = given(ground.spec), given(ground.scan), ground.seconds
    train = spec.data.split
    rows = found.total * (1 - train.validation - train.test)
    steps = spec.train.epochs * math.ceil(rows / spec.train.batch_size)
    reading = found.seconds * found.total / max(found.seen, 1)
    around = took.get("training", 0.0) + took.get("export", 0.0) + took.get("conversion", 0.0)
    return reading + steps * step_seconds(ground) * AT_ONCE + around + SERVERS * took.get("serving", 0.0) + AROUND


def run_memory(ground: Ground) -> int:
    """About how many bytes the largest step of a run holds."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(peak + COPIES * _table_bytes(ground))


def step_seconds(ground: Ground) -> float:
    """Seconds of one training step, timed on the sample; the model has learned nonsense afterwards."""
    training, examples, spec = given(ground.training), given(ground.examples), given(ground.spec)
    model = training.model
    rows = rows_from(model.features, examples.schema["classes"], examples.split("train"))
    size = min(spec.train.batch_size, LARGEST_TIMED)
    batch = rows.take(np.resize(np.arange(len(rows)), size))
    device = model.device_tensors(batch.raw)
    target = batch.target if isinstance(model.head, ClassHead) else np.zeros(size, dtype=np.float32)
    trained = model.core_model.trained
    trained.train_on_batch(device, target)
    began, steps = time.monotonic(), 0
    while not steps or time.monotonic() - began < TIMED:
        trained.train_on_batch(device, target)
        steps += 1
    return (time.monotonic() - began) / steps * spec.train.batch_size / size


def memory_available() -> int | None:
    """Bytes that programs can still have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(found) * 1024 if found else None


def _table_bytes(ground: Ground) -> int:
    found = given(ground.scan)
    held: int = sum(column.nbytes for column in found.features().values())
    return held * found.total // max(len(found.rows), 1)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds / 5) * 5} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _bytes(number: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}" if unit == "GB" else f"{number / size:.0f} {unit}"
    return f"{number / 1e3:.0f} kB"
