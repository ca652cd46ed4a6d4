"""From a spec file to a spec whose inputs are fixed: everything that a run depends on before its DAG starts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ferryman.artifacts.resolved import check_size
from ferryman.errors import SpecError
from ferryman.models import SavedOptions
from ferryman.spec import Spec, load_spec
from ferryman.spec.pinning import pin_spec
from ferryman.spec.previewing import preview
from ferryman_pipelines.cli.home import Home
from ferryman_pipelines.cli.options import spec_file


def pinned_spec(path: Path, home: Home) -> Spec:
    """The spec at `path` with its sources and its code copied into the input store and named by digest.

    What is quickly known to be wrong is refused here: columns and classes that are not there, a saved model that cannot
    be adopted.

    Raises:
        SpecError: the spec is wrong. DataError, UnavailableError, UsageError: a source or its code cannot be had.
    """
    preview(load_spec(spec_file(path)), path.resolve().parent)
    pinned = pin_spec(path, home.folder)
    check_size(pinned)
    if isinstance(pinned.model, SavedOptions):
        _look_at(pinned, pinned.model, str(path))
    return pinned


def _look_at(spec: Spec, model: SavedOptions, file: str) -> None:
    from ferryman.steps.train.adopt import look_at

    with TemporaryDirectory(prefix="ferryman-") as work:
        try:
            look_at(spec, model, Path(work))
        except SpecError as error:
            raise SpecError(error.path, error.message, file) from error
