"""What is wrong is refused at once, with one clear message and its own exit code, and nothing is left half done."""

from __future__ import annotations

import pytest
from newcomer import User, flowers, spoil


def test_a_misspelt_field_is_refused_with_its_path_before_anything_runs(user: User) -> None:
    spec = flowers(user.folder, train="{epoch: 3}")
    said = user.types("run", spec)
    assert said.returncode == 2
    assert "train.epoch" in said.stderr
    assert "did you mean 'epochs'" in said.stderr
    assert "Traceback" not in said.stderr
    assert user.runs() == []


def test_a_bad_row_is_refused_with_line_and_column(user: User) -> None:
    spec = flowers(user.folder)
    spoil(user.folder / "flowers.csv")
    said = user.types("run", spec)
    assert said.returncode == 4, said.stderr
    assert "line 8" in said.stdout + said.stderr
    assert "sepal" in said.stdout + said.stderr
    (record,) = user.runs()
    assert (record["outcome"], record["exit_code"]) == ("failed", 4)
    assert record["steps"][-1]["error"]["kind"] == "DataError"
    assert not list(user.home.glob("runs/*/artifacts/**/examples"))


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("nowhere.csv", 4, "nowhere.csv"),
        ("package://no-such-package-of-ours@1.0/data.csv", 4, "no-such-package-of-ours"),
        ("package://numpy/../../etc/passwd", 2, "package://"),
        ("ftp://somewhere/data.csv", 2, "ftp"),
    ],
)
def test_a_source_that_cannot_be_had_is_named(user: User, source: str, code: int, words: str) -> None:
    # An empty folder stands for the package index: the real one may be away, which is another fault than this.
    user.settings |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": user.folder.as_uri(), "PIP_CONFIG_FILE": "/dev/null"}
    spec = flowers(user.folder)
    spec.write_text(spec.read_text().replace("flowers.csv", source))
    said = user.types("run", spec)
    assert (said.returncode, words in said.stderr) == (code, True), said.stderr
    assert user.runs() == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run",), 2, "SPEC"),
        (("run", "nowhere.yaml"), 2, "no such file"),
        (("run", "--resume", "never"), 2, "no run 'never'"),
        (("predict", "flowers"), 7, "ferryman serve"),
        (("rollback", "flowers", "--reason", "x"), 2, "no model yet"),
        (("runs", "show", "../.."), 2, "run id"),
        (("serve", "UPPER"), 2, "lower-case"),
        (("runn",), 2, "runn"),
    ],
)
def test_a_command_that_cannot_be_is_refused(user: User, arguments: tuple[str, ...], code: int, words: str) -> None:
    said = user.types(*arguments)
    assert (said.returncode, words in said.stderr) == (code, True), said.stderr
    assert "Traceback" not in said.stderr


def test_a_port_that_is_taken_is_one_clear_error(user: User) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = user.types("serve", "--port", str(port), "--rest-port", "0")
    assert said.returncode == 7
    assert f"port {port}" in said.stderr
