"""A saved model is pinned and looked at before anything runs: mistakes are told within a second."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from foreign import save_keras, save_module
from newcomer import flowers

from ferryman.data.options import PinnedSource
from ferryman.errors import SpecError
from ferryman.models import SavedOptions
from ferryman_pipelines.cli.home import Home
from ferryman_pipelines.cli.pinning import pinned_spec

GOOD = "{kind: saved, source: stranger, signature: score, inputs: {petal: petal_cm}, label_output: name}"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_module(folder / "stranger")
    save_keras(folder / "net.keras")
    (folder / "notes").mkdir()
    (folder / "notes" / "readme.txt").write_text("no model")
    (folder / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    return folder


def spec_with(models: Path, folder: Path, model: str) -> Path:
    shutil.copytree(models, folder, dirs_exist_ok=True)
    spec = flowers(folder)
    lines = [f"model: {model}" if line.startswith("model:") else line for line in spec.read_text().splitlines()]
    spec.write_text("\n".join(lines) + "\n")
    return spec


def test_a_folder_and_a_keras_file_are_pinned_by_content(models: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    for model in (GOOD, "{kind: saved, source: net.keras, inputs: {petal: x, sepal: x}}"):
        found = pinned_spec(spec_with(models, tmp_path, model), home).model
        assert isinstance(found, SavedOptions)
        assert isinstance(found.source, PinnedSource)
        assert Path(found.source.uri.removeprefix("file://")).name == found.source.sha256
        assert found.source.name in ("stranger", "net.keras")


REFUSED = {
    "{kind: saved, source: strangr}": ("model.source", "there is no file strangr in "),
    "{kind: saved, source: notes}": ("model.source", "no SavedModel: there is no saved_model.pb in it, but readme.txt"),
    "{kind: saved, source: old.h5}": ("model.source", "expected a SavedModel folder or a .keras file"),
    "{kind: saved, source: stranger}": ("model.signature", "no signature 'serving_default'; it has device, score"),
    "{kind: saved, source: stranger, signature: score}": ("model.inputs.petal", "no input 'petal'; it has "),
    GOOD.replace("petal:", "petl:"): (
        "model",
        "inputs: received the feature 'petl', which data.features lacks; did you mean",
    ),
    GOOD.replace("label_output: name", "output: prob"): (
        "model.output",
        "no output 'prob'; it has name (string [n]), p",
    ),
    GOOD.replace("label_output", "classes: [aster, bell], label_output"): ("model.classes", "3 columns, expected 2"),
    GOOD.replace("kind: saved", "kind: saved, outputs: p"): ("model.outputs", "unknown field; did you mean 'output'?"),
}


@pytest.mark.parametrize("model", REFUSED)
def test_what_a_newcomer_mistypes_is_refused_with_its_field(models: Path, tmp_path: Path, model: str) -> None:
    path, words = REFUSED[model]
    spec = spec_with(models, tmp_path, model)
    with pytest.raises(SpecError) as refused:
        pinned_spec(spec, Home(tmp_path / "home"))
    assert (refused.value.path, refused.value.file) == (path, str(spec))
    assert words in str(refused.value)


def test_a_link_in_the_folder_is_refused(models: Path, tmp_path: Path) -> None:
    spec = spec_with(models, tmp_path, GOOD)
    (tmp_path / "stranger" / "assets").mkdir(exist_ok=True)
    (tmp_path / "stranger" / "assets" / "words.txt").symlink_to("/etc/passwd")
    with pytest.raises(SpecError, match=r"model.source: .*assets/words.txt is a link, expected files alone"):
        pinned_spec(spec, Home(tmp_path / "home"))


def test_none_of_it_needs_tensorflow(models: Path, tmp_path: Path) -> None:
    spec = spec_with(models, tmp_path, GOOD)
    code = (
        "import sys; from pathlib import Path\n"
        "from ferryman_pipelines.cli.home import Home; from ferryman_pipelines.cli.pinning import pinned_spec\n"
        f"pinned_spec(Path({str(spec)!r}), Home(Path({str(tmp_path / 'home')!r})))\n"
        "assert not {'tensorflow', 'keras', 'kfp'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
