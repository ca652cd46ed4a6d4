"""Flags that go together, and the files that they name, whatever is in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ferryman.model_server import settings
from ferryman.model_server.core import Refusal, name_of
from ferryman.model_server.flags import Flags
from ferryman.serving.protocol import BatchingParameters, ModelServerConfig, SSLConfig


def refused(call: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)  # type: ignore[operator]
    return name_of(caught.value.code), caught.value.text


def test_a_file_is_read_with_comments_umlauts_and_any_order(tmp_path: Path) -> None:
    file = tmp_path / "Küche und Bad.config"
    file.write_text("# ours\nmodel_config_list { config { base_path: '/Größe' name: \"m\" } }", encoding="utf-8")
    (model,) = settings.read(str(file), ModelServerConfig).model_config_list.config
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
    told = refused(settings.read, str(file), ModelServerConfig)
    assert told == ("INVALID_ARGUMENT", f"Invalid protobuf file: '{file}'")


def test_a_file_that_cannot_be_read_says_so_as_the_system_does(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    told = {
        name: refused(settings.contents, str(tmp_path / name))
        for name in ("none", "empty", "pipe", "", "empty/inside", "x" * 300)
    }
    assert told["none"] == ("NOT_FOUND", f"{tmp_path}/none; No such file or directory")
    assert told["empty"] == ("INVALID_ARGUMENT", f"{tmp_path}/empty; Invalid argument")
    assert told["pipe"] == ("INVALID_ARGUMENT", f"{tmp_path}/pipe; Invalid argument")
    assert told[""] == ("NOT_FOUND", f"{tmp_path}; No such device")
    assert told["empty/inside"] == ("FAILED_PRECONDITION", f"{tmp_path}/empty/inside; Not a directory")
    assert told["x" * 300][0] == "INVALID_ARGUMENT"
    assert refused(settings.contents, "a\0b")[0] == "NOT_FOUND"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_somebody_else_is_denied(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("x")
    (tmp_path / "theirs").chmod(0)
    assert refused(settings.contents, str(tmp_path / "theirs"))[0] == "PERMISSION_DENIED"


def test_one_model_comes_from_its_two_flags_and_a_file_goes_before(tmp_path: Path) -> None:
    (model,) = settings.configured(Flags(model_base_path="/m", model_name="n")).model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("n", "/m", "tensorflow")
    file = tmp_path / "models.config"
    file.write_text("model_config_list {}")
    config = settings.configured(Flags(model_base_path="/m", model_config_file=str(file)))
    assert config.WhichOneof("config") == "model_config_list"
    assert not config.model_config_list.config


def test_batching_has_a_pool_of_its_own_unless_its_file_names_one(tmp_path: Path) -> None:
    file = tmp_path / "batching"
    file.write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    assert settings.batching(Flags()) is None
    alone = BatchingParameters()
    alone.thread_pool_name.value = "model_server_batch_threads"
    assert settings.batching(Flags(enable_batching=True)) == alone
    read = settings.batching(Flags(enable_batching=True, batching_parameters_file=str(file)))
    assert (read.max_batch_size.value, list(read.allowed_batch_sizes)) == (8, [4, 8])
    assert not read.HasField("thread_pool_name")


def test_a_platform_config_takes_the_place_of_batching_and_of_the_sessions_flags(tmp_path: Path) -> None:
    file = tmp_path / "platforms"
    more = {"enable_batching": True, "batching_parameters_file": "/none"}
    assert refused(settings.batching, Flags(platform_config_file=str(file), **more))[0] == "NOT_FOUND"
    file.write_text("platform_configs {}")
    assert settings.batching(Flags(platform_config_file=str(file), **more)) is None
    threads = dict.fromkeys(
        ("tensorflow_session_parallelism", "tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"), 1
    )
    settings.check_parallelism(Flags(platform_config_file="x", **threads))
    assert refused(settings.check_parallelism, Flags(**threads))[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("session", "intra", "inter", "threads"),
    [
        (0, 0, 0, (0, 0)),
        (4, 0, 0, (4, 4)),
        (0, 2, 0, (2, 0)),
        (0, 0, 3, (0, 3)),
        (4, 2, 0, (2, 0)),
        (4, 2, -1, (2, -1)),
    ],
)
def test_a_sessions_threads_are_one_number_or_two(
    session: int, intra: int, inter: int, threads: tuple[int, int]
) -> None:
    flags = Flags(
        tensorflow_session_parallelism=session,
        tensorflow_intra_op_parallelism=intra,
        tensorflow_inter_op_parallelism=inter,
    )
    settings.check_parallelism(flags)
    assert settings.parallelism(flags) == threads


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ("prometheus_config { enable: true path: '/metrics' }", "/metrics"),
        ("prometheus_config { path: '/metrics' }", None),
        ("# nothing", None),
    ],
)
def test_metrics_are_where_their_file_says(tmp_path: Path, text: str, path: str | None) -> None:
    file = tmp_path / "monitoring"
    file.write_text(text)
    assert settings.metrics_path(Flags(monitoring_config_file=str(file))) == path
    assert settings.metrics_path(Flags()) is None


def test_certificates_come_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "ssl"
    file.write_text('server_key: "KEY\\n" server_cert: "CERT" client_verify: true')
    expected = SSLConfig(server_key="KEY\n", server_cert="CERT", client_verify=True)
    assert settings.certificates(Flags(ssl_config_file=str(file))) == expected
    assert settings.certificates(Flags()) is None


def test_flags_that_would_leave_something_open_are_never_passed_over() -> None:
    code, text = refused(settings.check, Flags(use_alts_credentials=True, model_base_path="/m"))
    assert code == "INVALID_ARGUMENT"
    assert "ssl_config_file" in text
