"""From a spec file to a spec whose inputs are fixed: everything that a run depends on before its DAG starts."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.resolved import check_size
from ferryman.data.options import PinnedSource
from ferryman.spec import Spec, load_spec
from ferryman.storage.inputs import pin
from ferryman_pipelines.cli.home import Home


def pinned_spec(path: Path, home: Home) -> Spec:
    """The spec at `path` with its source copied into the input store and named by digest.

    Raises:
        SpecError: the spec is wrong. DataError, UnavailableError, UsageError: its source cannot be had.
    """
    spec = load_spec(path)
    if isinstance(spec.data.source, PinnedSource):
        pinned = spec
    else:
        source = pin(spec.data.source, path.resolve().parent, home.folder)
        pinned = spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})
    check_size(pinned)
    return pinned
