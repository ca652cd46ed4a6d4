"""What a loaded SavedModel answers and refuses, beside what the real server's source says."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.model_server import metrics
from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, Refusal
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.model_server.runtime.session import Session

X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)


@pytest.fixture(scope="module")
def module(built: Path) -> Any:
    model = SavedModel(built / "module")
    yield model
    model.close()


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.text


# What it answers


def test_all_outputs_come_by_alias_and_a_single_number_is_an_array(module: SavedModel) -> None:
    outputs = module.run("", {"x": X})
    assert sorted(outputs) == ["product", "rows", "sum"]
    np.testing.assert_array_equal(outputs["product"], X * [2, 3])
    np.testing.assert_array_equal(outputs["sum"], (X * [2, 3]).sum(1))
    assert outputs["rows"].shape == ()
    assert outputs["rows"] == 3


def test_a_filter_chooses_outputs_in_its_order(module: SavedModel) -> None:
    assert list(module.run("serving_default", {"x": X}, ["sum", "product"])) == ["sum", "product"]
    assert list(module.run("serving_default", {"x": X}, ["rows"])) == ["rows"]


def test_text_comes_as_bytes_and_a_table_and_its_file_are_loaded(module: SavedModel) -> None:
    outputs = module.run("words", {"word": np.array([b"yes", b"never", b"no"], object)})
    assert outputs["place"].tolist() == [1, -1, 0]
    assert outputs["upper"].tolist() == [b"YES", b"NEVER", b"NO"]
    assert outputs["all"].shape == ()
    assert outputs["all"].item() == b"yesneverno"


def test_a_ragged_tensor_inside_a_model_is_no_obstacle(module: SavedModel) -> None:
    outputs = module.run("ragged", {"text": np.array([b"a b c", b"d"], object)})
    assert outputs["count"].tolist() == [3, 1]
    assert outputs["padded"].tolist() == [[b"a", b"b", b"c"], [b"d", b"", b""]]


def test_read_only_unaligned_and_strided_arrays_are_read_where_they_lie(module: SavedModel) -> None:
    expected = module.run("", {"x": X})["product"]
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.float32, X.size, 1).reshape(X.shape)
    assert not unaligned.flags.aligned
    assert not unaligned.flags.writeable
    strided = np.repeat(X, 2, axis=0)[::2]
    assert not strided.flags.c_contiguous
    for array in (unaligned, strided):
        np.testing.assert_array_equal(module.run("", {"x": array})["product"], expected)


def test_a_request_without_rows_is_answered_without_rows(module: SavedModel) -> None:
    assert module.run("", {"x": X[:0]})["product"].shape == (0, 2)


def test_the_rank_of_an_input_is_left_to_the_graph(built: Path) -> None:
    model = SavedModel(built / "half_plus_two")
    assert model.signatures["serving_default"].inputs["x"].shape == (-1, 1)
    assert model.run("", {"x": X[0]})["y"].tolist() == [2.5, 3.0]


# What it refuses (predict_util.cc, tensorflow/cc/saved_model/util.cc)


def test_an_unknown_signature_is_a_failed_precondition(module: SavedModel) -> None:
    assert refused(lambda: module.run("nope", {"x": X})) == (
        FAILED_PRECONDITION,
        'Serving signature key "nope" not found.',
    )


@pytest.mark.parametrize(
    ("inputs", "filter", "text"),
    [
        (
            {"a": X, "c": X, "d": X},
            (),
            "input size does not match signature: 3!=2 len({a,c,d}) != len({a,b}). Sent extra: {c,d}. Missing but required: {b}.",
        ),
        (
            {"b": X},
            (),
            "input size does not match signature: 1!=2 len({b}) != len({a,b}). Sent extra: {}. Missing but required: {a}.",
        ),
        (
            {"a": X, "c": X},
            (),
            "Signature input alias: b(feed name: checked_b:0) not found in request and no default value provided. Inputs "
            "expected to be in the request {a,c}, or default input alias set: ",
        ),
        (
            {"a": X, "b": X},
            ("z",),
            "output tensor alias not found in signature: z Outputs expected to be in the set {both}.",
        ),
        ({"a": X, "b": X}, ("both", "both"), "duplicate output tensor alias: both"),
        ({"a": X, "c": X}, ("z",), "Signature input alias: b(feed name"),
    ],
    ids=["too many", "too few", "another", "unknown output", "an output twice", "inputs come first"],
)
def test_inputs_and_outputs_that_do_not_fit_are_refused_in_the_servers_order_and_words(
    module: SavedModel, inputs: dict[str, np.ndarray], filter: tuple[str, ...], text: str
) -> None:
    code, received = refused(lambda: module.run("checked", inputs, filter))
    assert code == INVALID_ARGUMENT
    assert received == text or (text.endswith("feed name") and received.startswith(text))


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (np.ones((1, 2), np.int64), "int64"),
        (np.ones((1, 2), np.float64), "double"),
        (np.array([[b"1", b"2"]], object), "string"),
        (np.ones((1, 2), bool), "bool"),
    ],
    ids=["int64", "double", "string", "bool"],
)
def test_a_dtype_is_compared_and_never_converted(module: SavedModel, array: np.ndarray, name: str) -> None:
    text = f"Expects arg[0] to be float but {name} is provided"
    assert refused(lambda: module.run("", {"x": array})) == (INVALID_ARGUMENT, text)


def test_inputs_are_numbered_by_the_names_of_their_tensors(module: SavedModel) -> None:
    inputs = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}
    assert refused(lambda: module.run("checked", inputs))[1] == "Expects arg[1] to be int64 but float is provided"


def test_what_fails_inside_the_graph_is_told_in_its_words_and_the_next_request_is_answered(module: SavedModel) -> None:
    b = np.ones(2, np.int64)
    code, text = refused(lambda: module.run("checked", {"a": np.array([-1, 1], np.float32), "b": b}))
    assert code == INVALID_ARGUMENT
    assert "a must not be negative" in text
    assert "Traceback" not in text
    assert module.run("checked", {"a": np.ones(2, np.float32), "b": b})["both"].tolist() == [2.0, 2.0]
    assert refused(lambda: module.run("", {"x": np.ones((2, 3), np.float32)}))[0] == INVALID_ARGUMENT


# TensorFlow 1


def test_a_model_of_tensorflow_1_with_both_kinds_of_variables_is_loaded(built: Path) -> None:
    model = SavedModel(built / "half_plus_two")
    assert model.run("", {"x": X[:, :1]})["y"].tolist() == [[2.5], [3.5], [4.5]]


def test_tags_choose_the_graph_and_must_all_be_there(built: Path) -> None:
    assert list(SavedModel(built / "half_plus_two", ["small", "serve"]).signatures) == ["small"]
    code, text = refused(lambda: SavedModel(built / "half_plus_two", ["small"]))
    assert code == NOT_FOUND
    assert text.startswith("Could not find meta graph def matching supplied tags: { small }. To inspect")


def test_a_missing_input_takes_the_default_of_its_signature(built: Path, tmp_path: Path) -> None:
    model = SavedModel(with_default(built / "half_plus_two", tmp_path / "m", "x", [[8.0]]))
    assert model.run("", {})["y"].tolist() == [[6.0]]
    assert model.run("", {"x": X[:1, :1]})["y"].tolist() == [[2.5]]
    assert refused(lambda: model.run("", {"z": X})) == (
        INVALID_ARGUMENT,
        "Inputs contains invalid name. Used request inputs: , request input: z",
    )


def with_default(source: Path, folder: Path, alias: str, value: Any) -> Path:
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(source, folder)
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    for graph in saved.meta_graphs:
        for definition in graph.signature_def.values():
            definition.defaults[alias].CopyFrom(tf.make_tensor_proto(np.array(value, np.float32)))
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


# Damage


def test_without_a_graph_the_folder_is_named(tmp_path: Path) -> None:
    code, text = refused(lambda: SavedModel(tmp_path))
    assert code == NOT_FOUND
    assert text == (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called "
        f"`saved_model.pb`)\nSpecified file path: {tmp_path}"
    )


def test_a_graph_in_chunks_is_not_found_as_in_the_original_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "saved_model.cpb").write_bytes(b"chunks")
    with pytest.raises(Refusal) as caught:
        SavedModel(tmp_path)
    assert (caught.value.code, caught.value.text) == (
        NOT_FOUND,
        f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {tmp_path}. Check that the directory "
        "exists and that you have the right permissions for accessing it.",
    )
    assert "saved with experimental_image_format=True" in caplog.text


def test_a_damaged_graph_is_data_loss_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\xff no graph")
    assert refused(lambda: SavedModel(tmp_path)) == (15, f"Can't parse {tmp_path}/saved_model.pb as binary proto")
    assert metrics.LOAD_ATTEMPT_COUNT.cells()[str(tmp_path), "fail"] == 1


def test_a_bundle_of_2015_is_unimplemented(tmp_path: Path) -> None:
    (tmp_path / "export.meta").touch()
    assert refused(lambda: SavedModel(tmp_path)) == (12, "Session Bundle is deprecated and removed.")


def test_without_variables_a_model_loads_and_refuses_its_requests(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "module", tmp_path / "m", ignore=shutil.ignore_patterns("variables"))
    model = SavedModel(tmp_path / "m")
    assert refused(lambda: model.run("", {"x": X}))[0] == FAILED_PRECONDITION
    assert model.run("words", {"word": np.array([b"maybe"], object)})["place"].tolist() == [2]


def test_variables_that_were_cut_short_fail_the_load(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "module", tmp_path / "m")
    data = next((tmp_path / "m" / "variables").glob("*.data*"))
    data.write_bytes(data.read_bytes()[:3])
    code, text = refused(lambda: SavedModel(tmp_path / "m"))
    assert code in (NOT_FOUND, 11, 15)
    assert "\nTraceback" not in text


def test_an_asset_that_is_missing_fails_the_load(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "module", tmp_path / "m", ignore=shutil.ignore_patterns("assets"))
    code, text = refused(lambda: SavedModel(tmp_path / "m"))
    assert code == NOT_FOUND
    assert "words.txt" in text


def test_files_that_vanish_while_a_version_serves_change_nothing(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built / "module", tmp_path / "m")
    model = SavedModel(tmp_path / "m")
    shutil.rmtree(tmp_path / "m")
    assert model.run("", {"x": X})["rows"] == 3
    assert model.run("words", {"word": np.array([b"maybe"], object)})["place"].tolist() == [2]


# Tensors


def tensors(module: SavedModel, *outputs: str) -> list[str]:
    return [module.signatures["serving_default"].outputs[alias].name for alias in outputs]


def test_tensors_are_fed_and_fetched_by_name(module: SavedModel) -> None:
    (x,) = module.signatures["serving_default"].inputs.values()
    product, total = tensors(module, "product", "sum")
    values = module.run_tensors({x.name: X}, [total, product])
    assert list(values) == [total, product]
    np.testing.assert_array_equal(values[product], X * np.float32([2, 3]))
    np.testing.assert_array_equal(values[total], (X * np.float32([2, 3])).sum(axis=1))
    text = "Expects arg[0] to be float but double is provided"
    assert refused(lambda: module.run_tensors({x.name: X.astype(np.float64)}, [total])) == (INVALID_ARGUMENT, text)


def test_what_clients_think_of_leaves_no_more_calls_ready_than_a_limit(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferryman.model_server.runtime.saved_model.CALLS", 2)
    model = SavedModel(built / "module")
    (x,) = model.signatures["serving_default"].inputs.values()
    for names in (["sum"], ["product"], ["sum", "product"], ["sum"]):
        assert list(model.run("", {"x": X}, names)) == names
        assert list(model.run_tensors({x.name: X}, tensors(model, *names))) == tensors(model, *names)
        assert len(model._calls) <= 2
    model.close()


# Threads


def test_many_threads_get_their_own_answers(module: SavedModel) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        array = np.full((2, 2), number, np.float32)
        for _ in range(50):
            if module.run("", {"x": array}, ["sum"])["sum"].tolist() != [5.0 * number] * 2:
                wrong.append(number)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))
    assert wrong == []


def test_closing_waits_for_the_calls_that_run_and_refuses_later_ones(built: Path) -> None:
    model = SavedModel(built / "half_plus_two")
    held = model._session
    assert isinstance(held, Session)
    call = held.callable(["x:0"], ["y:0"])
    del held
    model.close()
    assert call([X[:, :1]])[0].tolist() == [[2.5], [3.5], [4.5]]
    assert refused(lambda: model.run("", {"x": X[:, :1]}))[0] == 14
