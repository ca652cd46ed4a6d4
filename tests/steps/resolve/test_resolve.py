from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferryman.artifacts.resolved import ResolvedRun
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import SpecError, UsageError
from ferryman.serving.record import GroupRecord
from ferryman.spec import spec_from, spec_sha256
from ferryman.steps.resolve.resolve import changed_fields, resolve_run

SHA = "5" * 64
SPEC: dict[str, Any] = {
    "spec": 1,
    "name": "penguins",
    "data": {
        "source": {"name": "package://palmerpenguins", "uri": "file:///inputs/sha256/55", "sha256": SHA},
        "format": {"kind": "csv", "nulls": ["NA"]},
        "features": {
            "mass": {"kind": "number", "column": "body_mass_g", "missing": "mean"},
            "island": {"kind": "category"},
        },
        "label": {"kind": "class", "column": "species"},
        "split": {"kind": "exact", "seed": 7},
    },
    "model": {"kind": "mlp", "hidden": [32]},
    "train": {"epochs": 12, "batch_size": 16, "seed": 4, "optimizer": {"kind": "adam", "learning_rate": 0.01}},
    "gate": {"require": [{"metric": "accuracy", "at_least": 0.9}]},
}
KNOBS: dict[str, Any] = {"train_epochs": 12, "train_batch_size": 16, "train_learning_rate": 0.01, "train_seed": 4}

Resolve = Callable[..., str]


@pytest.fixture
def resolve(tmp_path: Path) -> Resolve:
    """resolve_run with the spec above and its own knobs, in the run `r1` below tmp_path/runs."""

    def call(spec: dict[str, Any] | str = SPEC, **changed: Any) -> str:
        arguments = {"group": "", "overrides": "", "root": str(tmp_path / "runs"), "run_id": "r1", "job": ""}
        text = spec if isinstance(spec, str) else json.dumps(spec)
        return resolve_run(spec=text, **{**KNOBS, **arguments, **changed})

    return call


def test_a_spec_with_its_own_knobs_is_resolved_without_an_override(resolve: Resolve) -> None:
    resolved = ResolvedRun.parse(resolve())
    assert resolved.read_spec() == spec_from(SPEC)
    assert len(json.dumps(resolved.spec)) < len(json.dumps(spec_from(SPEC).document())), "defaults need not travel"
    assert resolved.overrides == {}
    assert resolved.spec_sha256 == resolved.resolved_sha256 == spec_sha256(spec_from(SPEC).document())
    assert (resolved.group, resolved.serves) == ("", None)


def test_a_knob_wins_over_the_spec_and_stands_on_the_record(resolve: Resolve, tmp_path: Path) -> None:
    resolved = ResolvedRun.parse(resolve(train_epochs=3, train_learning_rate=0.5))
    train = resolved.read_spec().train
    assert (train.epochs, train.optimizer.learning_rate, train.batch_size, train.seed) == (3, 0.5, 16, 4)
    assert resolved.overrides == {"train.epochs": 3, "train.optimizer.learning_rate": 0.5}
    assert resolved.spec_sha256 == spec_sha256(spec_from(SPEC).document())
    assert resolved.resolved_sha256 == spec_sha256(resolved.read_spec().document()) != resolved.spec_sha256
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("resolve")
    assert fragment is not None
    assert fragment.facts["overrides"] == resolved.overrides
    assert fragment.facts["name"] == "penguins"
    assert fragment.facts["resolved_sha256"] == resolved.resolved_sha256
    assert "train.epochs=3" in fragment.headline


@pytest.mark.parametrize(
    ("knob", "value", "path"),
    [
        ("train_epochs", 99, ("train", "epochs")),
        ("train_batch_size", 98, ("train", "batch_size")),
        ("train_learning_rate", 0.97, ("train", "optimizer", "learning_rate")),
        ("train_seed", 96, ("train", "seed")),
    ],
)
def test_each_knob_sets_its_own_field_alone(resolve: Resolve, knob: str, value: float, path: tuple[str, ...]) -> None:
    resolved = ResolvedRun.parse(resolve(**{knob: value}))
    expected = json.loads(json.dumps(spec_from(SPEC).document()))
    node = expected
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    assert resolved.read_spec().document() == expected


def test_overrides_reach_fields_that_have_no_knob(resolve: Resolve) -> None:
    resolved = ResolvedRun.parse(resolve(overrides='{"model.dropout": 0.25, "train.epochs": 5}'))
    assert resolved.read_spec().train.epochs == 5
    assert resolved.spec["model"]["dropout"] == 0.25
    assert resolved.overrides == {"model.dropout": 0.25, "train.epochs": 5}


def test_an_override_that_says_what_the_spec_says_is_none(resolve: Resolve) -> None:
    assert ResolvedRun.parse(resolve(overrides='{"train.epochs": 12}')).overrides == {}


def test_a_knob_and_an_override_that_contradict_are_refused(resolve: Resolve) -> None:
    with pytest.raises(SpecError, match=r"train\.epochs.*train_epochs says 3.*overrides say 5"):
        resolve(train_epochs=3, overrides='{"train.epochs": 5}')


def test_a_knob_back_at_the_specs_value_does_not_hide_an_override(resolve: Resolve) -> None:
    assert ResolvedRun.parse(resolve(train_epochs=12, overrides='{"train.epochs": 5}')).read_spec().train.epochs == 5


@pytest.mark.parametrize(
    "overrides",
    [
        '{"gate.champion.may_lose": 1.0}',
        '{"name": "other"}',
        '{"data.label.column": "sex"}',
        '{"train.epochs": [1, 2]}',
        '{"train.epochs": {"x": 1}}',
        '{"train.epocs": 3}',
        '{"train.epochs": "many"}',
        '{"train.epochs": 0}',
        "[1]",
        "{",
    ],
)
def test_a_wrong_override_is_refused_before_anything_runs(resolve: Resolve, overrides: str) -> None:
    with pytest.raises(SpecError):
        resolve(overrides=overrides)


@pytest.mark.parametrize(
    "knob", [{"train_epochs": 0}, {"train_learning_rate": -1.0}, {"train_learning_rate": float("nan")}]
)
def test_a_knob_outside_its_range_is_refused(resolve: Resolve, knob: dict[str, float]) -> None:
    with pytest.raises(SpecError, match="train"):
        resolve(**knob)


@pytest.mark.parametrize("spec", ["", "7", "{", '{"spec": 1}'])
def test_a_spec_that_is_none_is_refused(resolve: Resolve, spec: str) -> None:
    with pytest.raises(SpecError):
        resolve(spec)


def test_a_misspelt_field_is_named(resolve: Resolve) -> None:
    with pytest.raises(SpecError, match="epocs"):
        resolve({**SPEC, "train": {"epocs": 3}})


def test_a_retry_gives_the_same_answer_to_the_byte(resolve: Resolve) -> None:
    first = resolve(train_epochs=3)
    assert resolve(train_epochs=3) == first


def test_another_run_stands_for_another_moment(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(["2026-11-24T12:00:00.000Z", "2026-11-25T12:00:00.000Z"])
    monkeypatch.setattr("ferryman.steps.resolve.resolve.timestamp", lambda _: next(moments))
    first, other = resolve(), resolve(run_id="r2")
    assert ResolvedRun.parse(first).as_of == "2026-11-24T12:00:00.000Z"
    assert ResolvedRun.parse(other).as_of == "2026-11-25T12:00:00.000Z"
    assert resolve() == first


def test_what_serves_is_fixed_beside_the_spec_and_stands_on_the_record(resolve: Resolve, tmp_path: Path) -> None:
    stable = {"number": 7, "digest": "d7", "content": "c7", "release": "r0-1"}
    record = {"epoch": 2, "generation": 9, "replicas": ["local-0"], "models": {"penguins": {"stable": stable}}}
    group = tmp_path / "groups" / "local"
    group.mkdir(parents=True)
    GroupRecord.model_validate(record).write(group / "record.json")
    resolved = ResolvedRun.parse(resolve(group=str(group)))
    assert resolved.group == str(group)
    assert resolved.serves is not None
    assert (resolved.serves.model, resolved.serves.version, resolved.serves.generation) == ("penguins", 7, 9)
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("resolve")
    assert fragment is not None
    assert fragment.facts["serves"]["digest"] == "d7"
    assert "version 7 serves" in fragment.headline


def test_a_torn_moment_is_fixed_anew(resolve: Resolve, tmp_path: Path) -> None:
    resolve()
    (tmp_path / "runs" / "r1" / "as_of").write_bytes(b"2026-1")
    ResolvedRun.parse(resolve())
    assert (tmp_path / "runs" / "r1" / "as_of").read_text().endswith("Z\n")


def test_a_spec_whose_resolved_run_exceeds_20_kb_is_refused(resolve: Resolve) -> None:
    features = {f"column_{number}": {"kind": "number"} for number in range(900)}
    with pytest.raises(SpecError, match="20,000"):
        resolve({**SPEC, "data": {**SPEC["data"], "features": features}})


def test_text_that_looks_like_a_placeholder_of_kfp_stays_as_it_is(resolve: Resolve) -> None:
    classes = ["x", "{{$.pipeline_job_name}}", "{{{{"]
    label = {**SPEC["data"]["label"], "classes": classes}
    text = resolve({**SPEC, "data": {**SPEC["data"], "label": label}})
    assert "{{" not in text
    assert list(ResolvedRun.parse(text).read_spec().data.label.classes or ()) == classes


def test_the_parameter_job_names_the_run_where_the_ui_started_it(resolve: Resolve, tmp_path: Path) -> None:
    resolve(run_id="", job="kfp-17")
    assert RunStore(tmp_path / "runs").run("kfp-17").fragment("resolve") is not None
    with pytest.raises(UsageError):
        resolve(run_id="", job="")


def test_true_is_no_number_although_python_thinks_so() -> None:
    assert changed_fields({"train": {"epochs": 1}}, {}, {"train.epochs": True}) == {"train.epochs": True}


def test_resolve_and_record_start_without_tensorflow_and_kfp() -> None:
    code = (
        "import sys, ferryman.steps.resolve.resolve, ferryman.steps.record.record\n"
        "print([name for name in ('tensorflow', 'kfp', 'pyarrow', 'grpc') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
