"""Whether what a cluster's target names can be reached: by its steps, and from this machine."""

from __future__ import annotations

from pathlib import Path

from ferryman.errors import SpecError, UsageError
from ferryman.spec.cluster import ClusterTarget, volume_of
from ferryman.storage.uri import scheme_of


def check_places(target: ClusterTarget, name: str) -> None:
    """Refuse the target `name` where a file for it could not run, or its inputs would be put nowhere.

    Steps of this version read inputs of `gs://`; runs and groups they keep in folders.

    Raises:
        SpecError: its steps could not keep their runs or release. UsageError: its input store is not mounted here.
    """
    for field, uri in (("run_root", target.run_root), ("group", target.group)):
        if not _is_folder(uri):
            raise SpecError(
                f"{name}.{field}",
                f"received {uri}, expected a path in one of the target's volumes: the steps of this version keep runs "
                "and groups in folders alone, so each run would fail at its first step",
            )
    volume = volume_of(target.inputs, target.volumes) if _is_folder(target.inputs) else None
    if volume and not Path(volume.path).is_dir():
        raise UsageError(
            f"the input store {target.inputs} lies in the volume {volume.claim}, which is not mounted here at "
            f"{volume.path}; mount it, or let the target's `inputs` be gs://BUCKET/PREFIX"
        )


def _is_folder(uri: str) -> bool:
    return scheme_of(uri) in ("", "file")
