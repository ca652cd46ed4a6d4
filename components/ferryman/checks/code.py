"""A package of the user's own: whether it can be packed and found; its classes are tried by the training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ferryman.checks.finding import Finding
from ferryman.checks.ground import Ground, given
from ferryman.spec.blocks import CodeFolder
from ferryman.spec.pinning import pin_package
from ferryman.storage.code import pinned_code


def check_code(ground: Ground) -> Iterator[Finding]:
    """Pack the package as a run does, and make it importable from that copy until the checks end."""
    spec, base = given(ground.spec), Path(ground.request.spec).resolve().parent
    code = spec.code
    if isinstance(code, CodeFolder):
        code = pin_package(code, base, ground.work / "home")
    if code is None:
        ground.headline = "none: every kind is a built-in one"
    else:
        ground.exits.enter_context(pinned_code(code, ground.work / "code"))
        ground.headline = f"the package {code.package}"
    ground.spec, ground.code = spec.model_copy(update={"code": code}), True
    yield from ()
