"""The whole step on small models: real conversions in real children, real comparisons."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ferryman.artifacts.evidence import Conversion
from ferryman.artifacts.manifest import digest_of, verify
from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError
from ferryman.steps.convert.convert import convert_model, headline
from ferryman.steps.convert.converters import Converters
from ferryman.steps.convert.device import LiteModel
from ferryman.steps.convert.rung import convert as convert_rung


class Scores(dict[str, float]):
    """What KFP's Metrics does with a number."""

    def log_metric(self, metric: str, value: float) -> None:
        self[metric] = value


@pytest.fixture
def convert(tmp_path: Path) -> Callable[[Any], tuple[Conversion, Path, Scores]]:
    """Run the step on a road; gives its report, its artifact and its metrics."""

    def call(road: Any) -> tuple[Conversion, Path, Scores]:
        scores, out = Scores(), tmp_path / "conversion"
        convert_model(
            road.resolved, str(tmp_path / "runs"), "r1", "", str(road.examples), str(road.model), str(out), scores
        )
        return Conversion.read(out / "conversion.json"), out, scores

    return call


def test_both_rungs_of_an_image_model_are_measured_and_the_smaller_one_is_published(
    make_road: Any, convert: Any, tmp_path: Path
) -> None:
    road = make_road("image", gate={"converted": {"metric": "accuracy", "may_lose": 0.1}})
    report, out, scores = convert(road)
    rungs = {rung.name: rung for rung in report.rungs}
    assert [rung.name for rung in report.rungs] == ["int8", "float32"]
    assert [rung.state for rung in report.rungs] == ["kept", "kept"], report.rungs
    assert rungs["float32"].trained == rungs["int8"].trained == pytest.approx(0.9)
    assert rungs["float32"].lost == 0.0
    assert rungs["float32"].largest_difference < 1e-5
    assert 1e-5 < rungs["int8"].largest_difference < 0.2
    assert rungs["int8"].size_bytes < rungs["float32"].size_bytes
    assert (report.chosen, report.rows, report.metric, report.may_lose) == ("int8", 120, "accuracy", 0.1)
    assert (report.transform_ids_differ, report.transform_largest_difference) == (0, 0.0)
    assert report.model == digest_of(road.model)
    assert (out / "model.tflite").read_bytes() == (out / "rungs" / "int8.tflite").read_bytes()
    assert (out / "preprocess.json").read_bytes() == (road.model / "preprocess.json").read_bytes()
    assert json.loads((out / "ops.json").read_text())["int8"]["CONV_2D"] == 1
    assert verify(out, "conversion").files.keys() >= {"conversion.json", "model.tflite", "rungs/float32.tflite"}
    assert scores["int8_size_kb"] == rungs["int8"].size_bytes / 1000
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("convert")
    assert fragment is not None
    assert fragment.facts["chosen"] == "int8"
    assert fragment.headline.startswith("int8: ")
    assert " kB of " in fragment.headline
    assert fragment.headline.endswith(" of 0.1")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions in this process, which has TensorFlow already: the test above pays for real children."""

    class InProcess(Converters):
        def start(self, rung: str, calibration: Path | None = None) -> None:
            self.file(rung).write_bytes(convert_rung(self._saved_model, rung, calibration))
            self._converter = [sys.executable, "-S", "-c", ""]
            super().start(rung, calibration)

    monkeypatch.setattr("ferryman.steps.convert.convert.Converters", InProcess)


@pytest.mark.usefixtures("in_process")
def test_a_table_with_categories_and_missing_values_keeps_the_contract(make_road: Any, convert: Any) -> None:
    report, out, _ = convert(make_road("class", gate={"converted": {"metric": "accuracy", "may_lose": 0.05}}))
    assert [rung.state for rung in report.rungs] == ["kept", "kept"], report.rungs
    assert (report.transform_ids_differ, report.transform_largest_difference) == (0, pytest.approx(0.0, abs=1e-6))
    inputs = {"mass": "float32", "mass_missing": "float32", "bill": "float32", "island": "int32"}
    for name in ("int8", "float32"):
        assert LiteModel((out / "rungs" / f"{name}.tflite").read_bytes()).inputs == inputs


@pytest.mark.usefixtures("in_process")
def test_a_number_is_measured_by_its_own_metric(make_road: Any, convert: Any) -> None:
    report, out, _ = convert(make_road("number", convert={"try": ["float32"]}))
    (rung,) = report.rungs
    assert (rung.name, rung.state, rung.agreement) == ("float32", "kept", None)
    assert (report.metric, report.may_lose) == ("rmse", 0.005)
    assert rung.trained == pytest.approx(0.5)
    assert (out / "model.tflite").exists()


def swap_categories(folder: Path) -> None:
    change_preprocess(folder, lambda island: island["vocabulary"].reverse())


def add_category(folder: Path) -> None:
    change_preprocess(folder, lambda island: island["vocabulary"].append("Zanzibar"))


def change_preprocess(folder: Path, change: Callable[[dict[str, Any]], object], feature: str = "island") -> None:
    path = folder / "preprocess.json"
    document = json.loads(path.read_text())
    change(document["features"][feature]["fitted"])
    path.write_text(json.dumps(document))


@pytest.mark.usefixtures("in_process")
def test_a_changed_vocabulary_in_the_devices_file_leaves_no_rung(make_road: Any, convert: Any, tmp_path: Path) -> None:
    report, out, _ = convert(make_road("class", swap_categories, {"required": True}))
    assert report.transform_ids_differ > 100
    assert report.required
    assert [rung.state for rung in report.rungs] == ["out_of_bounds", "out_of_bounds"]
    assert all("preprocess.json" in rung.reason for rung in report.rungs)
    assert (report.chosen, (out / "model.tflite").exists()) == (None, False)
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("convert")
    assert fragment is not None
    assert fragment.state == "done"
    assert "preprocess.json" in fragment.headline


@pytest.mark.usefixtures("in_process")
def test_a_category_that_no_row_shows_is_found_by_the_document(make_road: Any, convert: Any) -> None:
    report, _, _ = convert(make_road("class", add_category, {"try": ["float32"]}))
    assert (report.transform_ids_differ, report.chosen) == (0, None)
    assert "preprocess.json is not what model.json's fitted values give" in report.rungs[0].reason


@pytest.mark.usefixtures("in_process")
def test_a_mean_that_is_slightly_off_in_the_devices_file_is_found(make_road: Any, convert: Any) -> None:
    def shift(mass: dict[str, Any]) -> None:
        mass["mean"] += 0.5

    road = make_road("class", partial(change_preprocess, change=shift, feature="mass"), {"try": ["float32"]})
    report, _, _ = convert(road)
    assert report.transform_ids_differ == 0
    assert 1e-6 < report.transform_largest_difference < 0.01
    assert report.chosen is None


@pytest.mark.usefixtures("in_process")
def test_a_devices_file_that_cannot_be_used_is_news_and_no_failure(make_road: Any, convert: Any) -> None:
    road = make_road("class", partial(change_preprocess, change=dict.clear), {"try": ["float32"]})
    report, _, _ = convert(road)
    assert report.chosen is None
    assert "the reference cannot compute them" in report.rungs[0].reason


@pytest.fixture
def dying_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every converter dies of a signal, as rolled GRU and LSTM make TensorFlow's do."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(
        "ferryman.steps.convert.convert.Converters", partial(Converters, converter=(sys.executable, "-c", code))
    )


@pytest.mark.usefixtures("dying_int8")
def test_a_converter_killed_by_a_signal_is_a_failed_rung_of_a_step_that_ends_well(make_road: Any, convert: Any) -> None:
    report, out, scores = convert(make_road("class"))
    assert [(rung.state, rung.reason) for rung in report.rungs] == [("failed", "conversion: killed by SIGSEGV")] * 2
    assert (report.chosen, dict(scores)) == (None, {})
    assert verify(out, "conversion").files.keys() == {"conversion.json", "preprocess.json", "ops.json"}


def test_an_altered_model_is_refused_and_leaves_nothing(make_road: Any, convert: Any, tmp_path: Path) -> None:
    road = make_road("class")
    swap_categories(road.model)
    with pytest.raises(ArtifactError, match=r"preprocess\.json"):
        convert(road)
    assert not (tmp_path / "conversion").exists()


def test_a_model_without_an_endpoint_is_refused(make_road: Any, convert: Any, core_models: Any) -> None:
    def only_core(folder: Path) -> None:
        shutil.rmtree(folder / "saved_model")
        shutil.copytree(core_models("table"), folder / "saved_model")

    with pytest.raises(ArtifactError, match="no endpoint transform"):
        convert(make_road("class", only_core, {"try": ["float32"]}))


@pytest.mark.parametrize(
    ("sizes", "lost", "line"),
    [
        ((237_100, 905_400), 0.001, "int8: 237 kB of 905, lost 0.001 of 0.005"),
        ((9_300, None), -0.00001, "int8: 9 kB, lost 0.000 of 0.005"),
        ((9_300, 9_200), -0.02, "int8: 9 kB, lost -0.020 of 0.005"),
    ],
)
def test_the_headline_says_size_and_loss_beside_their_measures(
    sizes: tuple[int, int | None], lost: float, line: str
) -> None:
    rungs = [
        {"name": "int8", "state": "kept", "size_bytes": sizes[0], "lost": lost},
        {"name": "float32", "state": "out_of_bounds", "size_bytes": sizes[1], "lost": 0.4, "reason": "lost"},
    ]
    document = {"model": "m", "required": True, "metric": "accuracy", "may_lose": 0.005, "rungs": rungs, "rows": 10}
    numbers = {"chosen": "int8", "transform_ids_differ": 0, "transform_largest_difference": 0.0}
    assert headline(Conversion.model_validate({**document, **numbers})) == line
