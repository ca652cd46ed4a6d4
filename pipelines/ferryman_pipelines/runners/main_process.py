"""Which process of this machine is a step's container: inside it has another number."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ferryman.storage.local import atomic_write


class MainProcess:
    """Keeps `containers/STEP.json` in the run's folder while the container of a step is at work."""

    def __init__(self, folder: Path, step: str) -> None:
        self._path = folder / "containers" / f"{step}.json"

    def expect(self) -> None:
        """Say that the step is a container, before it can say anything itself."""
        self._write(0)

    def note(self, pid: int, container: str) -> None:
        """Say the number, unless it is one of another machine's."""
        with contextlib.suppress(OSError):
            if container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace"):
                self._write(pid)

    def forget(self) -> None:
        """Its number may soon be another's."""
        self._path.unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The number; 0 when nobody knows it, None when the step is no container."""
        try:
            return int(json.loads(self._path.read_text(encoding="utf-8"))["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, pid: int) -> None:
        with contextlib.suppress(OSError):
            atomic_write(self._path, json.dumps({"pid": pid}).encode())
