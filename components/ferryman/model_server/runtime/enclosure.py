"""What a version folder may hold: files of its own. A model comes from others; nothing of it may name our other files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal


def check_links(folder: Path) -> None:
    """Refuse a version folder with a link that leaves it, or with a pipe, a socket or a device.

    The folder itself may be a link, and links may point to places inside (Kubernetes mounts have `..data` that way).

    Raises:
        Refusal: names the entry.
    """
    root = os.path.realpath(folder)
    for path in _entries(root):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            _check_link(folder, root, path)
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # Opening a pipe would wait for ever.
            raise Refusal(INVALID_ARGUMENT, f"{_shown(folder, root, path)} is no regular file")


def check_assets(folder: Path, names: Iterable[str]) -> None:
    """Refuse names of asset files, as a graph gives them, that lead out of the version's assets.

    Raises:
        Refusal: names the asset.
    """
    root = os.path.realpath(folder)
    for name in names:
        # C++ joins the two as text: "/x" stays below assets, where ours would start at the root.
        path = f"{root}/assets/{name.lstrip('/')}"
        if "\0" in name or ".." in name.split("/") or not _within(root, path):
            raise Refusal(
                INVALID_ARGUMENT, f"Asset file name {name!r} leads out of the assets of the SavedModel in {folder}"
            )


def _entries(root: str) -> Iterator[str]:
    for parent, folders, files in os.walk(root):
        yield from (os.path.join(parent, name) for name in (*folders, *files))


def _check_link(folder: Path, root: str, path: str) -> None:
    if not _within(root, path):
        raise Refusal(
            INVALID_ARGUMENT,
            f"{_shown(folder, root, path)} is a link that leaves the version folder; expected a file of the model's own",
        )


def _within(root: str, path: str) -> bool:
    return os.path.realpath(path).startswith(root.rstrip("/") + "/")


def _shown(folder: Path, root: str, path: str) -> Path:
    return folder / os.path.relpath(path, root)
