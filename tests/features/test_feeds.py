"""Raw tensors become the inputs of somebody else's signature: nothing is lost, and nothing silently changed."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman.errors import DataError
from ferryman.features import Feed, device_reference, features_from, feed_tensors, preprocess_document

RAW = {
    "age": np.array([3, 41, 7], np.float32),
    "mass": np.array([0.5, np.nan, 2.25], np.float32),
    "pixels": np.array([[[[0]]], [[[51]]], [[[255]]]], np.uint8),
    "town": np.array(["", "Rom", "Ö"], object),
}


def test_without_feeds_the_raw_tensors_are_the_inputs() -> None:
    assert feed_tensors([], RAW).keys() == RAW.keys()


def test_a_feed_renames_and_reshapes() -> None:
    (alias, tensor), *_ = feed_tensors([Feed(input="x", features=("age",), dtype="float32", shape=(1,))], RAW).items()
    assert (alias, tensor.tolist()) == ("x", [[3.0], [41.0], [7.0]])


def test_several_features_are_columns_in_the_order_of_the_feed() -> None:
    feed = Feed(input="x", features=("mass", "age"), dtype="float32", shape=(2,))
    assert feed_tensors([feed], RAW)["x"][[0, 2]].tolist() == [[0.5, 3.0], [2.25, 7.0]]


def test_pixels_are_cast_and_then_divided() -> None:
    feed = Feed(input="x", features=("pixels",), dtype="float32", shape=(1, 1, 1), divide=255)
    found = feed_tensors([feed], RAW)["x"]
    assert found.dtype == np.float32
    assert found.ravel().tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_text_stays_text() -> None:
    assert feed_tensors([Feed(input="x", features=("town",), dtype="string")], RAW)["x"].tolist() == ["", "Rom", "Ö"]


def test_whole_numbers_can_be_cast_to_integers_and_missing_ones_to_wider_floats() -> None:
    feeds = [Feed(input="x", features=("age",), dtype="int64"), Feed(input="y", features=("mass",), dtype="float64")]
    found = feed_tensors(feeds, RAW)
    assert (found["x"].dtype, found["x"].tolist()) == (np.dtype("int64"), [3, 41, 7])
    assert np.isnan(found["y"]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("feature", "dtype", "words"),
    [
        ("mass", "int64", "feature 'mass': received 0.5, which is no int64, the type of the input 'x'"),
        ("pixels", "int8", "received 255, which is no int8"),
    ],
)
def test_a_cast_that_would_change_a_number_is_refused(feature: str, dtype: str, words: str) -> None:
    shape = RAW[feature].shape[1:]
    with pytest.raises(DataError, match=words):
        feed_tensors([Feed(input="x", features=(feature,), dtype=dtype, shape=shape)], RAW)


def test_a_missing_number_is_no_integer() -> None:
    feed = Feed(input="x", features=("mass",), dtype="int64")
    with pytest.raises(DataError, match="received nan, which is no int64"):
        feed_tensors([feed], {"mass": np.array([np.nan], np.float32)})


def test_a_device_reads_the_feeds_from_preprocess_json() -> None:
    features = features_from({"age": {"kind": "number"}, "mass": {"kind": "number", "missing": "mean"}})
    feed = Feed(input="x", features=("age", "mass"), dtype="float32", shape=(2,))
    document = preprocess_document(features, {}, [feed])
    assert device_reference(document, RAW)["x"][2].tolist() == [7.0, 2.25]
    assert device_reference(preprocess_document(features, {}, []), RAW) == {}
