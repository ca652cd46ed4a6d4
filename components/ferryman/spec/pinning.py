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
    if isinstance(spec.model, SavedOptions) and not isinstance(spec.model.source, PinnedSource):
        model = spec.model.model_copy(update={"source": _pin_model(spec.model.source, base, home, str(path))})
        spec = spec.model_copy(update={"model": model})
    if isinstance(spec.data.source, PinnedSource):
        return spec
    source = pin(spec.data.source, base, home)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})


def _pin_model(source: str, base: Path, home: Path, file: str) -> PinnedSource:
    try:
        names = list_folder(source, base)
        return pin(source, base, home) if names is None else pin_folder(source, base, home, names)
    except DataError as error:
        raise SpecError("model.source", str(error), file) from error
