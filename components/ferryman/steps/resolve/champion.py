"""What serves now: the champion that the candidate meets, read from the group's record."""

from __future__ import annotations

from pathlib import Path

from ferryman.artifacts.resolved import Serving


def what_serves(group: str, model: str) -> Serving | None:
    """The stable version of `model` in the group's folder; None before the first release."""
    if not (Path(group) / "record.json").exists():
        return None
    raise NotImplementedError
