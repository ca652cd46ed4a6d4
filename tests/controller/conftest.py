"""Tiny model artifacts, groups on disk, and a group process to wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.model_card import FILE as CARD
from ferryman.artifacts.model_card import DeviceTensor, ModelCard
from ferryman.controller.group import read_endpoints
from ferryman.golden.golden_set import GoldenSet
from ferryman.serving.client import ServingClient
from ferryman.serving.record import Ended, GroupRecord, ModelPart, read_group
from ferryman.serving.release import Release, create_release, read_end

ROWS = np.array([0.0, 1.5, -2.25, 10.0], dtype=np.float32)
MODEL = "adder"
PROGRAM = ("-m", "ferryman.controller")


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """SavedModels that add a number, each exported once."""
    import tensorflow as tf

    class Adder(tf.Module):  # type: ignore[misc]
        def __init__(self, addend: float) -> None:
            super().__init__()
            self.addend = tf.Variable(addend)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])  # type: ignore[misc]
        def add(self, x: Any) -> dict[str, Any]:
            return {"value": x + self.addend}

    place = tmp_path_factory.mktemp("saved_models")

    def saved(addend: float) -> Path:
        folder = place / str(addend)
        if not folder.exists():
            module = Adder(addend)
            tf.saved_model.save(module, str(folder), signatures={"serving_default": module.add})
        return folder

    return saved


@pytest.fixture(scope="session")
def artifact(saved_models: Callable[[float], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a sealed model artifact; `says` is what its golden set was recorded with."""
    import shutil

    def build(addend: float, says: float | None = None, torn: str | None = None, model: str = MODEL) -> Path:
        folder = tmp_path_factory.mktemp("artifact")
        shutil.copytree(saved_models(addend), folder / "saved_model")
        golden = GoldenSet(
            rows=[{"x": float(x)} for x in ROWS],
            raw={"x": ROWS},
            device={"x": ROWS},
            answers={"value": ROWS + np.float32(addend if says is None else says)},
        )
        golden.write(folder / "golden")
        ModelCard(
            name=model,
            task="number",
            features={"x": {"kind": "number"}},
            fitted={"x": {}},
            label={"kind": "number"},
            split={"kind": "exact"},
            seed=0,
            content=f"content-{addend}-{says}",
            outputs=["value"],
            device=[DeviceTensor(name="x", dtype="float32")],
        ).write(folder / CARD)
        (folder / "preprocess.json").write_text("{}")
        if torn:
            (folder / "saved_model" / torn).write_bytes(b"no model")
        seal(folder, "model", "a test")
        return folder

    return build


@dataclass
class Group:
    """A group's folder, what is asked of it, and the process that runs it."""

    folder: Path
    asked: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def release(self, artifact: Path, name: str = "", model: str = MODEL, **changes: Any) -> str:
        """Ask for a release that was judged against what the record calls stable."""
        self.asked += 1
        stable = self.part(model).stable
        release = Release(
            name=name or f"run{self.asked}-1",
            model=model,
            created=f"2026-01-01T00:00:{self.asked:02d}Z",
            artifact=str(artifact),
            digest=digest_of(artifact),
            content=ModelCard.read(artifact / CARD).content,
            champion_version=stable.number if stable else None,
            champion_digest=stable.digest if stable else None,
        ).model_copy(update=changes)
        create_release(self.folder, release)
        return release.name

    def roll_back(self, leaves: int, model: str = MODEL) -> str:
        self.asked += 1
        name = f"rollback{self.asked}-1"
        created = f"2026-01-01T00:00:{self.asked:02d}Z"
        create_release(
            self.folder,
            Release(name=name, kind="rollback", model=model, created=created, leaves=leaves, reason="a person said so"),
        )
        return name

    def record(self) -> GroupRecord | None:
        return read_group(self.folder)

    def part(self, model: str = MODEL) -> ModelPart:
        record = self.record()
        return record.models.get(model, ModelPart()) if record else ModelPart()

    def start(self, *arguments: str, program: tuple[str, ...] = PROGRAM) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "group.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *program, str(self.folder), *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "FERRYMAN_MODEL_SERVER": "embedded"},
            )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """As `kill -9`: nothing is cleaned up."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def end(self) -> int:
        """As SIGTERM; its exit code."""
        process = self.processes[-1]
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(30)
        finally:
            process.kill()
            process.wait()

    def ended(self, release: str, limit: float = 60) -> Ended:
        return self.until(lambda: read_end(self.folder, release), limit)

    def until(self, check: Callable[[], Any], limit: float = 60) -> Any:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if found := check():
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {limit} s; record: {self.record()}; log: {self.log()}")

    def log(self) -> str:
        """What the group process has said."""
        path = self.folder / "group.log"
        return path.read_text() if path.exists() else ""

    def answer(self, model: str = MODEL, **which: Any) -> tuple[float, int]:
        """What the group's server adds to 1, and which version said so."""
        found = self.until(lambda: read_endpoints(self.folder))
        with ServingClient(found.grpc) as client:
            answer = client.predict(model, {"x": np.array([1.0], np.float32)}, **which)
            return float(answer.outputs["value"][0]) - 1.0, answer.version

    def startup(self) -> str:
        return (self.folder / "agents" / "replica-0" / "models.config").read_text()

    def servers(self) -> list[int]:
        """Processes that name this group's folder, other than the group process itself."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdigit() else ""
            except OSError:
                continue
            if str(self.folder) in line and "model_server" in line:
                found.append(int(entry.name))
        return found


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """A group in a folder with a space and a letter beyond ASCII; nothing of it may outlive the test."""
    group = Group(tmp_path / "an ö group")
    yield group
    for process in group.processes:
        process.kill()
        process.wait()
    group.until(lambda: not group.servers(), 5)
