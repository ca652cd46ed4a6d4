"""From a spec file to a spec whose inputs are fixed: its sources and its code lie in the input store, named by digest."""

from __future__ import annotations

from pathlib import Path

from ferryman.data.options import PinnedSource
from ferryman.errors import DataError, SpecError
from ferryman.models import SavedOptions
from ferryman.spec.blocks import CodeFolder
from ferryman.spec.reading import load_spec
from ferryman.spec.spec import Spec
from ferryman.storage.code import pin_code
from ferryman.storage.inputs import list_folder, pin, pin_folder


def pin_spec(path: Path, home: Path) -> Spec:
    """The spec at `path` with its sources and its code copied into the input store below `home`.

    Raises:
        SpecError: the spec is wrong. DataError, UnavailableError, UsageError: a source or its code cannot be had.
    """
    spec, base = load_spec(path), path.resolve().parent
    if isinstance(spec.code, CodeFolder):
        lock = base / spec.code.requirements if spec.code.requirements is not None else None
        spec = spec.model_copy(update={"code": pin_code(base / spec.code.path, lock, home)})
    if isinstance(spec.model, SavedOptions):
        spec = spec.model_copy(update={"model": pin_model(spec.model, base, home, str(path))})
    if isinstance(spec.data.source, PinnedSource):
        return spec
    source = pin(spec.data.source, base, home)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})


def pin_model(options: SavedOptions, base: Path, home: Path, file: str) -> SavedOptions:
    """The options with the saved model in the input store below `home`; `base` is the spec's folder, `file` for messages.

    Raises:
        SpecError: there is no such model. UnavailableError, UsageError: its source cannot be had.
    """
    source = options.source
    if isinstance(source, PinnedSource):
        return options
    try:
        names = list_folder(source, base)
        pinned = pin(source, base, home) if names is None else pin_folder(source, base, home, names)
        return options.model_copy(update={"source": pinned})
    except DataError as error:
        raise SpecError("model.source", str(error), file) from error
