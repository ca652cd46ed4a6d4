"""What the steps of a run made, found by the digests on its record, wherever the run's folder lies now."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ferryman.artifacts.manifest import digest_of
from ferryman.artifacts.run_store import Run
from ferryman.errors import ArtifactError


def made(run: Run, kind: str) -> Path:
    """The folder of the artifact of `kind` that the run's record names.

    Raises:
        ArtifactError: no step of the run has made one, or it does not lie in the run's folder any more.
    """
    found = next((part for part in run.fragments() if part.state == "done" and kind in part.outputs), None)
    if found is None:
        raise ArtifactError(f"run {run.id} has made no {kind.replace('_', ' ')}: no step that makes one has ended well")
    for manifest in (run.folder / "artifacts").glob("*/*/*/manifest.json"):
        # Another attempt's may lie beside it.
        with contextlib.suppress(ArtifactError):
            if digest_of(manifest.parent) == found.outputs[kind]:
                return manifest.parent
    raise ArtifactError(
        f"run {run.id}: the {kind.replace('_', ' ')} that {found.step} made is not in {run.folder / 'artifacts'}: "
        "it was removed or altered, or the run's artifacts lie elsewhere"
    )
