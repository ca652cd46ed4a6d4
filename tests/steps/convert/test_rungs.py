"""Rungs as they are converted, and as they are run in a child process that plays the device."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferryman.steps.convert.contract import Attempt, agreement, max_difference
from ferryman.steps.convert.converters import Converters
from ferryman.steps.convert.device import LiteModel, run_device
from ferryman.steps.convert.rung import convert
from ferryman.steps.convert.tensors import write_tensors

NOTHING = (sys.executable, "-S", "-c", "")
Models = Callable[[str], Path]
Answers = Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]
Tensors = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def converted(
    core_models: Models, device_tensors: Tensors, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], tuple[Attempt, bytes, dict[str, int]]]:
    """What came of one rung of one kind of model, its file and its ops; each is made once."""
    made: dict[tuple[str, str], tuple[Attempt, bytes, dict[str, int]]] = {}

    def make(kind: str, rung: str) -> tuple[Attempt, bytes, dict[str, int]]:
        if (kind, rung) not in made:
            work = tmp_path_factory.mktemp(f"{kind}-{rung}")
            tensors = device_tensors["image" if kind == "image" else "table"]
            write_tensors(work / "tensors", tensors)
            # Converted in this process, which has TensorFlow already; the whole step is tested with real children.
            content = convert(core_models(kind), rung, work / "tensors" if rung == "int8" else None)
            with Converters(work, work, converter=NOTHING) as converters:
                converters.file(rung).write_bytes(content)
                converters.start(rung)
                attempt = converters.finish(rung, work / "tensors")
                made[kind, rung] = attempt, content, converters.ops.get(rung, {})
        return made[kind, rung]

    return make


Converted = Callable[[str, str], tuple[Attempt, bytes, dict[str, int]]]


@pytest.mark.parametrize("kind", ["table", "image", "number"])
def test_a_float_rung_answers_what_core_answers(
    kind: str, converted: Converted, core_answers: Answers, device_tensors: Tensors
) -> None:
    attempt, content, ops = converted(kind, "float32")
    expected = core_answers(kind, device_tensors["image" if kind == "image" else "table"])
    assert attempt.reason == ""
    assert attempt.answers is not None
    assert max_difference(attempt.answers, expected) < 1e-5
    assert attempt.size_bytes == len(content)
    assert ops["FULLY_CONNECTED"] >= 1
    assert attempt.latency is not None
    assert 0 < attempt.latency < 0.1


@pytest.mark.parametrize("kind", ["table", "image"])
def test_an_int8_rung_with_ids_flags_or_pixels_agrees_with_core(
    kind: str, converted: Converted, core_answers: Answers, device_tensors: Tensors
) -> None:
    attempt, _, ops = converted(kind, "int8")
    expected = core_answers(kind, device_tensors[kind])
    assert attempt.answers is not None, attempt.reason
    assert agreement(attempt.answers["probabilities"], expected["probabilities"]) > 0.93
    assert max_difference(attempt.answers, expected) < 0.05
    assert ops["QUANTIZE"] >= 1  # it really computes in 8 bits


def test_a_one_hot_inside_int8_converts_without_a_word_and_is_caught_by_its_numbers(
    converted: Converted, core_answers: Answers, device_tensors: Tensors
) -> None:
    attempt, _, _ = converted("one_hot", "int8")
    expected = core_answers("one_hot", device_tensors["table"])["probabilities"]
    assert attempt.answers is not None
    assert agreement(attempt.answers["probabilities"], expected) < 0.95


def test_every_rung_has_the_names_and_dtypes_of_core(converted: Converted) -> None:
    inputs = {rung: LiteModel(converted("table", rung)[1]).inputs for rung in ("float32", "int8")}
    assert inputs["float32"] == {"mass": "float32", "mass_missing": "float32", "island": "int32"}
    assert inputs["int8"] == inputs["float32"]
    assert LiteModel(converted("image", "int8")[1]).inputs == {"image": "uint8"}
    for rung in ("float32", "int8"):
        attempt = converted("table", rung)[0]
        assert attempt.answers is not None
        assert {name: answer.dtype for name, answer in attempt.answers.items()} == {"probabilities": np.float32}


def test_rows_in_batches_are_answered_as_one_by_one(converted: Converted, device_tensors: Tensors) -> None:
    model = LiteModel(converted("table", "int8")[1])
    together, alone = model.batches(device_tensors["table"], size=64), model.rows(device_tensors["table"])
    assert together is not None
    assert together["probabilities"].shape == alone["probabilities"].shape == (300, 3)
    np.testing.assert_allclose(together["probabilities"], alone["probabilities"], atol=1 / 256)


def test_a_graph_with_its_batch_built_in_is_answered_row_by_row(
    converted: Converted, device_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = converted("table", "float32")[1]
    expected, _ = run_device(content, device_tensors["table"])
    monkeypatch.setattr(LiteModel, "batches", lambda *_: None)
    answers, report = run_device(content, device_tensors["table"])
    assert not report.batched
    np.testing.assert_allclose(answers["probabilities"], expected["probabilities"], atol=1e-6)


def test_a_batch_that_answers_otherwise_than_its_rows_is_not_believed(
    converted: Converted, device_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LiteModel(converted("table", "float32")[1])
    assert model.batches(device_tensors["table"]) is not None
    right = model.rows
    monkeypatch.setattr(model, "rows", lambda tensors: {name: 1 - answer for name, answer in right(tensors).items()})
    assert model.batches(device_tensors["table"]) is None


def test_the_latency_is_that_of_one_row_once_the_runtime_is_warm(
    converted: Converted, device_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LiteModel(converted("table", "float32")[1])
    rows: list[int] = []

    def row(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        rows.append(len(tensors["island"]))
        time.sleep(0.04 if len(rows) <= 5 else 0.004)
        return {}

    monkeypatch.setattr(model, "row", row)
    assert 0.004 <= model.latency(device_tensors["table"], seconds=0.25) < 0.02
    assert set(rows) == {1}
    assert len(rows) < 100


def test_other_device_tensors_than_the_files_are_refused(
    converted: Converted, device_tensors: Tensors, tmp_path: Path
) -> None:
    write_tensors(tmp_path / "tensors", {**device_tensors["table"], "extra": np.zeros(300, np.float32)})
    (tmp_path / "float32.tflite").write_bytes(converted("table", "float32")[1])
    with Converters(tmp_path / "none", tmp_path, converter=NOTHING) as converters:
        converters.start("float32")
        attempt = converters.finish("float32", tmp_path / "tensors")
    assert attempt.answers is None
    assert "extra" in attempt.reason


DYING = {
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "killed by SIGSEGV",
    "import time; time.sleep(60)": "took longer than its limit",
    "raise SystemExit('no memory left')": "no memory left",
}


@pytest.mark.parametrize(("code", "reason"), DYING.items())
def test_a_converter_that_dies_is_a_failed_rung(tmp_path: Path, code: str, reason: str) -> None:
    with Converters(tmp_path / "none", tmp_path, limit=1.0, converter=(sys.executable, "-c", code)) as converters:
        converters.start("int8")
        attempt = converters.finish("int8", tmp_path)
    assert attempt.answers is None
    assert attempt.size_bytes is None
    assert attempt.reason.startswith("conversion: ")
    assert reason in attempt.reason


def test_a_file_that_crashes_the_runtime_is_a_failed_rung(tmp_path: Path) -> None:
    (tmp_path / "int8.tflite").write_bytes(b"converted")
    crash = (sys.executable, "-c", "import os; os.abort()")
    with Converters(tmp_path / "none", tmp_path, converter=NOTHING, device=crash) as converters:
        converters.start("int8")
        attempt = converters.finish("int8", tmp_path)
    assert attempt.reason == "run: killed by SIGABRT"
    assert attempt.size_bytes == len(b"converted")


def test_a_file_that_is_no_model_is_a_failed_rung_with_one_line(tmp_path: Path, device_tensors: Tensors) -> None:
    write_tensors(tmp_path / "tensors", device_tensors["table"])
    (tmp_path / "int8.tflite").write_bytes(b"this is no flatbuffer, but long enough to be looked at")
    with Converters(tmp_path / "none", tmp_path, converter=NOTHING) as converters:
        converters.start("int8")
        attempt = converters.finish("int8", tmp_path / "tensors")
    assert attempt.answers is None
    assert attempt.reason.startswith("run: ")
    assert "\n" not in attempt.reason


def test_an_op_that_no_plain_runtime_has_is_a_failed_rung_with_the_ops_name(
    converted: Converted, device_tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = converted("table", "float32")[1]
    monkeypatch.setattr("ferryman.steps.convert.device.operators", lambda _: {"ADD": 1, "custom:FlexHashTableV2": 2})
    with pytest.raises(Exception, match="custom:FlexHashTableV2"):
        run_device(content, device_tensors["table"])


def test_leaving_the_block_ends_a_conversion_that_still_runs(tmp_path: Path) -> None:
    sleeping = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(KeyboardInterrupt), Converters(tmp_path, tmp_path, converter=sleeping) as converters:
        converters.start("int8")
        process = converters._running["int8"]
        raise KeyboardInterrupt
    assert process.wait(5.0).signal == 9
    assert not process.wait().timed_out
