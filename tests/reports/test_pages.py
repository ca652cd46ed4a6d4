"""Pages for people: one file that fetches nothing, and in which a name is never markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from ferryman.artifacts.evidence import ChampionComparison, Evaluation, Score
from ferryman.reports.evaluation import MOST_POINTS, evaluation_page
from ferryman.reports.page import heat_table, page, paragraph, scatter, table

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "line", "circle"}


class Reader(HTMLParser):
    """The tags, attributes and texts of a page; every tag must be closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Keep the tag."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Keep the tag."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.texts.append(data)


def champion(**changes: Any) -> ChampionComparison:
    base = ChampionComparison(version=4, digest="d" * 64, metric="accuracy", rows=1234, candidate=0.75, champion=0.5)
    numbers = {"difference": 0.25, "lower": 0.125, "differing": 1100, "method": "exact"}
    return base.model_copy(update={**numbers, **changes})


def classes(**changes: Any) -> Evaluation:
    names = [EVIL, 'a"b&c']
    base = Evaluation(
        model="m" * 64,
        examples="e" * 64,
        task="class",
        rows=1234,
        metrics={"accuracy": Score(value=0.75, low=0.625, high=0.875)},
        classes=names,
        per_class={
            name: {"precision": 0.5 + at / 4, "recall": 0.25 + at / 8, "f1": 0.333, "rows": 600 + at}
            for at, name in enumerate(names)
        },
        confusion=[[500, 100], [0, 634]],
        champion=champion(),
    )
    return base.model_copy(update=changes)


def class_page(found: Evaluation, name: str = "penguins") -> str:
    return evaluation_page(found, name, np.zeros(3), np.zeros((3, 2)))


def number_page(rows: int = 3) -> str:
    found = Evaluation(
        model="m" * 64, examples="e" * 64, task="number", rows=rows, metrics={"rmse": Score(value=312.5)}
    )
    return evaluation_page(found, "mass", np.arange(rows) * 1.0, np.arange(rows) * 2.0)


@pytest.mark.parametrize("text", [class_page(classes()), number_page()], ids=["classes", "numbers"])
def test_a_page_is_one_file_that_fetches_nothing_and_runs_nothing(text: str) -> None:
    found = Reader(text)
    assert text.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object", "base", "image", "use"} & set(found.tags)
    assert not {"src", "href", "xlink:href", "srcset", "action", "data"} & {name for name, _ in found.attributes}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", text)


def test_class_names_are_text_and_never_markup() -> None:
    text = class_page(classes())
    found = Reader(text)
    assert "script" not in found.tags
    assert found.texts.count(EVIL) == 3, "per class, and on both sides of the matrix"
    assert found.texts.count('a"b&c') == 3


def test_the_models_name_is_text_in_title_and_heading() -> None:
    found = Reader(class_page(classes(), name="</title><img src=x>"))
    assert "img" not in found.tags
    assert found.texts.count("</title><img src=x>: evaluation") == 2


def test_the_reason_why_a_champion_cannot_be_compared_is_text() -> None:
    reason = f"the champion knows the classes ['{EVIL}']"
    found = Reader(class_page(classes(champion=champion(not_comparable=reason))))
    assert f"Cannot be compared: {reason}." in found.texts
    assert "better by" not in found.texts


def test_the_metric_its_interval_and_the_champion_stand_in_their_columns() -> None:
    text = class_page(classes())
    assert "<tr><td>accuracy</td><td>0.75</td><td>0.625</td><td>0.875</td></tr>" in text
    row = "<td>0.75</td><td>0.5</td><td>0.25</td><td>0.125</td><td>1,100</td><td>exact</td>"
    assert f"<tr><td>accuracy</td>{row}</tr>" in text
    assert "<h2>Against version 4, which serves</h2>" in text


def test_without_a_champion_none_is_spoken_of() -> None:
    assert "which serves" not in class_page(classes(champion=None))


def test_broken_answers_are_told_instead_of_metrics() -> None:
    found = Reader(class_page(classes(not_finite=1003, metrics={})))
    assert "1,003 rows are answered with NaN or infinity: no metric can be given." in found.texts
    assert "table" not in found.tags


def test_the_matrix_keeps_true_classes_in_rows_and_shades_their_shares() -> None:
    text = heat_table(["x", "y"], [[3, 1], [0, 5]])
    assert re.findall(r"<tr><th>(\w)</th>", text) == ["x", "y"]
    assert re.findall(r"([\d.]+)\)\">(\d*)</td>", text) == [("0.60", "3"), ("0.20", "1"), ("0.00", ""), ("0.80", "5")]


def test_a_class_without_rows_shades_nothing_and_divides_by_nothing() -> None:
    assert "0.00" in heat_table(["x"], [[0]])


def test_a_matrix_of_other_size_than_its_names_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        heat_table(["x", "y"], [[1, 2]])


def test_points_lie_right_for_true_and_up_for_predicted() -> None:
    text = scatter([0.0, 10.0], [10.0, 5.0], "true & so", "predicted")
    assert re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', text) == [("40.0", "40.0"), ("380.0", "210.0")]
    assert "true &amp; so" in text
    assert Reader(text).texts[-2:] == ["0", "10"]


def test_equal_points_are_drawn_and_divide_by_nothing() -> None:
    assert 'cx="40.0" cy="380.0"' in scatter([7.0], [7.0], "x", "y")


def test_many_points_are_thinned_out() -> None:
    assert number_page(30).count("<circle") == 30
    assert MOST_POINTS <= number_page(3 * MOST_POINTS + 1).count("<circle") <= MOST_POINTS + 1


def test_cells_and_paragraphs_are_escaped_each() -> None:
    assert table(("<a>",), [("<b>",)]).count("&lt;") == 2
    assert paragraph("<c>", '"d') == '<p class="&quot;d">&lt;c&gt;</p>'
    assert "<h1>&lt;e&gt;</h1><i>f</i></body>" in page("<e>", ["<i>f</i>"])
