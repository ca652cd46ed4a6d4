"""A user's feature between the steps: its cells are read without its code, and all that its code gives is checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferryman.code.loading import imported
from ferryman.errors import UserCodeError
from ferryman.features import CellError, TensorSpec, check_names, features_from
from ferryman.features.user_kind import UserFeatureOptions

tf = pytest.importorskip("tensorflow")

CODE = """
import numpy as np
import tensorflow as tf

import ferryman


class Initial(ferryman.Feature):
    class Options(ferryman.Options):
        letters: str

    def device(self, fitted):
        return {"": ("int32", ()), "size": ("float32", (2,))}

    def transform(self, raw, fitted):
        first = tf.strings.substr(raw, 0, 1)
        found = tf.equal(first[:, None], tf.constant(list(self.options.letters)))
        size = tf.cast(tf.strings.length(raw), tf.float32)
        return {"": 1 + tf.argmax(found, axis=1, output_type=tf.int32), "size": tf.stack([size, -size], axis=1)}

    def reference(self, raw, fitted):
        size = np.array([len(text) for text in raw], dtype=np.float32)
        ids = np.array([1 + self.options.letters.index(text[:1]) for text in raw], dtype=np.int32)
        return {"": ids, "size": np.stack([size, -size], axis=1)}


class Plain(ferryman.Feature):
    def transform(self, raw, fitted):
        return tf.identity(raw)

    def reference(self, raw, fitted):
        return raw
"""


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "features.py").write_text(CODE)
    with imported(tmp_path, "birds"):
        yield


def feature(kind: str, **options: Any) -> Any:
    (made,) = features_from({"name": {"kind": f"birds.features:{kind}", **options}}).values()
    assert isinstance(made, UserFeatureOptions)
    return made


def test_its_cells_are_read_like_those_of_a_built_in_kind_without_its_code() -> None:
    text = feature("Initial", reads="category", column="species", missing="keep", letters="AC")
    assert text.source_columns("name") == ["species"]
    assert text.raw_spec("name") == TensorSpec("name", "string")
    assert text.raw(text.parse([["Adelie"], [None]])).tolist() == ["Adelie", ""]
    number = feature("Plain", reads="number")
    assert number.source_columns("name") == ["name"]
    np.testing.assert_array_equal(number.raw(number.parse([["1e3"], ["-2"]])), np.float32([1000, -2]))
    with pytest.raises(CellError, match="expected a number"):
        number.parse([["1"], [None]])
    check_names({"name": number, "other": text})


def test_graph_and_reference_give_the_same_named_tensors_for_text_of_any_form(birds: None) -> None:
    made = feature("Initial", reads="category", letters="AC")
    assert made.device_specs("bird", {}) == [TensorSpec("bird", "int32"), TensorSpec("bird_size", "float32", (2,))]
    stored = np.array([b"Chinstrap", b"Adelie"])
    graph = made.transform("bird", {}, tf.constant(stored.astype(object)))
    reference = made.reference("bird", {}, stored)
    assert reference["bird"].tolist() == [2, 1]
    assert reference["bird_size"].tolist() == [[9, -9], [6, -6]]
    for name, tensor in graph.items():
        np.testing.assert_array_equal(tensor, reference[name])


def test_ids_want_an_encoding_of_their_own_and_floats_do_not(birds: None) -> None:
    import keras

    made = feature("Initial", reads="category", letters="AC")
    inputs = {
        spec.name: keras.Input(shape=spec.shape, dtype=spec.dtype, name=spec.name)
        for spec in made.device_specs("bird", {})
    }
    with pytest.raises(UserCodeError, match="is int32: define encode") as caught:
        made.encode("bird", {}, inputs)
    assert (caught.value.file, caught.value.line) == ("birds/features.py", 8)
    plain = feature("Plain", reads="number")
    assert plain.encode("mass", {}, {"mass": keras.Input(shape=(), name="mass")}).shape == (None, 1)


def test_text_that_its_reference_cannot_take_is_blamed_on_its_line(birds: None) -> None:
    made = feature("Initial", reads="category", letters="AC")
    with pytest.raises(UserCodeError, match="substring not found") as caught:
        made.reference("bird", {}, np.array(["Gentoo"], dtype=object))
    assert (
        caught.value.line
        == CODE.splitlines().index(
            "        ids = np.array([1 + self.options.letters.index(text[:1]) for text in raw], dtype=np.int32)"
        )
        + 1
    )
