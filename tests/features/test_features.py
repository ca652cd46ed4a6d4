import json
import subprocess
import sys

import numpy as np
import pytest

from ferryman.features import (
    check_names,
    device_reference,
    device_specs,
    features_from,
    fit_features,
    preprocess_document,
    raw_specs,
)

DOCUMENTS = {
    "mass": {"kind": "number", "missing": "mean"},
    "Length": {"kind": "number"},
    "island": {"kind": "category", "missing": "category"},
    "image": {"kind": "image", "columns": {"first": 0, "last": 3}, "shape": [2, 2, 1]},
}


def raw_rows(rows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    mass = random.normal(4200, 800, rows).astype(np.float32)
    mass[::7] = np.nan
    names = ["", "Biscoe", "Dream", "Île", "never seen", "x" * 300]
    return {
        "mass": mass,
        "Length": random.normal(1e-3, 1e-5, rows).astype(np.float32),
        "island": np.array([names[row % len(names)] for row in range(rows)], dtype=object),
        "image": random.integers(0, 256, (rows, 2, 2, 1)).astype(np.uint8),
    }


def test_the_reference_and_the_graph_give_the_same_device_tensors() -> None:
    tf = pytest.importorskip("tensorflow")
    features, raw = features_from(DOCUMENTS), raw_rows(500)
    known = np.array([name for name in raw["island"] if name != "never seen"], dtype=object)
    fitted = fit_features(features, {**raw, "island": known})
    preprocess = json.loads(json.dumps(preprocess_document(features, fitted)))

    @tf.function
    def transform(tensors: dict) -> dict:
        parts = [feature.transform(name, fitted[name], tensors[name]) for name, feature in features.items()]
        return {name: tensor for part in parts for name, tensor in part.items()}

    encoded = {**raw, "island": np.array([name.encode() for name in raw["island"]], dtype=object)}
    graph = {name: tensor.numpy() for name, tensor in transform(encoded).items()}
    reference = device_reference(preprocess, raw)
    specs = device_specs(features, fitted)
    assert [spec.name for spec in specs] == list(graph) == list(reference)
    for spec in specs:
        for tensors in (graph, reference):
            assert (tensors[spec.name].dtype.name, tensors[spec.name].shape[1:]) == (spec.dtype, spec.shape)
        np.testing.assert_array_equal(graph[spec.name], reference[spec.name])
    assert set(reference["island"]) == {0, 1, 2, 3, 4, 5}


def test_a_changed_vocabulary_in_the_device_file_changes_the_ids() -> None:
    features, raw = features_from(DOCUMENTS), raw_rows(60)
    preprocess = preprocess_document(features, fit_features(features, raw))
    before = device_reference(preprocess, raw)["island"]
    preprocess["features"]["island"]["fitted"]["vocabulary"].reverse()
    assert (device_reference(preprocess, raw)["island"] != before).any()


def test_the_device_reference_refuses_what_it_cannot_read() -> None:
    features, raw = features_from(DOCUMENTS), raw_rows(3)
    preprocess = preprocess_document(features, fit_features(features, raw))
    with pytest.raises(ValueError, match="schema 2"):
        device_reference({**preprocess, "schema_version": 2}, raw)
    raw.pop("mass")
    with pytest.raises(ValueError, match="no raw tensor for mass"):
        device_reference(preprocess, raw)


def test_a_document_round_trips_through_the_options() -> None:
    features = features_from(DOCUMENTS)
    again = features_from({name: feature.model_dump(mode="json") for name, feature in features.items()})
    assert again == features
    assert [spec.dtype for spec in raw_specs(features)] == ["float32", "float32", "string", "uint8"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"x": {"missing": "mean"}, "x_missing": {}}, "x_missing"),
        ({"Age": {}, "age": {}}, "case"),
        ({"_x": {}}, "begins with '_'"),
    ],
)
def test_names_whose_tensors_would_collide_are_refused(names: dict[str, dict[str, str]], said: str) -> None:
    features = features_from({name: {"kind": "number", **options} for name, options in names.items()})
    with pytest.raises(ValueError, match=said):
        check_names(features)


def test_a_missing_flag_that_does_not_exist_collides_with_nothing() -> None:
    check_names(features_from({"x": {"kind": "number"}, "x_missing": {"kind": "number"}}))


def test_features_and_models_import_without_tensorflow_and_arrow() -> None:
    code = (
        "import sys, ferryman.features, ferryman.models; print({'tensorflow', 'keras', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
