from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ferryman.spec.proposing.layout import Line, aligned, comment, flow
from ferryman.spec.proposing.words import count, percent, plain, shown
from ferryman.spec.yaml import read_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
KEYS = TEXT.filter(lambda key: key != "<<")
VALUES = st.recursive(
    st.one_of(TEXT, st.booleans(), st.integers(-(10**6), 10**6), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@given(value=VALUES)
def test_what_is_written_in_one_line_is_read_back(value: Any) -> None:
    text = flow({"value": value})
    assert "\n" not in text
    assert read_yaml(f"before: 1\nhere: {text}\nafter: 2\n") == {"before": 1, "here": {"value": value}, "after": 2}


@given(text=TEXT)
def test_what_a_comment_shows_stays_in_its_line(text: str) -> None:
    lines = [*aligned([Line("a: 1", f"seen {shown(text)}")]), *comment(f"seen {text}"), *comment(shown(text), 2)]
    assert all(line.isprintable() for line in lines)
    assert read_yaml("\n".join(lines)) == {"a": 1}


def test_words_that_yaml_takes_for_something_else_are_quoted() -> None:
    assert (
        flow(["no", "null", "12", "1e3", "a b", "~", "true", ""]) == '[no, "null", "12", "1e3", a b, "~", "true", ""]'
    )


def test_comments_stand_in_one_column_and_above_lines_that_leave_no_room() -> None:
    long = "x: " + "y" * 70
    assert aligned([Line("a: 1", "one"), Line("bcd: 2"), Line("efgh: 3", "two"), Line(long, "three")]) == [
        "a: 1     # one",
        "bcd: 2",
        "efgh: 3  # two",
        "# three",
        long,
    ]


def test_shares_and_numbers_are_short_and_say_nothing_false() -> None:
    shares = {0.41: "41 %", 0.034: "3.4 %", 0.0001: "less than 0.1 %", 0.9999: "99.9 %", 1.0: "100 %", 0.0: "0 %"}
    assert {share: percent(share) for share in shares} == shares
    assert [plain(value) for value in (3.0, 0.12345, 123456.7, -2.5e20)] == ["3", "0.1235", "123457", "-2.5e+20"]
    assert [count(number, "class") for number in (1, 2)] == ["1 class", "2 classes"]
    assert [shown(text) for text in ("fern", " a", "b\n", "x" * 40)] == ["fern", "' a'", r"'b\n'", "x" * 27 + "..."]
