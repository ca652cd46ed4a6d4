"""Where local state lies: `.ferryman/` in the current folder, or `FERRYMAN_HOME`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ferryman.errors import UsageError

GROUP = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Home:
    """The folder of all local state and its rooms."""

    folder: Path

    @property
    def runs(self) -> Path:
        """The run root."""
        return self.folder / "runs"

    def group(self, name: str) -> Path:
        """The folder of a serving group; UsageError when the name could not be one."""
        if not GROUP.fullmatch(name):
            raise UsageError(f"received the group {name!r}, expected lower-case letters, digits and '-', e.g. local")
        return self.folder / "groups" / name


def home() -> Home:
    """The home folder of this command; it need not exist."""
    return Home(Path(os.environ.get("FERRYMAN_HOME") or ".ferryman").resolve())
