"""Servers that are started with flags, and what they say."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from ferryman.serving.config import ModelConfig, render

HOST = "127.0.0.1"

Start = Callable[..., subprocess.Popen[str]]


def configured(folder: Path, *models: ModelConfig) -> str:
    file = folder / "models.config"
    file.write_text(render(models))
    return f"--model_config_file={file}"


def taken(kind: str = HOST) -> socket.socket:
    listener = socket.socket()
    listener.bind((kind, 0))
    listener.listen()
    return listener


def said(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and the lines of standard output."""
    out, _ = process.communicate(timeout=60)
    return process.returncode, out.splitlines()


def broken(folder: Path, **labels: int) -> ModelConfig:
    (folder / "m" / "4").mkdir(parents=True)
    return ModelConfig("m", str(folder / "m"), (4,), labels)


def said_and_failed(process: subprocess.Popen[str], text: str) -> None:
    assert said(process) == (255, [f"Failed to start server. Error: {text}"])


def awaited(process: subprocess.Popen[str], words: str) -> str:
    """The first line of standard error with the words in it."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"ended without {words!r}: {lines}")
