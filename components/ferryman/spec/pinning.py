"""From a spec file to a spec whose inputs are fixed: its sources and its code lie in the input store, named by digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ferryman.data.options import PinnedSource
from ferryman.errors import DataError, SpecError
from ferryman.models import SavedOptions
from ferryman.spec.blocks import CodeFolder
from ferryman.spec.reading import load_spec
from ferryman.spec.spec import Spec
from ferryman.storage.code import PinnedCode, packed, pin_code
from ferryman.storage.inputs import list_folder, local_digest, pin, pin_folder


def pin_spec(path: Path, home: Path) -> Spec:
    """The spec at `path` with its sources and its code copied into the input store below `home`.

    Raises:
        SpecError: the spec is wrong. DataError, UnavailableError, UsageError: a source or its code cannot be had.
    """
    spec, base = load_spec(path), path.resolve().parent
    if isinstance(spec.code, CodeFolder):
        spec = spec.model_copy(update={"code": pin_package(spec.code, base, home)})
    if isinstance(spec.model, SavedOptions):
        spec = spec.model_copy(update={"model": pin_model(spec.model, base, home, str(path))})
    if isinstance(spec.data.source, PinnedSource):
        return spec
    source = pin(spec.data.source, base, home)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})


def pin_package(code: CodeFolder, base: Path, home: Path) -> PinnedCode:
    """The user's package packed into the input store below `home`; `base` is the spec's folder. Errors as `pin_code`."""
    return pin_code(*_places(code, base), home)


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


def named_by_digest(path: Path, known: Spec) -> Spec:
    """The spec at `path` with its sources and its code named by their digests, as `pin_spec` would; nothing is copied.

    A source that does not lie on this machine is not fetched: of one that `known` names too, the digest is known.

    Raises:
        SpecError: the spec is wrong. DataError, UsageError: a source or its code cannot be had.
    """
    spec, base = load_spec(path), path.resolve().parent
    if isinstance(spec.code, CodeFolder):
        digest = hashlib.sha256(packed(*_places(spec.code, base))).hexdigest()
        spec = spec.model_copy(update={"code": PinnedCode(package=spec.code.package, uri="", sha256=digest)})
    if isinstance(spec.model, SavedOptions):
        before = known.model.source if isinstance(known.model, SavedOptions) else None
        model = spec.model.model_copy(update={"source": _named(spec.model.source, before, base)})
        spec = spec.model_copy(update={"model": model})
    source = _named(spec.data.source, known.data.source, base)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})


def _named(source: str | PinnedSource, known: str | PinnedSource | None, base: Path) -> str | PinnedSource:
    if isinstance(source, PinnedSource):
        return source
    digest = local_digest(source, base)
    if digest is not None:
        return PinnedSource(name=source, uri="", sha256=digest)
    return known if isinstance(known, PinnedSource) and source == known.name else source


def _places(code: CodeFolder, base: Path) -> tuple[Path, Path | None]:
    """Where the package and its lock file lie."""
    return base / code.path, base / code.requirements if code.requirements is not None else None
