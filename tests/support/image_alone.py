"""A pytest plugin (`-p image_alone`): nothing can be imported that the lock of the image $FERRYMAN_IMAGE does not name.

What the tests themselves need is left: pytest, its plugins and what they stand on.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Final

LOCKS: Final = Path(__file__).parents[2] / "components" / "locks"
OTHER_NAMES: Final = {"tensorflow-cpu": "tensorflow"}
TOOLS: Final = {"pytest", "pytest-xdist", "hypothesis"}
REFERENCES: Final = {"scikit-learn", "joblib", "threadpoolctl", "cloudpickle"}
"""What tests compare with; what these stand on (scipy) must be in the image."""


class Absent(MetaPathFinder):
    """Finds nothing of the packages that are absent, and says so."""

    def __init__(self, image: str) -> None:
        self.image, self.absent = image, absent_modules(image)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r} in the image {self.image}", name=name)


def absent_modules(image: str) -> set[str]:
    """The top-level modules of this environment that none of the image's packages brings."""
    text = (LOCKS / f"{image}.lock").read_text(encoding="utf-8")
    locked = {_plain(name) for name in re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)}
    there = {OTHER_NAMES.get(name, name) for name in locked} | _with_needs(TOOLS) | REFERENCES | {"ferryman"}
    found = metadata.packages_distributions()
    return {module for module, packages in found.items() if not there & set(map(_plain, packages))}


def _with_needs(names: set[str]) -> set[str]:
    found: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        needs = {_plain(re.split(r"[^A-Za-z0-9._-]", text)[0]) for text in requires if "extra ==" not in text}
        todo |= needs - found
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


sys.meta_path.insert(0, Absent(os.environ["FERRYMAN_IMAGE"]))
