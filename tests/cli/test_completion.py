"""What the shell proposes at a Tab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from newcomer import User


@pytest.fixture
def user(tmp_path: Path) -> User:
    """Somebody with three runs, two groups and two models."""
    user = User(tmp_path)
    for name in ("m-2026-1", "m-2026-2", "other-1", ".x.partial"):
        (user.home / "runs" / name).mkdir(parents=True)
    for name in ("local/store/flowers", "local/store/fish", "nightly/store/fish", "nightly/store/.hidden"):
        (user.home / "groups" / name).mkdir(parents=True)
    return user


def proposed(user: User, *words: str) -> list[str]:
    """What bash gets for a line that ends in the last of `words`; neither TensorFlow nor KFP may be imported for it."""
    code = (
        "import sys\nfrom ferryman_pipelines.cli.main import main\nsys.argv = ['ferryman']\n"
        "try:\n    main()\nfinally:\n    assert not {'tensorflow', 'kfp', 'keras'} & set(sys.modules)\n"
    )
    settings = {
        "_FERRYMAN_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["ferryman", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=user.folder,
        env={**user.environment(), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["promote", ""], ["last", "other-1", "m-2026-2", "m-2026-1"]),
        (["runs", "show", "m-"], ["m-2026-2", "m-2026-1"]),
        (["run", "--resume", "o"], ["other-1"]),
        (["rollback", "f"], ["fish", "flowers"]),
        (["predict", "fl"], ["flowers"]),
        (["serve", "n"], ["nightly"]),
        (["rollback", "fish", "--group", ""], ["local", "nightly"]),
        (["pro"], ["promote"]),
    ],
)
def test_names_that_lie_here_are_proposed(words: list[str], names: list[str], user: User) -> None:
    assert proposed(user, *words) == names


def test_where_nothing_lies_nothing_is_proposed_made_or_complained_of(tmp_path: Path) -> None:
    user = User(tmp_path)
    assert proposed(user, "rollback", "") == []
    assert proposed(user, "promote", "") == []
    assert list(tmp_path.iterdir()) == []


def test_the_script_for_a_shell_is_shown(user: User) -> None:
    shown = subprocess.run(
        user.command("--show-completion", "bash"),
        env={**user.environment(), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_FERRYMAN_COMPLETE=complete_bash" in shown.stdout
