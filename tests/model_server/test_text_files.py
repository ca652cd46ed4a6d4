"""Files of protobuf text, whatever is in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ferryman.model_server import text_files
from ferryman.model_server.core import Refusal, name_of
from ferryman.serving.protocol import ModelServerConfig


def refused(call: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)  # type: ignore[operator]
    return name_of(caught.value.code), caught.value.text


def test_a_file_is_read_with_comments_umlauts_and_any_order(tmp_path: Path) -> None:
    file = tmp_path / "Küche und Bad.config"
    file.write_text("# ours\nmodel_config_list { config { base_path: '/Größe' name: \"m\" } }", encoding="utf-8")
    (model,) = text_files.read(str(file), ModelServerConfig).model_config_list.config
    assert (model.name, model.base_path) == ("m", "/Größe")


@pytest.mark.parametrize(
    "content",
    [
        b"model_config_list { config { name: 'm' base: 'x' } }",
        b"model_config_list {",
        b"model_config_list { config { name: 'm' name: 'n' } }",
        b"model_config_list { config { version_labels { key: 'x' value: 99999999999999999999 } } }",
        b"custom_model_config { [type.googleapis.com/none.Such] { } }",
        b"\xff\xfe\x00",
        b"\0" * 5000,
        b"model_config_list " + b"{ config " * 20000,
        b"{" * 100000,
        b"'" + b"x" * 1_000_000,
        b"\x7fELF\x02\x01\x01",
        os.urandom(4096),
    ],
    ids=range(12),
)
def test_a_file_that_is_no_such_message_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "models.config"
    file.write_bytes(content)
    told = refused(text_files.read, str(file), ModelServerConfig)
    assert told == ("INVALID_ARGUMENT", f"Invalid protobuf file: '{file}'")


def test_a_file_that_cannot_be_read_says_so_as_the_system_does(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    told = {
        name: refused(text_files.contents, str(tmp_path / name))
        for name in ("none", "empty", "pipe", "", "empty/inside", "x" * 300)
    }
    assert told["none"] == ("NOT_FOUND", f"{tmp_path}/none; No such file or directory")
    assert told["empty"] == ("INVALID_ARGUMENT", f"{tmp_path}/empty; Invalid argument")
    assert told["pipe"] == ("INVALID_ARGUMENT", f"{tmp_path}/pipe; Invalid argument")
    assert told[""] == ("NOT_FOUND", f"{tmp_path}; No such device")
    assert told["empty/inside"] == ("FAILED_PRECONDITION", f"{tmp_path}/empty/inside; Not a directory")
    assert told["x" * 300][0] == "INVALID_ARGUMENT"
    assert refused(text_files.contents, "a\0b")[0] == "NOT_FOUND"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_somebody_else_is_denied(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "theirs").chmod(0)
    assert refused(text_files.contents, str(tmp_path / "theirs"))[0] == "PERMISSION_DENIED"
