"""What a model.tflite is fed: shapes that it was not made for, and strings."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lite_models import joined, save_lite, texts

from ferryman.model_server.core import INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.loading import LoadOptions, loader
from ferryman.model_server.runtime.lite import LiteModel


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def strings(*values: bytes) -> np.ndarray:
    return np.array(values, object)


def refused(model: Any, **inputs: np.ndarray) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        model.run("", inputs)
    return caught.value.code, caught.value.text


@pytest.mark.parametrize("text", [b"yes", b"", b"\xff\x00", b"x" * 5000])
def test_a_string_without_dimensions_beside_one_row_is_that_string(tmp_path: Path, text: bytes) -> None:
    def outputs(n: Any, x: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"number": n * 2.0, "in_a_row": tf.expand_dims(x, 0)}

    model = LiteModel(save_lite(tmp_path, {"n": ("float32", [None, 1]), "x": ("string", [])}, outputs))
    scalar = np.array(text, object)
    assert model.run("", {"n": column(3), "x": scalar})["in_a_row"].tolist() == [text]
    code, words = refused(model, n=column(3, 4), x=scalar)
    assert code == INVALID_ARGUMENT
    assert "received strings of shape [] in a request of 2 rows, with room for 2" in words


def test_only_the_first_input_of_strings_is_resized(tmp_path: Path) -> None:
    def outputs(x: Any, y: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"same": tf.equal(x, y)}

    model = LiteModel(save_lite(tmp_path, {"x": ("string", [None]), "y": ("string", [None])}, outputs))
    assert model.run("", {"x": strings(b"a"), "y": strings(b"a")})["same"].tolist() == [True]
    code, words = refused(model, x=strings(b"a", b"b"), y=strings(b"a", b"b"))
    assert code == INVALID_ARGUMENT
    assert words.startswith("TfLite input y: received strings of shape [2] in a request of 2 rows, with room for 1;")
    assert model.run("", {"x": strings(b"a"), "y": strings(b"b")})["same"].tolist() == [False]


def test_strings_have_room_for_one_row_at_first_whatever_the_model_says(tmp_path: Path) -> None:
    def outputs(x: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"yes": tf.equal(x, b"yes")}

    model = LiteModel(save_lite(tmp_path, {"x": ("string", [4])}, outputs))
    assert model.run("", {"x": strings(b"yes")})["yes"].tolist() == [True]
    assert model.run("", {"x": strings(b"no", b"yes")})["yes"].tolist() == [False, True]


def test_a_dtype_that_the_real_server_does_not_know_fails_the_load(tmp_path: Path) -> None:
    def outputs(x: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"single": tf.cast(x, tf.float32)}

    save_lite(tmp_path, {"x": ("float64", [None])}, outputs)
    with pytest.raises(Refusal, match=r"^Unknown TfLite type: 11$") as caught:
        LiteModel(tmp_path)
    assert caught.value.code == INTERNAL


def test_a_shape_that_failed_leaves_the_input_as_it_was(tmp_path: Path) -> None:
    model = LiteModel(joined(tmp_path))
    good = {"a": column(1), "b": np.array([[2, 3]], np.float32)}
    for bad in (np.ones((2, 2), np.float32), np.ones((1, 1, 1), np.float32)):
        assert refused(model, a=column(1), b=bad) == (INTERNAL, "Failed to allocate tensors")
        assert model.run("", good)["both"].tolist() == [[1, 2, 3]]


def test_what_litert_says_is_logged_and_not_answered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def outputs(x: Any, place: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"picked": tf.gather(x, place)}

    model = LiteModel(save_lite(tmp_path, {"x": ("string", [None]), "place": ("int32", [None])}, outputs))
    with caplog.at_level(logging.ERROR):
        told = refused(model, x=strings(b"a", b"b"), place=np.array([7], np.int32))
    assert told == (INTERNAL, "Failed to invoke TfLite interpreter")
    assert "gather index out of bounds" in caplog.text
    assert model.run("", {"x": strings(b"a", b"b"), "place": np.array([1], np.int32)})["picked"].tolist() == [b"b"]


def test_the_words_of_earlier_failures_are_not_kept_for_ever(tmp_path: Path) -> None:
    model, lengths = LiteModel(joined(tmp_path)), []
    bad = {"a": column(1, 2), "b": np.ones((2, 2), np.float32)}
    for _ in range(301):
        with pytest.raises(Refusal, match=r"^Failed to allocate tensors$") as caught:
            model.run("", bad)
        lengths.append(len(str(caught.value.__cause__)))
    assert lengths[-1] == lengths[0]
    assert max(lengths) <= 100 * lengths[0]
    assert model.run("", {"a": column(1), "b": np.ones((1, 2), np.float32)})["both"].tolist() == [[1, 1, 1]]


def test_strings_of_many_clients_run_together_and_each_gets_its_own(tmp_path: Path) -> None:
    texts(tmp_path)
    options = LoadOptions(prefer_tflite_model=True, num_tflite_pools=2, num_tflite_interpreters_per_pool=4)
    model = loader(options)(tmp_path)
    wrong: list[int] = []

    def ask(number: int) -> None:
        for rows in (1, 3, 130):
            x = strings(*[b"yes", b"%d" % number] * rows)
            answer = model.run("", {"x": x})
            if answer["column_bytes"][:, 0].tolist() != x.tolist() or answer["yes"].tolist() != [True, False] * rows:
                wrong.append(number)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    model.close()
    assert wrong == []
