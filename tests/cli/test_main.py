"""The command line starts light, and its help is for people."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from newcomer import User


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["runs"],
        ["spec", "schema"],
        ["run", "--help"],
        ["check", "--help"],
        ["predict", "x"],
        ["init", "x"],
        ["gate", "x", "--spec", "y"],
        ["doctor"],
        ["lint", "x"],
        ["lint", "--rules"],
        ["clean"],
        ["images"],
        ["images", "build", "--only", "x"],
    ],
)
def test_neither_tensorflow_nor_kfp_is_imported_before_it_is_needed(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ferryman_pipelines.cli.main import main\n"
        f"sys.argv = ['ferryman', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'kfp', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PIP_INDEX_URL": "file:///no/network/in/tests"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *("init", "check", "run", "runs", "serve", "predict", "promote", "rollback", "clean", "doctor"),
        *("compile", "lint", "spec", "gate", "runs logs", "runs open", "runs compare", "images", "images build"),
    ],
)
def test_every_command_explains_itself_with_an_example(tmp_path: Path, command: str) -> None:
    said = User(tmp_path).types(*command.split(), "--help")
    assert said.returncode == 0
    if command != "spec":
        assert f"Example: ferryman {command}" in said.stdout
    assert (tmp_path / ".ferryman").exists() is False


def test_the_version_is_told(tmp_path: Path) -> None:
    assert User(tmp_path).types("--version").stdout.startswith("ferryman 0.")
