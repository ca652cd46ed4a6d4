from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.features import check_names, features_from
from ferryman.spec.proposing.naming import NAME, feature_name, feature_names, spec_name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("data/Telco Churn.csv.gz", "telco-churn"),
        ("Häuser_2023.parquet", "haeuser-2023"),
        ("package://palmerpenguins@0.1.6/palmerpenguins/data/penguins.csv", "penguins"),
        ("iris.data", "iris"),
        ("v1.2.csv", "v1-2"),
        ("数据.csv", "model"),
        ("x" * 100 + ".tsv", "x" * 63),
    ],
)
def test_a_spec_is_called_after_its_file(file: str, name: str) -> None:
    assert spec_name(file) == name


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("size_2", "size_2"),
        ("Größe (qm)", "Groesse_qm"),
        ("1st", "column_1st"),
        ("label", "column_label"),
        ("class", "column_class"),
        ("None", "column_None"),
        ("_hidden", "hidden"),
        ("数", "column"),
        (7, "column_7"),
        ("naïve café", "naive_cafe"),
    ],
)
def test_a_feature_is_called_after_its_column(column: str | int, name: str) -> None:
    assert feature_name(column) == name


@given(file=st.text(max_size=80), columns=st.lists(st.text("aA_ 1ä(missing", max_size=6), max_size=8))
def test_every_name_is_one_that_a_spec_takes(file: str, columns: list[str]) -> None:
    assert NAME.fullmatch(spec_name(file))
    names = list(feature_names(enumerate(columns)).values())
    assert len(names) == len(columns)
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name) for name in names)
    check_names(features_from({name: {"kind": "number", "missing": "mean"} for name in names}))
