"""What serves now: the champion that the candidate meets, and what the release will name as its precondition."""

from __future__ import annotations

from ferryman.artifacts.resolved import Serving
from ferryman.errors import UsageError
from ferryman.serving.record import serving_now
from ferryman.storage.uri import local_path, scheme_of


def what_serves(group: str, model: str) -> Serving | None:
    """The stable version of `model` in the group's folder, whether a server runs or not; None before its first release.

    Raises:
        UnavailableError: the group's record is lost: a server may hold a version that nothing here knows of.
        UsageError: the group is not a local folder.
    """
    if scheme_of(group) not in ("", "file"):
        raise UsageError(f"group {group}: received scheme {scheme_of(group)!r}, expected a local folder or file://")
    return serving_now(local_path(group), model)
