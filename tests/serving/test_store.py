"""The serving store: versions appear whole, are what was released, and never change unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from model_artifact import FILES, NAME, flip_a_byte, release_of, seal_model, sorter_golden

from ferryman.artifacts.manifest import NAME as MANIFEST
from ferryman.artifacts.manifest import seal, verify
from ferryman.controller.controller import Controller
from ferryman.controller.ports import FolderRecord
from ferryman.errors import ArtifactError
from ferryman.serving.record import GroupRecord, ModelPart, read_group
from ferryman.serving.release import create_release
from ferryman.serving.store import (
    clear_partials,
    copy_version,
    find_copy,
    golden_of,
    largest_numbers,
    numbers_in_store,
    verify_version,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return seal_model(tmp_path / "model")


@pytest.fixture
def group(tmp_path: Path) -> Path:
    return tmp_path / "an ö group"


def stored(group: Path, number: int = 3) -> Path:
    return group / "store" / NAME / str(number)


def test_a_copy_has_every_byte_of_the_saved_model_and_what_proves_it(model: Path, group: Path) -> None:
    release = release_of(model, absolute=0.25)
    copy_version(group, release, 3)
    for name, content in FILES.items():
        assert (stored(group) / name).read_bytes() == content, name
    verify_version(group, NAME, 3)
    golden, brought = golden_of(group, NAME, 3)
    assert brought == release
    assert golden.rows == sorter_golden().rows
    assert golden.answers["probabilities"].tobytes() == sorter_golden().answers["probabilities"].tobytes()
    extra = stored(group) / "assets.extra" / "ferryman"
    assert (extra / "model.json").read_bytes() == (model / "model.json").read_bytes()
    assert [path.name for path in stored(group).parent.iterdir()] == ["3"]


def test_the_graph_is_the_last_file_of_the_model_to_arrive(
    model: Path, group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    really = shutil.copyfile

    def copyfile(source: Any, target: Any, **options: Any) -> Any:
        order.append(str(Path(target).relative_to(group / "store" / NAME)))
        return really(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    copy_version(group, release_of(model), 3)
    assert order.index(".3.partial/saved_model.pb") == len(order) - 1
    assert ".3.partial/variables/variables.data" in order[:-1]
    assert len(order) > len(FILES)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data", "assets/saved_model.pb"])
def test_a_byte_that_flips_in_the_stored_version_is_refused_by_the_name_of_its_file(
    name: str, model: Path, group: Path
) -> None:
    copy_version(group, release_of(model), 3)
    flip_a_byte(stored(group) / name, -1)
    with pytest.raises(ArtifactError, match=f"/store/{NAME}/3: {name} is not what its manifest says") as caught:
        verify_version(group, NAME, 3)
    assert caught.value.file == name


def test_a_stored_version_with_a_file_more_or_less_is_refused(model: Path, group: Path) -> None:
    copy_version(group, release_of(model), 3)
    (stored(group) / "variables" / "more").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="variables/more is not in its manifest"):
        verify_version(group, NAME, 3)
    (stored(group) / "variables" / "more").unlink()
    (stored(group) / "variables" / "variables.index").unlink()
    with pytest.raises(ArtifactError, match=r"variables/variables\.index is missing"):
        verify_version(group, NAME, 3)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data", "golden/answers/1.npy", "model.json"])
def test_an_artifact_whose_byte_flips_after_it_was_sealed_is_not_copied(name: str, tmp_path: Path, group: Path) -> None:
    files = {file.removeprefix("saved_model/"): content for file, content in FILES.items()}
    model = seal_model(tmp_path / "model", files)
    path = model / name if (model / name).exists() else model / "saved_model" / name
    release = release_of(model)
    flip_a_byte(path, -1)
    with pytest.raises(ArtifactError, match=f"{name} is not what its manifest says"):
        copy_version(group, release, 3)
    assert numbers_in_store(group, NAME) == []


@pytest.mark.parametrize("name", ["variables.data", "saved_model.pb", "1.npy"])
def test_a_byte_that_flips_while_it_is_copied_is_noticed_and_nothing_of_the_version_stays(
    name: str, model: Path, group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = shutil.copyfile

    def copyfile(source: Any, target: Any, **options: Any) -> Any:
        really(source, target, **options)
        if Path(target).name == name:
            flip_a_byte(Path(target), -1)
        return target

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(ArtifactError, match="did not arrive whole in the store") as caught:
        copy_version(group, release_of(model), 3)
    assert Path(caught.value.file).name == name
    assert list((group / "store" / NAME).iterdir()) == []


def test_a_release_of_another_model_than_lies_in_the_artifacts_folder_is_not_copied(model: Path, group: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is the model [0-9a-f]{12}, the release names eeeeeeeeeeee"):
        copy_version(group, release_of(model, digest="e" * 64), 3)
    assert numbers_in_store(group, NAME) == []


def test_a_version_that_is_there_is_never_written_over(model: Path, group: Path, tmp_path: Path) -> None:
    copy_version(group, release_of(model), 3)
    other = seal_model(tmp_path / "other", {"saved_model.pb": b"another graph"})
    with pytest.raises(OSError, match="not empty"):
        copy_version(group, release_of(other, name="run2-1"), 3)
    assert (stored(group) / "saved_model.pb").read_bytes() == b"a graph"
    verify_version(group, NAME, 3)
    assert [path.name for path in stored(group).parent.iterdir()] == ["3"]


@pytest.mark.parametrize("escape", ["../../etc/passwd", "/etc/passwd", "saved_model/../../x"])
def test_a_manifest_that_leads_out_of_its_artifact_is_refused(escape: str, model: Path, group: Path) -> None:
    document = json.loads((model / MANIFEST).read_text())
    document["files"][escape] = next(iter(document["files"].values()))
    (model / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="leads out of the artifact"):
        copy_version(group, release_of(model), 3)
    assert numbers_in_store(group, NAME) == []


def test_a_golden_set_that_leads_out_of_its_folder_is_refused_though_it_is_sealed(
    model: Path, group: Path, tmp_path: Path
) -> None:
    index = json.loads((model / "golden" / "golden.json").read_text())
    (tmp_path / "outside.npy").write_bytes((model / "golden" / "answers" / "1.npy").read_bytes())
    index["answers"]["probabilities"] = "../../outside.npy"
    (model / "golden" / "golden.json").write_text(json.dumps(index))
    seal(model, "model", "somebody hostile")
    copy_version(group, release_of(model), 3)
    shutil.copyfile(tmp_path / "outside.npy", stored(group) / "assets.extra" / "outside.npy")
    with pytest.raises(ArtifactError, match="leads out of the folder"):
        golden_of(group, NAME, 3)


def test_a_link_in_an_artifact_is_refused(model: Path, group: Path) -> None:
    (model / "saved_model" / "assets" / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArtifactError, match="saved_model/assets/link is a link"):
        copy_version(group, release_of(model), 3)


def test_a_copy_that_was_interrupted_is_cleared_and_its_rest_does_not_harm_the_next(model: Path, group: Path) -> None:
    rest = group / "store" / NAME / ".3.partial"
    (rest / "variables").mkdir(parents=True)
    (rest / "variables" / "half").write_bytes(b"half")
    assert numbers_in_store(group, NAME) == [3]
    copy_version(group, release_of(model), 3)
    verify_version(group, NAME, 3)
    (group / "store" / NAME / ".4.partial").mkdir()
    clear_partials(group)
    assert [path.name for path in (group / "store" / NAME).iterdir()] == ["3"]


def test_a_whole_copy_that_the_record_does_not_know_yet_is_found_and_a_torn_or_other_one_is_not(
    model: Path, group: Path
) -> None:
    release = release_of(model)
    copy_version(group, release, 3)
    assert find_copy(group, release, 2) == 3
    assert find_copy(group, release, 3) is None
    assert find_copy(group, release.model_copy(update={"name": "run2-1"}), 2) is None
    flip_a_byte(stored(group) / "variables" / "variables.data")
    assert find_copy(group, release, 2) is None


def test_numbers_are_those_of_all_folders_whole_or_not_and_of_nothing_else(group: Path) -> None:
    for name in ("1", "12", ".7.partial", "tmp", "-3", "٤", "1.5"):
        (group / "store" / NAME / name).mkdir(parents=True)
    (group / "store" / "empty").mkdir()
    assert numbers_in_store(group, NAME) == [1, 7, 12]
    assert largest_numbers(group) == {NAME: 12}
    assert numbers_in_store(group, "nobody") == []
    assert largest_numbers(group.with_name("none")) == {}


@pytest.mark.parametrize(
    ("claimed", "tombstones", "folders", "expected"),
    [(4, [], [], 5), (1, [6], [2], 7), (0, [], [8], 9), (0, [], [], 1)],
)
def test_the_controller_gives_a_number_that_no_claim_tombstone_or_folder_ever_had(
    claimed: int, tombstones: list[int], folders: list[int], expected: int, model: Path, group: Path
) -> None:
    part = ModelPart(claimed=claimed, tombstones=tombstones)
    group.mkdir()
    (group / "record.json").write_text(GroupRecord(replicas=["replica-0"], models={NAME: part}).model_dump_json())
    for number in folders:
        stored(group, number).mkdir(parents=True)
    create_release(group, release_of(model))
    controller = Controller(group, FolderRecord(group), ["replica-0"])
    found: ModelPart | None = None
    for _ in range(4):
        record = read_group(group)
        found = record.models[NAME] if record else None
        if found and found.candidate:
            break
        controller.step()
    assert found
    assert found.candidate
    assert (found.candidate.number, found.claimed) == (expected, expected)
    assert verify(stored(group, expected), "version").producer == "run1-1"
