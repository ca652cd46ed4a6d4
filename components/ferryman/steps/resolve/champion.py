"""What serves now: the champion that the candidate meets, and what the release will name as its precondition."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.resolved import Serving
from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.serving.record import FILE, parse_or_none, serving_now
from ferryman.storage.uri import local_path, scheme_of


def what_serves(group: str, model: str) -> Serving | None:
    """The stable version of `model` in the group's folder, whether a server runs or not; None before its first release.

    Raises:
        UnavailableError: the group's record is lost: a server may hold a version that nothing here knows of.
        UsageError: the group is not a local folder.
    """
    if scheme_of(group) not in ("", "file"):
        raise UsageError(f"group {group}: received scheme {scheme_of(group)!r}, expected a local folder or file://")
    folder = local_path(group)
    try:
        serving = serving_now(folder, model)
    except ArtifactError as error:
        raise UnavailableError(f"the record of the group {folder} is torn: {_advice()}") from error
    if serving is None and not (folder / FILE).exists() and _agents_remember(folder):
        raise UnavailableError(f"the record of the group {folder} is lost: {_advice()}")
    return serving


def _agents_remember(folder: Path) -> bool:
    """Whether an agent obeyed a record once: taking a lost record for an empty one would skip the champion."""
    return any(parse_or_none(copy) is not None for copy in folder.glob(f"agents/*/{FILE}"))


def _advice() -> str:
    return "start `ferryman serve`, which adopts it again from what its agents obeyed last, then run again"
