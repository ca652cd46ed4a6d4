import numpy as np
import pytest

from ferryman.features import CategoryOptions, CellError
from ferryman.features.category import embedding_width

ISLAND = CategoryOptions(kind="category")
SEX = CategoryOptions(kind="category", missing="category")


def texts(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def test_missing_text_is_an_empty_string_in_the_raw_tensor() -> None:
    raw = SEX.raw(SEX.parse([["female"], [None], ["Ärger"], [""]]))
    assert raw.dtype == object
    assert raw.tolist() == ["female", "", "Ärger", ""]


@pytest.mark.parametrize("cell", [None, ""])
def test_a_missing_category_is_refused_unless_the_options_allow_it(cell: str | None) -> None:
    with pytest.raises(CellError, match="missing: category") as caught:
        ISLAND.parse([["Dream"], [cell]])
    assert (caught.value.row, caught.value.received) == (1, cell)


def test_text_that_no_fixed_width_array_can_keep_is_refused() -> None:
    with pytest.raises(CellError, match="NUL"):
        ISLAND.parse([["Dream\0"]])


def test_the_vocabulary_is_ordered_by_frequency_then_by_name_whatever_the_order_of_rows() -> None:
    rows = ["b", "a", "c", "c", ""]
    assert SEX.fit(texts(*rows)) == SEX.fit(texts(*reversed(rows))) == {"vocabulary": ["c", "a", "b"]}


def test_rare_and_new_categories_are_unknown() -> None:
    small = CategoryOptions(kind="category", max_vocabulary=1, missing="category")
    fitted = small.fit(texts("a", "b", "b"))
    assert small.reference("x", fitted, texts("", "a", "b", "new"))["x"].tolist() == [0, 1, 2, 1]


def test_ids_are_int32_and_bytes_count_as_their_text() -> None:
    ids = SEX.reference("sex", {"vocabulary": ["é", "b"]}, np.array([b"b", "é".encode(), b""]))["sex"]
    assert ids.dtype == np.int32
    assert ids.tolist() == [3, 2, 0]


def test_embeddings_grow_slowly_with_the_vocabulary() -> None:
    assert [embedding_width(size) for size in (3, 100, 10_002, 10**6)] == [3, 21, 278, 600]
