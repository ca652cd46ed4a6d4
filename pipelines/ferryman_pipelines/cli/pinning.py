"""From a spec file to a spec whose inputs are fixed: everything that a run depends on before its DAG starts."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.resolved import check_size
from ferryman.spec import Spec
from ferryman.spec.pinning import pin_spec
from ferryman_pipelines.cli.home import Home


def pinned_spec(path: Path, home: Home) -> Spec:
    """The spec at `path` with its source and its code copied into the input store and named by digest.

    Raises:
        SpecError: the spec is wrong. DataError, UnavailableError, UsageError: its source or its code cannot be had.
    """
    pinned = pin_spec(path, home.folder)
    check_size(pinned)
    return pinned
