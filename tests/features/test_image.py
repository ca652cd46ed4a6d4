import numpy as np
import pytest
from pydantic import ValidationError

from ferryman.features import CellError, ImageOptions


def image(scale: int = 255, last: int = 7) -> ImageOptions:
    return ImageOptions(kind="image", columns={"first": 2, "last": last}, shape=(1, 3, 2), scale=scale)  # type: ignore[arg-type]


def test_pixels_lie_row_by_row_with_the_channels_of_a_pixel_side_by_side() -> None:
    raw = image().raw(image().parse([["0", "1", "2", "3", "4", "255"], ["6", "7", "8", "9", "10", "11"]]))
    assert raw.dtype == np.uint8
    assert raw.tolist() == [[[[0, 1], [2, 3], [4, 255]]], [[[6, 7], [8, 9], [10, 11]]]]


def test_whole_numbers_may_be_written_as_decimals() -> None:
    assert image().raw(image().parse([["0.0", "1.", "2", "3e1", "04", " 5"]])).ravel().tolist() == [0, 1, 2, 30, 4, 5]


@pytest.mark.parametrize("cell", [None, "", "256", "-1", "1.5", "1_0", "nan", "inf", "x"])
def test_a_cell_that_is_no_pixel_is_named_with_its_place(cell: str | None) -> None:
    with pytest.raises(CellError, match="whole number from 0 to 255") as caught:
        image().parse([["1"] * 6, ["2", "2", "2", cell, "2", "2"]])
    assert (caught.value.row, caught.value.column, caught.value.received) == (1, 3, cell)


def test_a_pixel_above_the_scale_is_refused() -> None:
    assert image(scale=16).parse([["16"] * 6])
    with pytest.raises(CellError, match="from 0 to 16"):
        image(scale=16).parse([["17"] * 6])


def test_columns_that_do_not_fill_the_shape_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValidationError, match=r"7 cells, but the shape 1 x 3 x 2 has 6"):
        image(last=8)


def test_source_columns_are_indexes_with_both_ends() -> None:
    assert image().source_columns("image") == [2, 3, 4, 5, 6, 7]


def test_no_rows_are_a_tensor_of_no_images() -> None:
    assert image().raw(image().parse([])).shape == (0, 1, 3, 2)
