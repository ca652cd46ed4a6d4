"""A spec's mistakes: each is told with its exact path, what was received and what was expected."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ferryman.errors import SpecError, UsageError
from ferryman.spec import (
    apply_overrides,
    draft_from,
    json_schema,
    load_spec,
    parse_assignments,
    parse_spec,
    read_document,
    spec_from,
    spec_sha256,
)

SPECS = sorted((Path(__file__).parents[2] / "pipelines" / "specs").glob("*.yaml"))
DOCUMENT: dict[str, Any] = {
    "spec": 1,
    "name": "penguins",
    "data": {
        "source": "rows.csv",
        "features": {"mass": {"kind": "number", "missing": "mean"}, "island": {"kind": "category"}},
        "label": {"kind": "class", "column": "species"},
    },
    "model": {"kind": "mlp", "hidden": [32]},
    "train": {"epochs": 3},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    node = document
    *parents, last = path.split(".")
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = value
    return document


def refusal(document: dict[str, Any]) -> SpecError:
    with pytest.raises(SpecError) as caught:
        spec_from(document, "my.yaml")
    assert caught.value.file == "my.yaml"
    return caught.value


def test_a_short_spec_is_filled_with_the_defaults_of_its_task() -> None:
    gate = spec_from(DOCUMENT).gate
    assert (gate.champion.metric, gate.champion.may_lose) == ("accuracy", 0.02)
    assert (gate.converted.metric, gate.converted.may_lose) == ("accuracy", 0.005)
    number = spec_from(changed("data.label", {"kind": "number", "column": "weight"})).gate
    assert (number.champion.metric, number.converted.metric) == ("rmse", "rmse")


def test_a_written_out_spec_reads_as_itself() -> None:
    spec = spec_from(DOCUMENT)
    assert spec_from(spec.document()) == spec


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.epochs", "3", 'received "3", expected a valid integer'),
        ("train.epochs", 3.5, "received 3.5, expected a valid integer"),
        ("train.epochs", 0, "received 0, expected greater than or equal to 1"),
        ("train.epochs", True, "received true, expected a valid integer"),
        ("train.batch_size", None, "received null, expected a valid integer"),
        ("name", "Pen Guins", 'received "Pen Guins", expected text of the form'),
        ("gate.champion.may_lose", -0.1, "received -0.1, expected greater than or equal to 0"),
        ("gate.champion.metric", "rmse", "received 'rmse', expected one of accuracy, macro_f1, log_loss"),
        ("train.stop", {"metric": "mae"}, "received 'mae', expected one of accuracy, macro_f1, log_loss"),
        ("model.kind", "tree", "received 'tree', expected one of"),
        ("data.features.mass.kind", "nombre", "received 'nombre', expected one of"),
        ("data.features", {}, "received 0 entries, expected at least 1"),
    ],
)
def test_a_wrong_value_is_told_with_its_path_what_came_and_what_should(path: str, value: Any, message: str) -> None:
    error = refusal(changed(path, value))
    assert error.path == (f"{path}.metric" if path == "train.stop" else path)
    assert message in str(error)
    assert str(error).startswith(f"my.yaml: {error.path}: ")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("train.epoch", "epochs"),
        ("modle", "model"),
        ("model.hiden", "hidden"),
        ("data.features.mass.mising", "missing"),
        ("data.label.colum", "column"),
        ("gate.champion.may_loose", "may_lose"),
        ("convert.requird", "required"),
    ],
)
def test_a_misspelt_field_is_refused_with_the_name_that_was_meant(path: str, near: str) -> None:
    error = refusal(changed(path, 1))
    assert error.path == path
    assert f"unknown field; did you mean '{near}'?" in str(error)


def test_a_field_like_no_other_is_refused_with_all_that_are_known() -> None:
    text = str(refusal(changed("train.zzz", 1)))
    assert "unknown field; known here: batch_size, epochs, optimizer, seed, stop" in text


@pytest.mark.parametrize("field", ["name", "data", "model"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refusal({name: value for name, value in DOCUMENT.items() if name != field})
    assert (error.path, str(error)) == (field, f"my.yaml: {field}: this field is missing")


def test_several_mistakes_are_told_at_once_and_no_more_than_five() -> None:
    document = changed("train", {f"field_{letter}": 1 for letter in "abcdefg"})
    text = str(refusal(document))
    assert text.count("unknown field") == 5
    assert [line.partition(": ")[0] for line in text.splitlines()] == ["my.yaml"] * 5 + ["and 2 more"]


def test_shares_that_leave_no_row_to_train_are_refused() -> None:
    text = str(refusal(changed("data.split", {"kind": "exact", "validation": 0.4, "test": 0.6})))
    assert "data.split" in text
    assert "expected less than 1" in text


def test_a_requirement_with_both_bounds_or_none_is_refused_at_its_place() -> None:
    good = {"metric": "accuracy", "at_least": 0.5}
    for bad in ({"metric": "accuracy"}, {**good, "at_most": 0.9}):
        error = refusal(changed("gate.require", [good, bad]))
        assert error.path == "gate.require.1"
        assert "expected exactly one of at_least and at_most" in str(error)


@pytest.mark.parametrize("value", [2, 17])
def test_a_newer_format_is_refused_before_anything_in_it_is_judged(value: int) -> None:
    error = refusal({"spec": value, "unheard": "of"})
    assert error.path == "spec"
    assert f"received {value}; this ferryman reads spec 1: a newer one is needed" in str(error)


@pytest.mark.parametrize("value", [0, "1", None, True, 1.0, 1.5])
def test_what_is_no_format_of_ours_is_refused(value: Any) -> None:
    assert refusal(changed("spec", value)).path == "spec"


@pytest.mark.parametrize(("text", "received"), [("", "an empty file"), ("- 1", "a list"), ("hello", "a str")])
def test_a_file_that_holds_no_mapping_is_refused(text: str, received: str) -> None:
    with pytest.raises(SpecError, match=f"received {received}, expected a mapping that starts with `spec: 1`"):
        parse_spec(text)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"absent\.yaml: no such file"):
        load_spec(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(SpecError, match=r"latin\.yaml: cannot be read: .*expected a UTF-8 text file"):
        load_spec(tmp_path / "latin.yaml")


def test_half_a_character_in_a_quoted_text_is_refused_and_crashes_nothing() -> None:
    with pytest.raises(SpecError):
        parse_spec('spec: 1\nname: "\\ud800"\n')


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "mark.yaml").write_bytes(b"\xef\xbb\xbfspec: 1\n")
    assert read_document(tmp_path / "mark.yaml") == {"spec": 1}


def test_assignments_are_scalars_by_the_rules_of_yaml() -> None:
    found = parse_assignments(["train.epochs=3", "train.optimizer.learning_rate=1e-3", "model.kind=no", "a=b=c", "b="])
    assert found == {
        "train.epochs": 3,
        "train.optimizer.learning_rate": 0.001,
        "model.kind": "no",
        "a": "b=c",
        "b": None,
    }


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["train.epochs"], "expected FIELD=VALUE"),
        (["=3"], "expected FIELD=VALUE"),
        (["a=1", " a =2"], "received a twice"),
    ],
)
def test_what_is_no_assignment_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_assignments(texts)


def test_an_override_reaches_the_spec_and_leaves_the_document_as_it_was() -> None:
    before = spec_from(DOCUMENT).document()
    kept = copy.deepcopy(before)
    after = apply_overrides(before, {"train.epochs": 8, "train.optimizer.learning_rate": 0.25})
    assert before == kept
    spec = spec_from(after)
    assert (spec.train.epochs, spec.train.optimizer.learning_rate) == (8, 0.25)


def test_a_spec_is_loaded_with_overrides_of_defaults_that_it_does_not_write() -> None:
    penguins = next(path for path in SPECS if path.stem == "penguins")
    assert load_spec(penguins, {"train.seed": 9}).train.seed == 9
    with pytest.raises(SpecError, match=r"train\.epochs: received 0, expected greater"):
        load_spec(penguins, {"train.epochs": 0})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("gate.champion.may_lose", 1.0, "a run may set fields of train, model, data.window only"),
        ("data.source", "x.csv", "a run may set fields of"),
        ("training.epochs", 3, "a run may set fields of"),
        ("epochs", 3, "a run may set fields of train, model, data.window only; did you mean 'train.epochs'?"),
        ("learning_rate", 0.1, "; did you mean 'train.optimizer.learning_rate'?"),
        ("train", 3, "a run may set fields of"),
        ("train.epoch", 3, "unknown field; did you mean 'epochs'?"),
        ("train.optimiser.learning_rate", 0.1, "unknown field; did you mean 'optimizer'?"),
        ("train.epochs.many", 3, "unknown field: its parent is a single value"),
        ("train.optimizer", "sgd", "single values only"),
        ("model.hidden", 8, "single values only"),
    ],
)
def test_an_override_that_may_not_be_is_refused_at_its_path(field: str, value: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_overrides(spec_from(DOCUMENT).document(), {field: value})
    assert caught.value.path == field
    assert message in str(caught.value)


def test_the_digest_of_a_spec_knows_its_content_and_not_its_order() -> None:
    assert spec_sha256({"a": 1, "b": 2}) == spec_sha256({"b": 2, "a": 1}) != spec_sha256({"a": 2, "b": 1})


def test_the_schema_is_itself_a_good_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_schema_takes_every_spec_that_comes_along(path: Path) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(read_document(path))
    load_spec(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modle", {}),
        ("train.epoch", 3),
        ("data.features.mass.mising", "mean"),
        ("gate.champion.may_loose", 0.1),
        ("train.epochs", "3"),
        ("spec", 2),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(path: str, value: Any) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(DOCUMENT)
    assert not validator.is_valid(changed(path, value))


def test_the_hash_of_a_spec_is_the_same_wherever_its_inputs_lie() -> None:
    def hashed(place: str, digest: str) -> str:
        source = {"name": "a.csv", "uri": f"file:///{place}/inputs/1", "sha256": digest * 64}
        return spec_sha256({"name": "m", "data": {"source": source, "nulls": ["uri"]}})

    assert hashed("home/ada", "1") == hashed("srv", "1")
    assert hashed("srv", "1") != hashed("srv", "2")
    assert spec_sha256({"uri": "a"}) != spec_sha256({"uri": "b"}), "only what is pinned by digest has a place"


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (
            {"metric": "accuracy", "at_least": 95},
            "received 95, expected a value of accuracy: 0 to 1 (write 95 % as 0.95)",
        ),
        ({"metric": "accuracy", "at_least": -0.5}, "expected a value of accuracy: 0 to 1"),
        ({"metric": "macro_f1", "at_most": 0.5}, "received at_most, expected at_least: more macro_f1 is better"),
        ({"metric": "log_loss", "at_least": 0.5}, "received at_least, expected at_most: less log_loss is better"),
    ],
)
def test_a_bound_that_would_hold_always_or_never_is_refused(bound: dict[str, Any], message: str) -> None:
    text = str(refusal(changed("gate.require", [bound])))
    assert text.startswith("my.yaml: gate.require.0: ")
    assert message in text


def test_a_margin_that_allows_everything_is_refused() -> None:
    text = str(refusal(changed("gate.champion", {"metric": "accuracy", "may_lose": 1.0})))
    assert "gate.champion.may_lose: received 1, expected less than 1" in text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data.features.class", {"kind": "number"}, "feature 'class' is a word of Python"),
        ("data.features.None", {"kind": "number"}, "feature 'None' is a word of Python"),
        ("data.format", {"kind": "csv", "separator": '"'}, "data.format.separator"),
        ("data.format", {"kind": "csv", "separator": "\n"}, "data.format.separator"),
        ("data.split", {"kind": "hash", "key": []}, "data.split.key: received 0 entries, expected at least 1"),
        ("data.label.classes", ["a"], "data.label.classes: received 1 entries, expected at least 2"),
        ("data.label.classes", ["a", "b", "a"], "received the class 'a' twice"),
        ("data.label.classes", ["a", " b"], "received the class ' b': labels are read without blanks"),
        ("data.label.column", "mass", "data.features.mass: it reads the label's own column 'mass'"),
        ("name", "", 'received ""'),
        ("data.label.column", "\ud800", "which is no text"),
    ],
)
def test_what_could_never_work_is_refused_before_anything_runs(path: str, value: Any, message: str) -> None:
    assert message in str(refusal(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("train.optimizer", {"learning_rate": 0.1}),
        ("data.split", {"validation": 0.2}),
        ("data.features.a b", {"kind": "number"}),
        ("convert", {"rungs": ["int8"]}),
    ],
)
def test_what_the_reading_refuses_is_no_valid_document_of_the_schema(path: str, value: Any) -> None:
    document = changed(path, value)
    refusal(document)
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(document)


def test_only_a_file_is_read_as_a_spec_and_no_more_of_it_than_is_accepted(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(SpecError, match="expected a file"):
            load_spec(path)
    long = tmp_path / "long.yaml"
    # Cut where it is too long, inside a character of two bytes.
    long.write_text("spec: 1 # " + "é" * 2_000_000, encoding="utf-8")
    with pytest.raises(SpecError, match="expected a small YAML file"):
        load_spec(long)


def test_a_format_is_csv_where_its_kind_is_not_written() -> None:
    form = spec_from(changed("data.format", {"separator": ";", "decimal": ","})).data.format
    assert (form.kind, form.model_dump()["decimal"]) == ("csv", ",")
    assert spec_from(DOCUMENT).data.format.kind == "csv"
    parquet = spec_from(changed("data.format", {"kind": "parquet"}))
    assert parquet.data.format.missing == {""}
    assert spec_from(parquet.document()) == parquet


@pytest.mark.parametrize(
    ("form", "path", "message"),
    [
        ({"kind": "xlsx"}, "data.format.kind", "received 'xlsx', expected one of 'csv', 'parquet'"),
        ({"kind": "parquet", "separator": ";"}, "data.format.separator", "unknown field; known here: kind, nulls"),
        ({"decimals": ","}, "data.format.decimals", "unknown field; did you mean 'decimal'?"),
        ({"decimal": ";"}, "data.format.decimal", "received \";\", expected '.' or ','"),
        ({"separator": "\\t"}, "data.format.separator", 'or "\\t" for a tab'),
        ({"separator": ""}, "data.format.separator", "received '', expected one character"),
        ({"separator": '"'}, "data.format.separator", "expected one character"),
    ],
)
def test_a_wrong_format_is_refused_with_its_path(form: dict[str, Any], path: str, message: str) -> None:
    error = refusal(changed("data.format", form))
    assert error.path == path
    assert message in str(error)


def test_the_json_schema_takes_both_formats_and_none_named() -> None:
    check = jsonschema.Draft202012Validator(json_schema())
    for form in ({"header": False}, {"kind": "csv", "separator": "\t"}, {"kind": "parquet", "nulls": ["NA"]}):
        check.validate(changed("data.format", form))
    assert not check.is_valid(changed("data.format", {"kind": "parquet", "separator": ";"}))
    assert not check.is_valid(changed("data.format", {"separator": ";;"}))


OWN: dict[str, Any] = {
    **DOCUMENT,
    "code": {"path": "code/fraud"},
    "data": {
        **DOCUMENT["data"],
        "features": {"mass": {"kind": "fraud.features:LogMass", "reads": "number", "base": 10, "deep": {"er": [1]}}},
    },
    "model": {"kind": "fraud.model:Fraud", "width": 12},
    "gate": {"require": [{"metric": "fraud.metrics:Cost", "at_most": 3}]},
}


def own(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(OWN)
    node = document
    *parents, last = path.split(".")
    for part in parents:
        node = node[part]
    node[last] = value
    return document


def test_a_users_kinds_keep_their_options_unread() -> None:
    spec = spec_from(OWN)
    assert spec_from(spec.document()) == spec
    document = spec.document()
    assert document["model"] == {"kind": "fraud.model:Fraud", "width": 12}
    assert document["data"]["features"]["mass"]["deep"] == {"er": [1]}
    assert spec.references == {
        "model.kind": "fraud.model:Fraud",
        "data.features.mass.kind": "fraud.features:LogMass",
        "gate.require.0.metric": "fraud.metrics:Cost",
    }
    jsonschema.validate(OWN, json_schema())


@pytest.mark.parametrize(
    ("path", "value", "place", "message"),
    [
        ("code", None, "model.kind", "which needs the user's package: add `code: {path: fraud}` to the spec"),
        ("code.path", "code/theft", "model.kind", "expected a class of the package in `code`, 'theft'"),
        ("code.path", "code/..", "code.path", "expected a folder whose last part Python can import"),
        ("code.pth", "x", "code.pth", "unknown field; did you mean 'path'?"),
        ("model.kind", "fraud.model.Fraud", "model.kind", "expected one of 'cnn', 'mlp', 'saved', 'MODULE:CLASS'"),
        ("model.kind", "fraud.model:", "model.kind", "expected text of the form"),
        (
            "data.features.mass.reads",
            "text",
            "data.features.mass.reads",
            "received \"text\", expected 'number' or 'category'",
        ),
        ("data.features.mass.missing", "mean", "data.features.mass.missing", "expected 'refuse' or 'keep'"),
        ("gate.require", [{"metric": "fraud:a:b", "at_most": 3}], "gate.require.0.metric", "package.module:Class"),
    ],
)
def test_what_can_be_said_of_a_users_class_without_its_code_is_said(
    path: str, value: Any, place: str, message: str
) -> None:
    error = refusal(own(path, value))
    assert error.path == place
    assert message in str(error)


def test_a_run_may_set_an_option_of_a_users_model_that_the_spec_leaves_out() -> None:
    document = spec_from(OWN).document()
    assert apply_overrides(document, {"model.gamma": 2.5})["model"]["gamma"] == 2.5
    with pytest.raises(SpecError, match="unknown field"):
        apply_overrides(document, {"train.gamma": 2.5})


def test_fields_that_contradict_each_other_are_all_told_at_once() -> None:
    wrong = changed("gate.require", [{"metric": "acuracy", "at_least": 0.9}])
    wrong["model"] = {"kind": "cnn"}
    said = str(refusal(wrong))
    assert "model: received 0 image features" in said
    assert "gate.require.0.metric: received 'acuracy'" in said


def test_a_draft_keeps_the_data_block_though_another_block_is_wrong() -> None:
    draft = draft_from(changed("train.epoch", 3))
    assert draft.spec is None
    assert draft.data is not None
    assert list(draft.data.features) == ["mass", "island"]
    assert [path for path, _ in draft.problems] == ["train.epoch"]
    assert draft_from(changed("data.label.colum", "x")).data is None
