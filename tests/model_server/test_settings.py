"""Flags that go together, and the files that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.model_server import settings
from ferryman.model_server.core import Refusal, name_of
from ferryman.model_server.flags import Flags
from ferryman.serving.protocol import BatchingParameters, SSLConfig


def refused(call: object, *arguments: object) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        call(*arguments)  # type: ignore[operator]
    return name_of(caught.value.code), caught.value.text


@pytest.mark.parametrize("port", [-1, 65536, 80000])
def test_a_number_that_is_no_port_is_refused_by_name(port: int) -> None:
    settings.check(Flags(model_base_path="/m", port=65535, rest_api_port=1))
    for name in ("port", "rest_api_port"):
        told = refused(settings.check, Flags(model_base_path="/m", **{name: port}))  # type: ignore[arg-type]
        assert told == (
            "INVALID_ARGUMENT",
            f"--{name}: received {port}, expected a port from 1 to 65535, or 0 for none",
        )


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


def test_a_sessions_threads_are_given_as_one_number_or_as_two() -> None:
    threads = dict.fromkeys(
        ("tensorflow_session_parallelism", "tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism"), 1
    )
    assert refused(settings.check_parallelism, Flags(**threads))[0] == "INVALID_ARGUMENT"


def test_a_sessions_config_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "session"
    file.write_text("allow_soft_placement: true")
    assert settings.session_config(Flags()) is None
    assert settings.session_config(Flags(tensorflow_session_config_file=str(file))).allow_soft_placement
    file.write_text("nonsense: 1")
    told = refused(settings.session_config, Flags(tensorflow_session_config_file=str(file)))
    assert told == ("INVALID_ARGUMENT", f"Invalid protobuf file: '{file}'")


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
