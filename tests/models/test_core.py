from typing import Any

import numpy as np
import pytest

from ferryman.features import device_specs, features_from
from ferryman.models import CnnOptions, FamilyOptions, MlpOptions
from ferryman.models.core import ClassHead, Core, Head, NumberHead, build_core

tf = pytest.importorskip("tensorflow")

DOCUMENTS: dict[str, dict[str, Any]] = {
    "image": {"kind": "image", "columns": {"first": 0, "last": 63}, "shape": [8, 8, 1], "scale": 16},
    "mass": {"kind": "number", "missing": "mean"},
    "island": {"kind": "category", "missing": "category"},
}
FITTED = {"image": {}, "mass": {"mean": 1.0, "deviation": 2.0}, "island": {"vocabulary": ["a", "b"]}}
CNN, MLP = CnnOptions(kind="cnn", filters=(4, 8), dense=6), MlpOptions(kind="mlp", hidden=(5, 4))


def core_of(family: FamilyOptions, head: Head) -> Core:
    return build_core(family, features_from(DOCUMENTS), FITTED, head)


def device(rows: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(2)
    return {
        "image": random.integers(0, 17, (rows, 8, 8, 1)).astype(np.uint8),
        "mass": random.normal(size=rows).astype(np.float32),
        "mass_missing": np.zeros(rows, np.float32),
        "island": np.arange(rows, dtype=np.int32) % 4,
    }


@pytest.mark.parametrize("family", [CNN, MLP])
def test_every_family_reads_images_numbers_and_categories_together(family: FamilyOptions) -> None:
    answers = core_of(family, ClassHead(("x", "y", "z"))).exported(device())
    assert answers["probabilities"].shape == (3, 3)
    np.testing.assert_allclose(tf.reduce_sum(answers["probabilities"], axis=1), np.ones(3), atol=1e-6)


def test_a_number_comes_in_the_labels_unit_with_rank_1() -> None:
    core = core_of(MLP, NumberHead(mean=4200.0, deviation=800.0))
    standardised, value = core.trained(device()), core.exported(device())["value"]
    assert value.shape == (3,)
    np.testing.assert_allclose(value, 4200 + 800 * standardised[:, 0], rtol=1e-6)


def test_inputs_are_the_device_tensors_with_rank_1_for_columns() -> None:
    inputs = core_of(CNN, ClassHead(("x", "y"))).exported.input
    for spec in device_specs(features_from(DOCUMENTS), FITTED):
        assert (inputs[spec.name].dtype, inputs[spec.name].shape) == (spec.dtype, (None, *spec.shape))


def test_every_weight_has_a_path_of_its_own_that_does_not_depend_on_what_was_built_before() -> None:
    first, second = ([w.path for w in core_of(CNN, ClassHead(("x", "y"))).exported.weights] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_ids_that_train_never_shows_start_at_the_centre() -> None:
    core = core_of(MLP, ClassHead(("x", "y")))
    (table,) = (weight.numpy() for weight in core.exported.weights if "embedding" in weight.path)
    assert table.shape[0] == 4
    assert (table[:2] == 0).all()
    assert (table[2:] != 0).all()


def test_pixels_are_scaled_by_their_own_largest_value() -> None:
    core = core_of(CNN, ClassHead(("x", "y")))
    assert core.exported.get_layer("image.scaled")(np.full((1, 8, 8, 1), 16, np.uint8)).numpy().max() == 1.0


def test_a_feature_may_be_called_like_a_part_of_the_network() -> None:
    names = ["probabilities", "hidden", "head", "dense", "core", "value"]
    features = features_from({name: {"kind": "number"} for name in names})
    fitted = {name: {"mean": 0.0, "deviation": 1.0} for name in names}
    core = build_core(MLP, features, fitted, ClassHead(("x", "y")))
    assert core.exported({name: np.ones(2, np.float32) for name in names})["probabilities"].shape == (2, 2)
