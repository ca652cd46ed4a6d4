import numpy as np
import pytest

from ferryman.features import CellError, NumberOptions

MASS = NumberOptions(kind="number")
LENGTH = NumberOptions(kind="number", column="bill", missing="mean")


def test_cells_become_float32_with_nan_where_missing() -> None:
    raw = LENGTH.raw(LENGTH.parse([["39.1"], [None], ["-1e-3"], [" 7 "]]))
    assert raw.dtype == np.float32
    np.testing.assert_array_equal(raw, np.array([39.1, np.nan, -0.001, 7], np.float32))


@pytest.mark.parametrize("cell", ["", "12,5", "nan", "inf", "1_000", "1e39", "0x1f", "3 g"])
def test_a_cell_that_is_no_finite_float32_is_named_with_its_place(cell: str) -> None:
    with pytest.raises(CellError) as caught:
        MASS.parse([["1"], ["2"], [cell]])
    assert (caught.value.row, caught.value.column, caught.value.received) == (2, 0, cell)
    assert "finite number" in caught.value.expected


def test_the_first_of_several_wrong_cells_is_named() -> None:
    with pytest.raises(CellError) as caught:
        MASS.parse([["1"], ["1e39"], ["x"], [None]])
    assert caught.value.row == 1


def test_a_missing_number_is_refused_unless_the_options_allow_it() -> None:
    with pytest.raises(CellError, match="missing: mean") as caught:
        MASS.parse([["1"], [None]])
    assert caught.value.row == 1


def test_the_column_is_the_features_own_name_by_default() -> None:
    assert MASS.source_columns("mass") == ["mass"]
    assert LENGTH.source_columns("length") == ["bill"]
    assert NumberOptions(kind="number", column=0).source_columns("mass") == [0]


def test_fitting_ignores_what_is_missing() -> None:
    assert LENGTH.fit(np.array([1, np.nan, 5], np.float32)) == {"mean": 3.0, "deviation": 2.0}


def test_normalised_numbers_have_mean_0_and_deviation_1_and_missing_ones_sit_at_the_mean() -> None:
    raw = np.array([2000, 4000, np.nan, 9000], np.float32)
    device = LENGTH.reference("length", LENGTH.fit(raw), raw)
    known = device["length"][[0, 1, 3]]
    assert abs(known.mean()) < 1e-6
    assert abs(known.std() - 1) < 1e-6
    assert device["length"][2] == 0
    np.testing.assert_array_equal(device["length_missing"], np.array([0, 0, 1, 0], np.float32))


def test_the_missing_flag_exists_only_where_missing_is_allowed() -> None:
    fitted = {"mean": 0.0, "deviation": 1.0}
    assert [spec.name for spec in MASS.device_specs("mass", fitted)] == ["mass"]
    assert [spec.name for spec in LENGTH.device_specs("length", fitted)] == ["length", "length_missing"]
    assert list(MASS.reference("mass", fitted, np.ones(2, np.float32))) == ["mass"]


@pytest.mark.parametrize("value", [0.0, 5.0, 1e30])
def test_a_constant_column_stays_finite(value: float) -> None:
    raw = np.full(3, value, np.float32)
    assert np.array_equal(MASS.reference("mass", MASS.fit(raw), raw)["mass"], np.zeros(3, np.float32))


def test_a_column_of_which_nothing_is_known_stays_finite() -> None:
    raw = np.full(3, np.nan, np.float32)
    assert LENGTH.reference("length", LENGTH.fit(raw), raw)["length"].tolist() == [0, 0, 0]


def test_a_number_that_is_missing_against_the_rules_is_not_hidden() -> None:
    assert np.isnan(MASS.reference("mass", {"mean": 1.0, "deviation": 1.0}, np.array([np.nan]))["mass"][0])
