"""A process as in an image that has the packages of the extra `control` and no others, whatever is installed here.

`python control_only.py MODULE ARGUMENT...` runs a module in it, as `python -m` would.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = frozenset(
    {
        *("ferryman", "numpy", "ruamel", "_ruamel_yaml", "grpc", "cygrpc"),
        *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
        *sys.stdlib_module_names,
    }
)
"""Names that may be imported: of the extra's packages, and of what those depend on."""

OF_GOOGLE = ("google.protobuf.", "google._upb.")
"""Protobuf's part of a name that several packages share."""


def allowed(name: str) -> bool:
    # The build of Python itself has a module named after the machine.
    ours = name.partition(".")[0] in PACKAGES or name.startswith("_sysconfigdata_")
    return ours or name == "google" or f"{name}.".startswith(OF_GOOGLE)


class Filtered(MetaPathFinder):
    """Finds what `finder` finds, as far as it may be there."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return self._finder.find_spec(name, path, target) if allowed(name) else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def block() -> None:
    """From now on nothing else can be imported."""
    sys.meta_path[:] = map(Filtered, sys.meta_path)


if __name__ == "__main__":
    block()
    sys.path.pop(0)
    sys.argv.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
