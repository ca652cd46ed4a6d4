"""A stand-in for the `docker` command that runs what it is given as plain processes, for tests without an engine.

`install(folder, monkeypatch)` puts it first on the PATH. What goes wrong is said by `Engine.fault`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

PLACE = "STAND_IN_ENGINE"


@dataclass(frozen=True)
class Engine:
    """What the stand-in was asked, and what it shall do wrong."""

    folder: Path

    def fault(self, name: str) -> None:
        """`away`, `refuses`, `out-of-memory`, `removed`, `broken`, `another-code`; empty for none."""
        (self.folder / "fault").write_text(name)

    def asked(self, *first: str) -> list[list[str]]:
        """The words of every call that began with these."""
        calls = [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]
        return [call for call in calls if call[: len(first)] == list(first)]

    def holds(self, **containers: tuple[str, str]) -> None:
        """Have containers that somebody left: name -> (run, root)."""
        for name, (run, root) in containers.items():
            words = ["--label", f"ferryman.run={run}", "--label", f"ferryman.root={root}", "--entrypoint", "true", "i"]
            (self.folder / f"{name}.json").write_text(json.dumps(words))

    @property
    def containers(self) -> set[str]:
        """The names of all containers that there are."""
        return {path.stem for path in self.folder.glob("*.json")}


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The stand-in in `folder`."""
    folder.mkdir(parents=True)
    program = folder / "docker"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" "$@"\n')
    program.chmod(0o755)
    (folder / "calls.jsonl").touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv(PLACE, str(folder))
    return Engine(folder)


class StandIn:
    """The other side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault = (folder / "fault").read_text() if (folder / "fault").exists() else ""

    def answer(self, words: Sequence[str]) -> int:
        """Do what the words say; the exit code."""
        with (self.folder / "calls.jsonl").open("a") as calls:
            calls.write(json.dumps(words) + "\n")
        if self.fault == "away":
            return self.refuse("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?")
        name = "_".join(words[:2] if words[0] in {"container", "image"} else words[:1])
        return int(getattr(self, name)(list(words)) or 0)

    def refuse(self, text: str) -> int:
        print(text, file=sys.stderr)
        return 1

    def version(self, words: list[str]) -> None:
        print("20.10.24")

    def info(self, words: list[str]) -> None:
        print(4)

    def image_inspect(self, words: list[str]) -> int | None:
        missing = self.folder / "missing"
        if missing.exists() and words[-1] == missing.read_text():
            return self.refuse(f"Error: No such image: {words[-1]}")
        print(json.dumps({"ferryman.code": "0" * 64} if self.fault == "another-code" else None))
        return None

    def container_create(self, words: list[str]) -> int | None:
        if self.fault == "refuses":
            return self.refuse("Error response from daemon: Range of CPUs is from 0.01 to 2.00")
        name = words[words.index("--name") + 1]
        self.path(name).write_text(json.dumps(words))
        print(name)
        return None

    def container_start(self, words: list[str]) -> int:
        path = self.path(words[-1])
        made = json.loads(path.read_text())
        at = made.index("--entrypoint")
        given = [made[number + 1] for number, word in enumerate(made[:at]) if word == "--env"]
        inside = {**os.environ, **dict(text.split("=", 1) for text in given)}
        code = subprocess.run([made[at + 1], *made[at + 3 :]], env=inside, check=False).returncode
        path.write_text(json.dumps([*made, {"code": code if code >= 0 else 128 - code}]))
        if self.fault == "removed":
            path.unlink()
        return 1 if self.fault == "broken" else code

    def container_inspect(self, words: list[str]) -> int | None:
        if not self.path(words[-1]).exists():
            return self.refuse(f"Error: No such container: {words[-1]}")
        ended: Any = json.loads(self.path(words[-1]).read_text())[-1]
        if words[3] == "{{.State.Pid}}":
            print(os.getpid())
            return None
        code = ended["code"] if isinstance(ended, dict) else 0
        state = {"Running": False, "ExitCode": code, "OOMKilled": self.fault == "out-of-memory", "Error": ""}
        print(json.dumps(state))
        return None

    def container_rm(self, words: list[str]) -> None:
        for name in words[2:]:
            if not name.startswith("--"):
                self.path(name).unlink(missing_ok=True)

    def ps(self, words: list[str]) -> None:
        asked = words[words.index("--filter") + 1].removeprefix("label=")
        for path in sorted(self.folder.glob("*.json")):
            made = json.loads(path.read_text())
            if asked in made:
                run = next(word for word in made if str(word).startswith("ferryman.run=")).partition("=")[2]
                print(path.stem, run)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


if __name__ == "__main__":
    sys.exit(StandIn(Path(os.environ[PLACE])).answer(sys.argv[1:]))
