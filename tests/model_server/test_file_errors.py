"""What a file that cannot be read is answered with, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.model_server.file_errors import refused


def _raised(path: Path) -> OSError:
    try:
        path.read_bytes()
    except OSError as error:
        return error
    raise AssertionError(f"{path} can be read")


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [("none", 5, "No such file or directory"), (".", 9, "Is a directory"), ("x" * 300, 3, "File name too long")],
)
def test_the_systems_error_has_the_real_servers_code_and_its_words(
    tmp_path: Path, name: str, code: int, why: str
) -> None:
    refusal = refused(_raised(tmp_path / name))
    assert (refusal.code, refusal.text) == (code, f"{tmp_path / name}; {why}")


def test_the_name_that_was_asked_for_goes_before_the_one_that_was_opened(tmp_path: Path) -> None:
    assert refused(_raised(tmp_path / "none"), "models.config").text == "models.config; No such file or directory"


def test_an_error_without_a_number_is_unknown_and_keeps_its_words() -> None:
    refusal = refused(OSError("the bucket cannot be reached"))
    assert (refusal.code, refusal.text) == (2, "the bucket cannot be reached")
