"""The source checkout that this ferryman runs from: images are built from its Dockerfile, its locks and its code."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import ferryman_pipelines
from ferryman.errors import UsageError
from ferryman_pipelines.images.locks import FOLDER, lock_file


@dataclass(frozen=True)
class Source:
    """A checkout of ferryman."""

    root: Path

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile of all images."""
        return self.root / "components" / "Dockerfile"

    @property
    def locks(self) -> Path:
        """The folder of the hashed locks."""
        return self.root / FOLDER

    def lock(self, name: str) -> Path:
        """The hashed lock of what is installed in the image `name`."""
        return lock_file(self.root, name)

    @property
    def version(self) -> str:
        """The version of the ferryman that goes into the images."""
        return version("ferryman")

    def revision(self) -> str:
        """The commit, with `-dirty` behind it when files differ from it; empty outside of a git repository."""
        head = self._git("rev-parse", "HEAD")
        return f"{head}-dirty" if head and self._git("status", "--porcelain", "--", "components", "pipelines") else head

    def _git(self, *words: str) -> str:
        git = shutil.which("git")
        if not git:
            return ""
        done = subprocess.run(
            [git, "-C", str(self.root), *words], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""


def find_source() -> Source:
    """The checkout that the running code lies in.

    Raises:
        UsageError: it was installed without one.
    """
    # Not resolved: a linked package belongs to the checkout that links it.
    here = Path(str(ferryman_pipelines.__file__)).parent
    source = Source(here.parents[1])
    missing = [path for path in (source.dockerfile, source.root / "pyproject.toml") if not path.is_file()]
    if missing:
        raise UsageError(
            f"images are built from a checkout of ferryman's source, and this ferryman is installed without one: "
            f"{here} has no {missing[0].name} beside it; try, in a checkout: pip install -e '.[local]'"
        )
    return source
