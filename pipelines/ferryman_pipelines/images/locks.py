"""The locks of `components/locks`: made by uv from one resolve of everything, read, and found stale.

`constraints.txt` is that resolve. Each `NAME.lock` takes its versions from there and its packages from the extras, so
that no image drifts from what was tested together; every file of a package is named by its SHA-256.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ferryman.errors import UnavailableError, UsageError
from ferryman.process import run
from ferryman.storage.local import atomic_write
from ferryman_pipelines.images.requirements import LAYERS, Wanted, wanted, wanted_everywhere

FOLDER: Final = "components/locks"
"""Where they lie in a checkout."""

CONSTRAINTS: Final = "constraints.txt"
BOUNDS: Final = "bounds.txt"
"""Written by hand: what the resolver cannot know."""

PYTHON: Final = "3.11"
"""The oldest Python that the locks hold for; newer ones by markers."""

LIMIT: Final = 300.0
"""Seconds that one resolve may take: one to four here, a minute through a slow index."""

_MADE: Final = "# Made by `ferryman images lock`; not by hand."


def lock_file(checkout: Path, name: str) -> Path:
    """The lock of this name."""
    return checkout / FOLDER / f"{name}.lock"


def make_locks(checkout: Path, *, upgrade: bool = False) -> list[Path]:
    """Write the constraints and all locks anew; versions stay what they are while they fit, unless `upgrade`.

    Raises:
        UnavailableError: uv is missing, or its index does not answer. UsageError: nothing fits together.
    """
    pyproject, constraints = checkout / "pyproject.toml", checkout / FOLDER / CONSTRAINTS
    everything = wanted_everywhere(pyproject)
    before = "" if upgrade or not constraints.is_file() else constraints.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        uv = Uv(Path(scratch))
        _write(constraints, everything, uv.resolve(everything, checkout / FOLDER / BOUNDS, before=before))
        for name in LAYERS:
            asked = wanted(pyproject, name)
            _write(lock_file(checkout, name), asked, uv.resolve(asked, constraints, hashes=True))
    return [constraints, *(lock_file(checkout, name) for name in LAYERS)]


def stale(checkout: Path) -> list[str]:
    """What is wrong with the locks, in sentences: not made, or made for something else than pyproject.toml asks now."""
    pyproject = checkout / "pyproject.toml"
    expected = {checkout / FOLDER / CONSTRAINTS: wanted_everywhere(pyproject)}
    expected |= {lock_file(checkout, name): wanted(pyproject, name) for name in LAYERS}
    found = []
    for file, asked in expected.items():
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else None
        if lines is None:
            found.append(f"{file.name} is not made")
        elif (made := _asked(lines)) != (now := _asked(_header(asked))):
            found.append(f"{file.name} was made for other requirements than now: {_changes(made, now)}")
    return found


class Uv:
    """uv's resolver; its files lie in `scratch`. It writes no index addresses, so that a lock holds for every mirror."""

    def __init__(self, scratch: Path) -> None:
        # The environment's own, which need not be activated, before any other.
        command = shutil.which(
            "uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        )
        if not command:
            raise UnavailableError("uv, which resolves the locks, is not installed; pip install uv")
        self._command, self._scratch = command, scratch

    def resolve(self, asked: Wanted, bounds: Path, *, hashes: bool = False, before: str = "") -> str:
        """The pinned lines for all that `asked` names, sorted by package; what `before` pins stays while it fits."""
        pinned = self._compile(asked.requirements, bounds, asked.left_out, hashes=hashes, before=before)
        if asked.alone:
            pinned += self._compile(asked.alone, bounds, (), "--no-deps", hashes=hashes)
        return "".join(sorted(_blocks(pinned)))

    def _compile(
        self,
        requirements: Iterable[str],
        bounds: Path,
        left_out: Iterable[str],
        *options: str,
        hashes: bool,
        before: str = "",
    ) -> str:
        asked, excludes, out = (self._scratch / name for name in ("asked.in", "excludes.txt", "out.txt"))
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        excludes.write_text("".join(f"{name}\n" for name in left_out), encoding="utf-8")
        out.write_text(before, encoding="utf-8")
        log = self._scratch / "uv.log"
        finished = run(
            [
                self._command, "pip", "compile", "--quiet", "--no-config", "--universal", f"--python-version={PYTHON}",
                "--no-header", "--no-annotate", "--constraints", bounds, "--excludes", excludes,
                *(["--generate-hashes"] if hashes else []), *options, "--output-file", out, asked,
            ],
            log=log,
            limit=LIMIT,
        )  # fmt: skip
        if not finished.ok:
            _fail(log.read_text(encoding="utf-8", errors="replace").strip() or finished.reason())
        return out.read_text(encoding="utf-8")


def _fail(said: str) -> None:
    if "No solution found" in said:
        raise UsageError(f"pyproject.toml, {FOLDER}/{BOUNDS}: nothing fits together. uv says: {said}")
    raise UnavailableError(f"the locks cannot be resolved; does the package index answer? uv says: {said}")


def _write(file: Path, asked: Wanted, text: str) -> None:
    atomic_write(file, ("\n".join(_header(asked)) + "\n" + text).encode())


def _header(asked: Wanted) -> list[str]:
    lines = [_MADE, *(f"# asks for {text}" for text in asked.requirements)]
    lines += [f"# asks for {text}, without its dependencies" for text in asked.alone]
    return lines + [f"# leaves out {name}" for name in asked.left_out]


def _asked(lines: Iterable[str]) -> set[str]:
    return {line[2:] for line in lines if line.startswith(("# asks for ", "# leaves out "))}


def _changes(made: set[str], now: set[str]) -> str:
    parts = [f"it {line}" for line in sorted(now - made)] + [f"it no longer {line}" for line in sorted(made - now)]
    return "; ".join(parts)


def _blocks(text: str) -> list[str]:
    """The lines of each package, with its hashes."""
    return re.findall(r"^\S.*\n(?:[ \t].*\n)*", text, re.MULTILINE)
