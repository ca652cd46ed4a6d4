"""model.tflite in the place of a SavedModel: strings in and out, and shapes that it was not made for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import lite_models
import pytest
from rests_on import rests_on
from serving_client import Client, Model, as_text, code, refusal
from serving_target import FLAGS as SHARED
from serving_target import Target

SESSION = "servables/tensorflow/tflite_session.cc"
FEED = f"{SESSION}:SetInputAndInvokeMiniBatch"
TEXT = "servables/tensorflow/tflite_interpreter_pool.cc:TfLiteInterpreterWrapper::SetStringData"
OUTPUT = f"{SESSION}:SetMiniBatchOutput"
CREATE = f"{SESSION}:TfLiteSession::Create"

ODD = [b"yes", b"", b"\xff\x00\xfe", b"no\x00", "größer".encode()]
"""Bytes that are text, none, no UTF-8, and with a zero at their end."""


@pytest.fixture(scope="module")
def lite(aim: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of the models `texts` (strings) and `joined` (two inputs that must have the same rows)."""
    folder = tmp_path_factory.mktemp("lite")
    lite_models.texts(folder / "texts" / "1")
    lite_models.joined(folder / "joined" / "1")
    models = [Model(name, folder / name, (1,)) for name in ("texts", "joined")]
    (folder / "models.config").write_text(as_text(*models))
    started = aim.start(
        folder, f"--model_config_file={folder / 'models.config'}", "--prefer_tflite_model=true", *SHARED
    )
    try:
        yield started.client()
    finally:
        started.stop()


def ask(client: Client, x: Any) -> Any:
    return client.predict({"x": x}, name="texts").outputs


def shape(tensor: Any) -> list[int]:
    return [dimension.size for dimension in tensor.tensor_shape.dim]


@rests_on(FEED, TEXT, OUTPUT)
@pytest.mark.parametrize("rows", [5, 1, 0, 3])
def test_strings_of_any_bytes_come_back_as_they_went_in(lite: Client, rows: int) -> None:
    import numpy as np

    answer = ask(lite, np.array(ODD[:rows], object))
    assert (list(answer["column_bytes"].string_val), shape(answer["column_bytes"])) == (ODD[:rows], [rows, 1])
    assert list(answer["yes"].bool_val) == [text == b"yes" for text in ODD[:rows]]


@rests_on(FEED)
def test_strings_lose_all_dimensions_but_the_rows(lite: Client) -> None:
    answer = ask(lite, [[[b"no"]], [[b"yes"]]])
    assert (list(answer["column_bytes"].string_val), shape(answer["column_bytes"])) == ([b"no", b"yes"], [2, 1])
    assert shape(answer["yes"]) == [2]


@rests_on(TEXT)
@pytest.mark.parametrize("x", [[[b"a", b"b"], [b"c", b"d"]], b"alone", [[], []]])
def test_what_is_not_one_string_a_row_is_refused_and_the_next_request_is_answered(lite: Client, x: Any) -> None:
    assert code(lambda: ask(lite, x)) == "INVALID_ARGUMENT"
    assert list(ask(lite, [b"yes", b"no"])["yes"].bool_val) == [True, False]


@rests_on(FEED)
def test_numbers_for_strings_are_refused(lite: Client) -> None:
    assert code(lambda: ask(lite, [1.0, 2.0])) == "INVALID_ARGUMENT"
    assert list(ask(lite, [b"yes"])["yes"].bool_val) == [True]


@rests_on(FEED, TEXT, OUTPUT)
def test_rest_takes_and_gives_strings_of_any_bytes(lite: Client) -> None:
    sent = [{"b64": base64.b64encode(text).decode()} for text in ODD]
    rows = lite.http("POST", "/v1/models/texts:predict", {"instances": sent})
    assert rows.body["predictions"] == [
        {"column_bytes": [text], "yes": raw == b"yes"} for text, raw in zip(sent, ODD, strict=True)
    ]
    columns = lite.http("POST", "/v1/models/texts:predict", {"inputs": ["no", "yes"]})
    assert columns.body["outputs"] == {"column_bytes": [[{"b64": "bm8="}], [{"b64": "eWVz"}]], "yes": [False, True]}


@rests_on(CREATE)
def test_the_signature_is_made_of_the_tensors(lite: Client) -> None:
    found = lite.http("GET", "/v1/models/texts/metadata").body["metadata"]["signature_def"]["signature_def"]
    made = found["serving_default"]
    assert made["method_name"] == "tensorflow/serving/predict"
    assert made["inputs"]["x"] == {
        "dtype": "DT_STRING",
        "name": "x",
        "tensor_shape": {"dim": [{"size": "1", "name": ""}], "unknown_rank": False},
    }
    assert set(made["outputs"]) == {"column_bytes", "yes"}


@rests_on(FEED)
def test_inputs_are_resized_one_after_the_other_which_a_model_that_joins_them_cannot_take(lite: Client) -> None:
    def ask(rows: int) -> list[float]:
        inputs = {"a": [[1.0]] * rows, "b": [[2.0, 3.0]] * rows}
        return list(lite.predict(inputs, name="joined").outputs["both"].float_val)

    for _ in range(2):
        assert ask(1) == [1.0, 2.0, 3.0]
        assert refusal(lambda: ask(2)) == ("INTERNAL", "Failed to allocate tensors")
