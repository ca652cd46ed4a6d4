"""Model folders that name files of others are refused before TensorFlow opens any of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.loading import LoadOptions, loader
from ferryman.model_server.runtime.enclosure import check_links
from ferryman.model_server.runtime.saved_model import SavedModel


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A version of its own, to be spoiled."""
    return Path(shutil.copytree(built / "module", tmp_path / "m" / "1"))


def refused(folder: Path) -> str:
    with pytest.raises(Refusal) as caught:
        loader(LoadOptions(prefer_tflite_model=True))(folder)
    assert caught.value.code == INVALID_ARGUMENT
    return caught.value.text


@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside"], ids=["absolute", "relative"])
@pytest.mark.parametrize("place", ["variables/variables.index", "assets/words.txt", "model.tflite", "new/file"])
def test_a_link_out_of_the_folder_is_refused_and_named(folder: Path, place: str, target: str) -> None:
    (folder.parent.parent / "outside").write_text("secret")
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).unlink(missing_ok=True)
    (folder / place).symlink_to(target)
    assert refused(folder) == (
        f"{folder / place} is a link that leaves the version folder; expected a file of the model's own"
    )


def test_a_folder_that_is_a_link_out_is_refused(folder: Path) -> None:
    shutil.move(folder / "assets", folder.parent / "elsewhere")
    (folder / "assets").symlink_to(folder.parent / "elsewhere")
    assert "assets is a link that leaves" in refused(folder)


def test_a_link_to_a_folder_whose_name_begins_alike_is_out(folder: Path) -> None:
    shutil.copytree(folder / "assets", folder.parent / "1x")
    (folder / "more").symlink_to("../1x")
    assert "more is a link that leaves" in refused(folder)


def test_a_pipe_is_refused_instead_of_waited_for(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()
    os.mkfifo(folder / "saved_model.pb")
    assert refused(folder) == f"{folder}/saved_model.pb is no regular file"


def test_links_inside_and_a_version_that_is_a_link_itself_are_loaded(folder: Path) -> None:
    hidden = folder / "..2026_01_01"
    hidden.mkdir()
    for name in ("saved_model.pb", "variables", "assets"):
        shutil.move(folder / name, hidden / name)
    (folder / "..data").symlink_to(hidden.name)
    for name in ("saved_model.pb", "variables", "assets"):
        (folder / name).symlink_to(f"..data/{name}")
    linked = folder.parent / "2"
    linked.symlink_to("1")
    for version in (folder, linked):
        assert "words" in SavedModel(version).signatures


def test_a_link_to_nothing_inside_is_left_to_the_loader(folder: Path) -> None:
    (folder / "dangling").symlink_to("nothing")
    check_links(folder)


@pytest.mark.parametrize(
    "name", ["../../../outside", "sub/../../variables/variables.index", "..", "words.txt/../../../../outside"]
)
def test_an_asset_whose_name_leads_out_is_refused(folder: Path, name: str) -> None:
    (folder.parent.parent / "outside").write_text("secret\n")
    rename_asset(folder, name)
    assert refused(folder) == (f"Asset file name {name!r} leads out of the assets of the SavedModel in {folder}")


def test_an_absolute_asset_name_stays_below_the_assets(folder: Path) -> None:
    rename_asset(folder, "/words.txt")
    assert "words" in SavedModel(folder).signatures


def rename_asset(folder: Path, name: str) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (asset,) = saved.meta_graphs[0].asset_file_def
    asset.filename = name
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
