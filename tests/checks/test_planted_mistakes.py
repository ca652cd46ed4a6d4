"""Mistakes that people make in data and specs: each is found, with its place and what to try."""

from __future__ import annotations

import random
from typing import Any

import pytest


def only(checked: Any, kind: str) -> str:
    """The one finding of a kind."""
    (found,) = checked.of(kind)
    return found


def test_nothing_is_found_where_nothing_is_wrong(shop: Any) -> None:
    checked = shop.check()
    assert (checked.of("error"), checked.of("warning"), checked.exit_code) == ([], [], 0)
    assert checked.headline("data") == "400 rows, 5 columns"
    assert checked.headline("split") == "220 train, 60 validation, 120 test"


def test_a_misspelt_field_and_an_unknown_metric_are_told_at_once_and_the_data_are_read_all_the_same(shop: Any) -> None:
    shop.spec["train"] = {"epoch": 3}
    shop.spec["data"]["features"]["colour"] = {"kind": "number"}
    checked = shop.check()
    assert "train.epoch: unknown field -> write 'epochs'" in checked.of("error")
    assert any("there is no column 'colour'" in text for text in checked.of("error"))
    assert checked.exit_code == 2


def test_a_spec_that_is_too_long_for_a_cluster_is_told(shop: Any) -> None:
    shop.spec["data"]["features"] = {
        f"{'a' * 60}_{place}": {"kind": "number", "column": "price"} for place in range(300)
    }
    assert any("expected at most 18,000" in text for text in shop.check().of("error"))


def test_every_unknown_metric_is_told(shop: Any) -> None:
    shop.spec["gate"]["require"] = [{"metric": "acuracy", "at_least": 0.7}, {"metric": "rmse", "at_most": 3}]
    checked = shop.check()
    assert [text.split(":")[0] for text in checked.of("error")] == ["gate.require.0.metric", "gate.require.1.metric"]


def test_a_column_that_is_not_there_is_told_with_its_near_name(shop: Any) -> None:
    shop.spec["data"]["features"]["wieght"] = shop.spec["data"]["features"].pop("weight")
    checked = shop.check()
    assert "do you mean 'weight'?" in only(checked, "error")
    assert checked.exit_code == 4


@pytest.mark.parametrize(("column", "code"), [("sent", 2), (4, 4)])
def test_the_labels_own_column_among_the_features_is_refused(shop: Any, column: Any, code: int) -> None:
    shop.spec["data"]["features"]["answer"] = {"kind": "category", "column": column}
    checked = shop.check()
    assert any("answer" in text and "reads the label's own column" in text for text in checked.of("error"))
    assert checked.exit_code == code


def test_wrong_cells_of_several_columns_are_told_with_line_column_and_number(shop: Any) -> None:
    shop.rows[6]["price"] = shop.rows[9]["price"] = "free"
    shop.rows[11]["weight"] = "3,2 kg".replace(",", ".")
    checked = shop.check()
    price, weight = checked.of("error")
    assert "orders.csv, line 8, column 'price': feature 'price': received 'free'" in price
    assert "2 such cells in this column, all 'free'" in price
    assert "`nulls: ['', 'free']`" in price
    assert "line 13, column 'weight'" in weight
    assert "400 rows" in checked.headline("data")
    assert checked.exit_code == 4


def test_a_line_with_a_cell_too_many_ends_the_reading_and_what_was_before_it_is_checked(shop: Any) -> None:
    shop.rows[300]["shop"] = "north,west"
    for row in shop.rows:
        row["channel"] = "card"
    checked = shop.check()
    assert "line 302: received 6 cells, expected 5" in only(checked, "error")
    assert any("data.features.channel: every value is 'card'" in text for text in checked.of("warning"))


def test_a_wrong_label_is_told_with_its_line(shop: Any) -> None:
    shop.spec["data"]["label"]["classes"] = ["back", "kept"]
    shop.rows[2]["sent"] = "bakc"
    assert "line 4, column 'sent': received the label 'bakc'" in only(shop.check(), "error")


def test_a_class_with_too_few_rows_for_three_sides_is_named(shop: Any) -> None:
    shop.rows[5]["sent"] = shop.rows[50]["sent"] = "lost"
    found = only(shop.check(), "warning")
    assert "class 'lost'" in found
    assert "2 rows are too few" in found


def test_a_class_that_train_never_sees_is_an_error(shop: Any) -> None:
    shop.spec["data"]["split"] = {"kind": "hash", "validation": 0.3, "test": 0.6, "seed": 2}
    for place, row in enumerate(shop.rows):
        row["sent"] = "lost" if place == 5 else row["sent"]
    checked = shop.check()
    assert any("class 'lost'" in text and "no train row has it" in text for text in checked.of("error"))


def test_an_empty_side_is_told_and_the_model_is_tried_all_the_same(shop: Any) -> None:
    shop.rows = shop.rows[:6]
    shop.spec["data"]["split"] = {"kind": "hash", "validation": 0.01, "test": 0.4, "seed": 1}
    checked = shop.check()
    assert any("falls on the side 'validation'" in text for text in checked.of("error"))
    assert checked.headline("sample") == "6 rows"
    assert checked.headline("power") == "it needs rows on each side of the split"


def test_one_class_alone_is_an_error(shop: Any) -> None:
    for row in shop.rows:
        row["sent"] = "kept"
    assert any("all labels are 'kept'" in text for text in shop.check().of("error"))


def test_one_number_for_every_label_is_an_error(shop: Any) -> None:
    for row in shop.rows:
        row["sent"] = 7.5
    shop.spec["data"]["label"]["kind"] = "number"
    shop.spec["gate"] = {}
    checked = shop.check()
    assert "train labels are 7.5" in only(checked, "error")
    assert checked.exit_code == 4


def test_constant_missing_numbered_and_identifying_columns_are_told(shop: Any) -> None:
    for place, row in enumerate(shop.rows):
        row |= {"currency": "EUR", "rate": 1, "height": "", "number": 2 * place + 17, "code": f"order-{place}"}
    shop.spec["data"]["features"] |= {
        "currency": {"kind": "category"},
        "rate": {"kind": "number"},
        "height": {"kind": "number", "missing": "mean"},
        "number": {"kind": "number"},
        "code": {"kind": "category"},
    }
    checked = shop.check()
    found = {text.split(":")[0].rpartition(".")[2]: text for text in checked.of("warning")}
    assert set(found) == {"currency", "rate", "height", "number", "code"}
    assert "every value is 'EUR'" in found["currency"]
    assert "every value is 1:" in found["rate"]
    assert "all 400 values are missing" in found["height"]
    assert "counts from 17 to 815" in found["number"]
    assert "400 different names in 400 rows" in found["code"]
    assert checked.exit_code == 0


def test_a_huge_vocabulary_is_told(shop: Any) -> None:
    draw = random.Random(1)
    shop.rows = [row | {"street": f"street {draw.randrange(2500)}"} for row in shop.rows * 12]
    shop.spec["data"]["features"]["street"] = {"kind": "category"}
    assert any("data.features.street" in text and "rows each" in text for text in shop.check().of("warning"))
    shop.spec["data"]["features"]["street"]["max_vocabulary"] = 100
    assert any("max_vocabulary keeps the 100" in text for text in shop.check().of("warning"))


def test_a_number_far_from_all_others_is_told_with_its_line(shop: Any) -> None:
    shop.rows[20]["weight"] = "1e30"
    found = only(shop.check(), "warning")
    assert "data.features.weight, line 22: received 1e+30" in found


def test_a_feature_that_is_the_label_is_an_error(shop: Any) -> None:
    for row in shop.rows:
        row["outcome"] = row["sent"]
    shop.spec["data"]["features"]["outcome"] = {"kind": "category"}
    checked = shop.check()
    assert "data.features.outcome: its value is the label itself" in only(checked, "error")
    assert checked.exit_code == 4


@pytest.mark.parametrize("kind", ["category", "number"])
def test_a_feature_that_alone_tells_the_label_is_told(shop: Any, kind: str) -> None:
    draw = random.Random(4)
    for row in shop.rows:
        back = row["sent"] == "back"
        row["refund"] = (
            draw.choice(["r1", "r2"] if back else ["none", "-"])
            if kind == "category"
            else (draw.uniform(5, 9) if back else draw.uniform(0, 1))
        )
    shop.spec["data"]["features"]["refund"] = {"kind": kind}
    assert "data.features.refund" in only(shop.check(), "warning")


def test_a_label_number_in_another_unit_is_told(shop: Any) -> None:
    for row in shop.rows:
        row["cents"] = round(row["price"] * 100)
    shop.spec["data"]["features"]["price"]["column"] = "cents"
    shop.spec["data"]["label"] = {"kind": "number", "column": "price"}
    shop.spec["gate"] = {"require": [{"metric": "rmse", "at_most": 4}], "champion": {"metric": "rmse", "may_lose": 0.2}}
    assert "it is the label in another unit" in only(shop.check(), "warning")


def test_two_spellings_are_told(shop: Any) -> None:
    for place in range(0, 400, 7):
        shop.rows[place]["shop"] = "North"
        shop.rows[place + 1 if place < 399 else 0]["sent"] = "Back"
    found = shop.check().of("warning")
    assert any("data.features.shop: 'North', 'north' are told apart" in text for text in found)
    assert any("data.label: 'Back', 'back' are told apart" in text for text in found)


def test_equal_rows_on_two_sides_are_told(shop: Any) -> None:
    shop.rows += [dict(row) for row in shop.rows[:100]]
    found = only(shop.check(), "warning")
    assert "100 rows stand in the file more than once" in found
    assert "hash" in found
    shop.spec["data"]["split"]["kind"] = "hash"
    assert shop.check().of("warning") == []


def test_a_batch_larger_than_the_train_side_is_told(shop: Any) -> None:
    shop.spec["train"]["batch_size"] = 256
    assert "train.batch_size: received 256, and train has 220 rows" in only(shop.check(), "warning")


def test_a_first_line_of_numbers_is_told(shop: Any) -> None:
    shop.rows = [{"1": place % 7, "2": place % 5, "3": "x" if place % 3 else "y"} for place in range(90)]
    shop.spec["data"]["features"] = {"a": {"kind": "number", "column": "1"}}
    shop.spec["data"]["label"]["column"] = "3"
    found = [text for text in shop.check().of("warning") if "data.format.header" in text]
    assert "(1, 2, 3, ...)" in found[0]
    assert "header: false" in found[0]


def image_shop(shop: Any, largest: int) -> None:
    draw = random.Random(2)
    shop.rows = [
        {f"p{place}": draw.randint(0, largest) for place in range(16)} | {"sent": draw.choice(["o", "x"])}
        for _ in range(60)
    ]
    shop.spec["data"]["features"] = {
        "image": {"kind": "image", "columns": {"first": 0, "last": 15}, "shape": [4, 4, 1]}
    }
    shop.spec["model"] = {"kind": "cnn", "filters": [2]}


def test_pixels_far_below_the_scale_are_told(shop: Any) -> None:
    image_shop(shop, largest=1)
    found = [text for text in shop.check().of("warning") if "image" in text]
    assert found == [
        "data.features.image.scale: no pixel is above 1, and scale says 255: the model sees almost black images -> "
        "say `scale: 1`, or the largest value that a pixel can have"
    ]


def test_a_shape_that_the_columns_do_not_fill_is_told(shop: Any) -> None:
    image_shop(shop, largest=200)
    shop.spec["data"]["features"]["image"]["shape"] = [4, 5, 1]
    checked = shop.check()
    assert "columns 0 to 15 are 16 cells, but the shape 4 x 5 x 1 has 20" in only(checked, "error")
    assert checked.exit_code == 2


def test_image_columns_behind_the_last_one_are_told(shop: Any) -> None:
    image_shop(shop, largest=200)
    shop.spec["data"]["features"]["image"] |= {"columns": {"first": 5, "last": 20}}
    assert any("there is no column 17" in text for text in shop.check().of("error"))


def test_a_package_without_a_version_is_told(shop: Any) -> None:
    shop.spec["data"]["source"] = "package://scikit-learn/sklearn/datasets/data/iris.csv"
    assert any("names no version" in text and "@VERSION" in text for text in shop.check().of("warning"))


def test_a_source_that_is_not_there_is_told_with_its_neighbours(shop: Any) -> None:
    shop.spec["data"]["source"] = "order.csv"
    checked = shop.check()
    assert "there is orders.csv" in only(checked, "error")
    assert checked.exit_code == 4
