"""Where ferryman itself lies must not matter."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from newcomer import User, flowers

import ferryman
import ferryman_pipelines


def installed(folder: Path) -> Path:
    """The python of an environment below `folder` that holds a copy of ferryman, and of its command."""
    roots = [folder / "components", folder / "pipelines"]
    for package, root in zip((ferryman, ferryman_pipelines), roots, strict=True):
        source = Path(package.__file__ or "").parent
        shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    place = folder / ".venv"
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python3*/site-packages")
    # Ahead of all that ferryman needs, which is not copied.
    needed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "copy.pth").write_text("\n".join([*map(str, roots), *needed]) + "\n", encoding="utf-8")
    python, script = place / "bin" / "python", place / "bin" / "ferryman"
    # As pip writes it: no `#!` line holds a path with a space.
    start = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"
    script.write_text(f"{start}from ferryman_pipelines.cli.main import main\nmain()\n", encoding="utf-8")
    script.chmod(0o755)
    return python


@pytest.mark.slow
def test_a_whole_job_runs_from_an_installation_below_an_awkward_path(user: User) -> None:
    folder = user.folder / "größe & co"
    user = User(user.folder, installed(folder))
    where = [user.python, "-c", "import ferryman, ferryman_pipelines as p; print(ferryman.__file__); print(p.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, cwd=user.folder).stdout.splitlines()
    assert all(path.startswith(str(folder)) for path in found), found

    done = user.types("run", flowers(user.folder))
    assert done.returncode == 0, done.stderr + done.stdout
    (record,) = user.runs()
    assert record["outcome"] == "promoted"
    assert user.group()["models"]["flowers"]["stable"]["number"] == 1
