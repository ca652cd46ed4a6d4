"""The serving store: `store/MODEL/N/`, TensorFlow Serving's version folders with our files in `assets.extra/ferryman/`.

Only the controller writes here. A version appears whole, by one rename, under a number that was never used before.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ferryman.artifacts.manifest import Manifest, read, seal, verify
from ferryman.artifacts.model_card import FILE as CARD
from ferryman.artifacts.model_card import ModelCard
from ferryman.errors import ArtifactError
from ferryman.golden.golden_set import GoldenSet
from ferryman.serving.record import version_folder
from ferryman.serving.release import Release
from ferryman.storage.local import make_folder, sync_folder

EXTRA = Path("assets.extra") / "ferryman"
"""TensorFlow's own place for files that travel with a SavedModel and that the server does not read."""

KIND = "version"


def copy_version(folder: Path, release: Release, number: int) -> None:
    """Copy the release's model artifact into the store of the group in `folder` as version `number`.

    Raises:
        ArtifactError: the artifact is torn or altered, or is not the one that the release names.
    """
    artifact = Path(release.artifact)
    found = verify(artifact, "model")
    if found.digest != release.digest:
        raise ArtifactError(
            f"{artifact} is the model {found.digest[:12]}, the release names {release.digest[:12]}", str(artifact)
        )
    final = version_folder(folder, release.model, number)
    partial = final.with_name(f".{number}.partial")
    make_folder(final.parent)
    try:
        _fill(partial, artifact, release)
        _check_copied(partial, found)
        os.replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(final.parent)


def _fill(partial: Path, artifact: Path, release: Release) -> None:
    shutil.rmtree(partial, ignore_errors=True)
    source = artifact / "saved_model"
    # Only the graph itself waits: an asset may have its name.
    shutil.copytree(source, partial, ignore=lambda at, names: ["saved_model.pb"] if Path(at) == source else [])
    extra = partial / EXTRA
    shutil.copytree(artifact / "golden", extra / "golden")
    for name in (CARD, "preprocess.json"):
        shutil.copyfile(artifact / name, extra / name)
    (extra / "release.json").write_text(release.model_dump_json(indent=1), encoding="utf-8")
    # Last: without it a server sees no model in the folder.
    shutil.copyfile(source / "saved_model.pb", partial / "saved_model.pb")
    seal(partial, KIND, release.name)
    _sync(partial)


def _check_copied(partial: Path, artifact: Manifest) -> None:
    """ArtifactError unless every byte arrived: the artifact was verified before it was read for the copy."""
    copied = read(partial, KIND).files
    for name, entry in artifact.files.items():
        place = _place(name)
        if place and copied.get(place) != entry:
            raise ArtifactError(f"{name} did not arrive whole in the store: it was altered while it was copied", name)


def _place(name: str) -> str:
    """Where a file of a model artifact lies in a version; empty when it stays behind."""
    if name.startswith("saved_model/"):
        return name.removeprefix("saved_model/")
    return (EXTRA / name).as_posix() if name.startswith("golden/") or name in {CARD, "preprocess.json"} else ""


def find_copy(folder: Path, release: Release, above: int) -> int | None:
    """The number under which this very release lies whole in the store already, if that number is `above` the given.

    A copy whose controller died before it could say so on the record is taken instead of making another.
    """
    for number in numbers_in_store(folder, release.model):
        place = version_folder(folder, release.model, number)
        try:
            if number > above and Release.read(place / EXTRA / "release.json") == release:
                verify(place, KIND)
                return number
        except ArtifactError:
            continue
    return None


def verify_version(folder: Path, model: str, number: int) -> None:
    """ArtifactError that names the file when a stored version is torn or altered."""
    verify(version_folder(folder, model, number), KIND)


def card_of_version(place: Path, digest: str) -> ModelCard:
    """The model card in the version's folder `place`.

    Raises:
        ArtifactError: the version is torn or altered, or was not copied from the model artifact `digest`.
    """
    verify(place, KIND)
    found = Release.read(place / EXTRA / "release.json").digest
    if found != digest:
        raise ArtifactError(f"{place} was copied from the model {found[:12]}, expected {digest[:12]}", str(place))
    return ModelCard.read(place / EXTRA / CARD)


def golden_of(folder: Path, model: str, number: int) -> tuple[GoldenSet, Release]:
    """The golden set of a stored version and the release that brought it (with its tolerance)."""
    extra = version_folder(folder, model, number) / EXTRA
    return GoldenSet.read(extra / "golden"), Release.read(extra / "release.json")


def card_of(folder: Path, model: str, number: int) -> ModelCard:
    """The model card of a stored version: how to ask it."""
    return ModelCard.read(version_folder(folder, model, number) / EXTRA / CARD)


def numbers_in_store(folder: Path, model: str) -> list[int]:
    """Numbers of all folders of a model, whole or not."""
    place = folder / "store" / model
    if not place.is_dir():
        return []
    names = (path.name.removeprefix(".").removesuffix(".partial") for path in place.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def largest_numbers(folder: Path) -> dict[str, int]:
    """Model -> the largest number that a folder of the store has."""
    store = folder / "store"
    models = sorted(path.name for path in store.iterdir() if path.is_dir()) if store.is_dir() else []
    found = {model: numbers_in_store(folder, model) for model in models}
    return {model: numbers[-1] for model, numbers in found.items() if numbers}


def clear_partials(folder: Path) -> None:
    """Remove what an interrupted copy left; only whoever holds the group's lock may."""
    for path in (folder / "store").glob("*/.*.partial"):
        shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
