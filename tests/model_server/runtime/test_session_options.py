"""What changes the sessions of all versions, and of one."""

from __future__ import annotations

import base64
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_testdata import found, needs_testdata

from ferryman.model_server.loading import LoadOptions, loader, session_config
from ferryman.model_server.runtime.session_options import config_of
from ferryman.serving.protocol import SavedModelConfig

WIDTH = 256

needs_bfloat16 = pytest.mark.skipif(
    not any(name in Path("/proc/cpuinfo").read_text() for name in ("avx512_bf16", "amx_bf16"))
    if Path("/proc/cpuinfo").exists()
    else True,
    reason="this processor has no bfloat16",
)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that multiplies by a matrix twice."""
    import tensorflow as tf

    weights = np.random.default_rng(0).normal(size=(WIDTH, WIDTH)).astype(np.float32)

    class Twice(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.weights = tf.Variable(weights)

        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": tf.matmul(tf.nn.relu(tf.matmul(x, self.weights)), self.weights)}

    module, folder = Twice(), tmp_path_factory.mktemp("matrix") / "1"
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return folder


def answer(folder: Path, precision: str) -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(64, WIDTH)).astype(np.float32)
    return loader(LoadOptions(mixed_precision=precision))(folder).run("", {"x": x})["y"]


def overridden(version: Path, tmp_path: Path, content: bytes) -> Path:
    copy = Path(shutil.copytree(version, tmp_path / version.name))
    (copy / "assets.extra").mkdir()
    (copy / "assets.extra" / "saved_model_config.pb").write_bytes(content)
    return copy


@needs_bfloat16
def test_bfloat16_answers_less_precisely_and_other_words_change_nothing(
    matrix: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exact, rounded = answer(matrix, ""), answer(matrix, "bfloat16")
    assert 0 < np.abs(rounded - exact).max() < 0.02 * np.abs(exact).max()
    np.testing.assert_array_equal(answer(matrix, "float16"), exact)
    assert "float16 auto mixed precision is not supported. Valid option: bfloat16" in caplog.text


@needs_bfloat16
def test_a_versions_own_file_leaves_its_graph_as_it_is(matrix: Path, tmp_path: Path) -> None:
    own = SavedModelConfig(session_overrides={"disable_meta_optimizer": True})
    copy = overridden(matrix, tmp_path, own.SerializeToString())
    np.testing.assert_array_equal(answer(copy, "bfloat16"), answer(matrix, ""))


def test_precision_is_asked_for_in_the_sessions_config() -> None:
    def asked(precision: str) -> int:
        options = session_config(LoadOptions(mixed_precision=precision)).graph_options.rewrite_options
        return int(options.auto_mixed_precision_onednn_bfloat16)

    assert [asked(precision) for precision in ("bfloat16", "float16", "")] == [1, 0, 0]


def test_the_optimizers_of_a_versions_own_file_replace_those_of_all(tmp_path: Path) -> None:
    from tensorflow.core.protobuf import config_pb2

    common = config_pb2.ConfigProto()
    common.graph_options.rewrite_options.disable_meta_optimizer = True
    common.graph_options.rewrite_options.custom_optimizers.add(name="batch_op_rewriter").parameter_map["other"].i = 7
    (tmp_path / "assets.extra").mkdir()
    # A field 4 with a number, that nobody here knows.
    overrides = b"\x0a\x00\x12\x02\x20\x05"
    content = b"\x0a" + bytes([len(overrides)]) + overrides
    (tmp_path / "assets.extra" / "saved_model_config.pb").write_bytes(content)
    options = config_of(tmp_path, common).graph_options.rewrite_options
    batching, remote = options.custom_optimizers
    assert (batching.name, remote.name) == ("batch_op_rewriter", "remote_op_config_rewrite")
    assert batching.parameter_map["batch_op_rewrite_config"].s == base64.b64encode(b"\x20\x05")
    assert batching.parameter_map["other"].i == 7
    assert remote.parameter_map["remote_op_rewrite_config"].s == b""
    assert not options.disable_meta_optimizer
    assert common.graph_options.rewrite_options.disable_meta_optimizer


@pytest.mark.parametrize("content", [b"\xff no message", b"", b"\x18\x01"])
def test_a_file_that_overrides_nothing_or_is_none_changes_nothing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    common = object()
    assert config_of(tmp_path, common) is common
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "saved_model_config.pb").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert config_of(tmp_path, common) is common
    assert ("Failed to load saved model config" in caplog.text) == content.startswith(b"\xff")


@needs_testdata
def test_the_file_of_tensorflow_serving_is_read() -> None:
    folder = found("saved_model_half_plus_two_cpu_with_saved_model_config", "00000123")
    options = config_of(folder, None).graph_options.rewrite_options
    assert [optimizer.name for optimizer in options.custom_optimizers] == [
        "remote_op_config_rewrite",
        "batch_op_rewriter",
    ]
