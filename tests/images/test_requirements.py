"""What the locks ask for: the project's extras, with TensorFlow as images need it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import UsageError
from ferryman_pipelines.images.lock import IMAGES
from ferryman_pipelines.images.requirements import LAYERS, wanted, wanted_everywhere

PROJECT = """
[project]
name = "ferryman"
dependencies = ["base>=1"]

[project.optional-dependencies]
pipelines = ["kfp>=2.17,<2.18"]
tensorflow = ["TensorFlow>=2.21,<2.22"]
control = ["wire>=3"]
prepare = ["arrow>=4"]
train = ["ferryman[tensorflow,prepare]"]
evaluate = ["ferryman[train]", "odds>=5"]
convert = ["ferryman[train]"]
serve = ["ferryman[tensorflow,control]"]
gcs = ["bucket>=6"]
local = ["ferryman[pipelines,control,prepare,train,evaluate,convert,serve,gcs]"]
"""


@pytest.fixture
def pyproject(tmp_path: Path) -> Path:
    file = tmp_path / "pyproject.toml"
    file.write_text(PROJECT, encoding="utf-8")
    return file


def test_an_image_asks_for_the_base_the_extra_of_its_name_and_the_remote_store(pyproject: Path) -> None:
    assert wanted(pyproject, "control").requirements == ("base>=1", "bucket>=6", "wire>=3")


def test_extras_that_name_others_are_followed(pyproject: Path) -> None:
    asked = wanted(pyproject, "evaluate").requirements
    assert asked == ("arrow>=4", "base>=1", "bucket>=6", "odds>=5", "tensorflow-cpu<2.22,>=2.21")


def test_images_have_the_tensorflow_of_processors_and_keep_the_full_one_away(pyproject: Path) -> None:
    serve = wanted(pyproject, "serve")
    assert "tensorflow-cpu<2.22,>=2.21" in serve.requirements
    assert set(serve.left_out) == {"tensorflow", "libclang"}


def test_training_on_gpus_has_the_full_tensorflow_with_nvidias_libraries(pyproject: Path) -> None:
    gpu = wanted(pyproject, "train-gpu")
    assert "tensorflow[and-cuda]<2.22,>=2.21" in gpu.requirements
    assert gpu.left_out == ("libclang",)


def test_every_image_has_kfp_without_what_it_depends_on(pyproject: Path) -> None:
    for name in LAYERS:
        asked = wanted(pyproject, name)
        assert asked.alone == ("kfp<2.18,>=2.17",)
        assert not any(text.startswith("kfp") for text in asked.requirements)


def test_the_one_resolve_holds_every_form_of_tensorflow(pyproject: Path) -> None:
    asked = wanted_everywhere(pyproject).requirements
    forms = {text.partition("<")[0] for text in asked if text.lower().startswith("tensorflow")}
    assert forms == {"TensorFlow", "tensorflow-cpu", "tensorflow[and-cuda]"}
    assert "kfp<2.18,>=2.17" in asked


def test_every_image_has_a_lock_and_every_layer_stands_on_another_one() -> None:
    assert set(IMAGES) < set(LAYERS)
    assert [name for name, layer in LAYERS.items() if not layer.parent] == ["common"]
    assert {layer.parent for layer in LAYERS.values()} - {""} <= set(LAYERS)


def test_an_extra_that_is_gone_and_a_folder_that_is_no_checkout_are_said(pyproject: Path) -> None:
    pyproject.write_text(PROJECT.replace("\ngcs =", "\ngs ="), encoding="utf-8")
    with pytest.raises(UsageError, match="no extra 'gcs'"):
        wanted(pyproject, "train")
    with pytest.raises(UsageError, match="is this a checkout of ferryman"):
        wanted(pyproject.parent / "elsewhere.toml", "train")
