"""Models that cannot be adopted: the step, or the command line before it, says what is wrong and what to try."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import IMAGE, NUMBERS, adopt, save_images, save_keras, save_module, save_number

from ferryman.artifacts.run_store import RunStore
from ferryman.errors import ArtifactError, SpecError


def test_logits_are_no_probabilities(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model.output: .*expected probabilities .*: end the model with a softmax"):
        adopt(tmp_path, save_images(tmp_path / "m", activation="linear"), IMAGE)
    assert not (tmp_path / "model").exists()
    fragment = RunStore(tmp_path / "runs").run("r1").fragment("train")
    assert fragment is not None
    assert fragment.error is not None
    assert (fragment.error.kind, fragment.error.exit_code) == ("SpecError", 2)


def test_float_images_need_a_cast_that_is_written_out(tmp_path: Path) -> None:
    source = save_images(tmp_path / "m", dtype="float32")
    with pytest.raises(
        SpecError, match=r"the feature gives uint8 \[n, 6, 6, 1\], .* expects float32 \[n, 6, 6, 1\]: write"
    ):
        adopt(tmp_path, source, IMAGE)
    adopted = adopt(tmp_path, source, IMAGE, inputs={"picture": {"cast": "float32"}})
    assert adopted.card.inputs[0].dtype == "float32"


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    source = save_images(tmp_path / "m", classes=4)
    with pytest.raises(SpecError, match="'output_0' has 4 columns, expected 3, one a class"):
        adopt(tmp_path, source, IMAGE)
    with pytest.raises(SpecError, match=r"model.classes: the data have the class 'cress', received aster, bell, x, y"):
        adopt(tmp_path, source, IMAGE, classes=["aster", "bell", "x", "y"])
    adopted = adopt(tmp_path, source, IMAGE, classes=["aster", "bell", "cress", "y"])
    assert adopted.card.classes == ["aster", "bell", "cress", "y"]


def test_a_number_has_no_classes(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model.classes: the label is a number, which has no classes"):
        adopt(tmp_path, save_number(tmp_path / "m"), NUMBERS, "number", classes=["a"])


def test_a_number_that_cannot_be_cast_stops_the_step(tmp_path: Path) -> None:
    import tensorflow as tf

    from ferryman.errors import DataError

    class Whole(tf.Module):  # type: ignore[misc]
        @tf.function(  # type: ignore[misc]
            input_signature=[
                tf.TensorSpec([None], tf.int64, name="petal"),
                tf.TensorSpec([None], tf.float32, name="sepal"),
            ]
        )
        def call(self, petal: Any, sepal: Any) -> dict[str, Any]:
            return {"y": tf.cast(petal, tf.float32) + sepal}

    module = Whole()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": module.call})
    with pytest.raises(DataError, match=r"feature 'petal': received .*, which is no int64"):
        adopt(tmp_path, tmp_path / "m", NUMBERS, "number", inputs={"petal": {"cast": "int64"}})


def test_a_keras_model_in_a_module_that_no_server_loads_is_refused(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    class Wrapped(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

        @tf.function(  # type: ignore[misc]
            input_signature=[
                tf.TensorSpec([None, 1], tf.float32, name="petal"),
                tf.TensorSpec([None], tf.float32, name="sepal"),
            ]
        )
        def call(self, petal: Any, sepal: Any) -> dict[str, Any]:
            return {"y": self.model(petal)[:, 0] + sepal}

    module = Wrapped()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"serving_default": module.call})
    with pytest.raises(SpecError, match="it answers in TensorFlow 2, but not in the session that a server uses"):
        adopt(tmp_path, tmp_path / "m", NUMBERS, "number")


def test_a_lambda_layer_is_never_loaded(tmp_path: Path) -> None:
    import keras

    source = save_keras(tmp_path / "m.keras", keras.layers.Lambda(lambda x: x, name="sly"))
    with pytest.raises(SpecError, match=r"the layer 'sly' is keras.layers.Lambda, which carries code of its own"):
        adopt(tmp_path, source, NUMBERS)


def rewritten(source: Path, change: Any) -> Path:
    """A copy of a `.keras` file whose config `change` had its way with."""
    target = source.with_name("changed.keras")
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


def test_a_layer_from_another_module_is_never_imported(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][1].update(module="os", class_name="system")

    source = rewritten(save_keras(tmp_path / "m.keras"), change)
    with pytest.raises(SpecError, match=r"is os.system, which carries code of its own"):
        adopt(tmp_path, source, NUMBERS)


def test_a_vocabulary_that_is_a_file_of_this_machine_is_never_read(tmp_path: Path) -> None:
    def change(config: Any) -> None:
        config["config"]["layers"][1]["config"]["vocabulary"] = "/etc/passwd"

    source = rewritten(save_keras(tmp_path / "m.keras"), change)
    with pytest.raises(SpecError, match="reads the file '/etc/passwd'"):
        adopt(tmp_path, source, NUMBERS)


def test_a_keras_file_has_no_signatures(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model.core: the source is a .keras file, which has no signatures"):
        adopt(tmp_path, save_keras(tmp_path / "m.keras"), NUMBERS, core={"signature": "x"})


def test_a_zip_that_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(SpecError, match=r"no .keras file \(a zip archive with config.json\)"):
        adopt(tmp_path, tmp_path / "m.keras", NUMBERS)


def test_a_pinned_copy_that_was_altered_is_not_loaded(tmp_path: Path) -> None:
    source = save_keras(tmp_path / "m.keras")
    adopt(tmp_path, source, NUMBERS)
    (kept,) = (tmp_path / "home/inputs/sha256").iterdir()
    content = bytearray(kept.read_bytes())
    content[40] ^= 1
    kept.write_bytes(bytes(content))
    import foreign

    pinned = foreign.PinnedSource(name="m.keras", uri=kept.as_uri(), sha256=kept.name).model_dump()
    from ferryman.models import SavedOptions
    from ferryman.steps.train.fetch import fetch

    with pytest.raises(ArtifactError, match="is altered: received SHA-256"):
        fetch(SavedOptions.model_validate({"kind": "saved", "source": pinned}), tmp_path)


def test_answers_with_nan_are_news_for_the_gate_and_no_refusal(tmp_path: Path) -> None:
    from ferryman.golden.golden_set import GoldenSet

    adopted = adopt(
        tmp_path,
        save_module(tmp_path / "m", scale=float("nan")),
        signature="score",
        inputs={"petal": "petal_cm"},
        label_output="name",
    )
    assert np.isnan(GoldenSet.read(adopted.model / "golden").answers["p"]).all()
