"""A pinned model on this machine's disk: a `.keras` file, or a folder out of its archive."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from ferryman.data.options import PinnedSource
from ferryman.errors import DataError, SpecError
from ferryman.models.saved import SavedOptions
from ferryman.storage.archive import unpack
from ferryman.storage.inputs import open_pinned


def fetch(options: SavedOptions, work: Path) -> Path:
    """The pinned model below `work`: a `.keras` file, or the folder out of its archive."""
    if not isinstance(options.source, PinnedSource):
        raise SpecError(
            "model.source", f"{options.source} is not pinned: start it with `ferryman run` or `ferryman compile`"
        )
    with open_pinned(options.source) as stream:
        kept = work / "model.keras"
        with kept.open("wb") as file:
            shutil.copyfileobj(stream, file)
    if zipfile.is_zipfile(kept):
        return kept
    if not tarfile.is_tarfile(kept):
        raise SpecError(
            "model.source",
            f"{options.source.name} is a file of another kind, expected a SavedModel folder or a .keras file "
            "(an .h5 file of Keras 2: load it with Keras and save it as .keras)",
        )
    try:
        with kept.open("rb") as file:
            unpack(file, work / "source")
    except DataError as error:
        raise SpecError("model.source", str(error)) from error
    kept.unlink()
    return work / "source"


def saved_model_in(folder: Path) -> Path:
    """The SavedModel in `folder`: itself, or its `saved_model`."""
    inside = folder / "saved_model"
    return inside if inside.is_dir() and not (folder / "saved_model.pb").is_file() else folder
