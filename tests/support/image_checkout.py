"""A checkout of ferryman whose images take seconds: the real code, linked, beside a small Dockerfile and small wheels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from newcomer import User
from wheels import Index, locked

ROOT = Path(__file__).resolve().parents[2]

IMAGES = ("control", "prepare", "train", "evaluate", "convert", "serve")

BASE = "localhost/python-base:3.11"
"""The base image of .ci/containers."""

STAGE = """
FROM ${{BASE_IMAGE}} AS {name}
ARG VERSION
ARG SERVING_IMAGE=none
LABEL org.opencontainers.image.version=${{VERSION}} server=${{SERVING_IMAGE}}
ENV PYTHONPATH=/opt/site
RUN --mount=type=bind,source=wheels,target=/wheels --mount=type=bind,source=requirements,target=/requirements \\
    --mount=type=bind,source=app,target=/app \\
    for wheel in /wheels/shared-*.whl /wheels/for_{name}-*.whl /requirements/*.whl /app/*.whl; do \\
    [ ! -e $wheel ] || python3 -m zipfile -e $wheel /opt/site; done
"""

BUDGETS = f"budgets: 1\nmegabytes: {{{', '.join(f'{name}: 500' for name in IMAGES)}}}\ntogether: 900\n"

BACKEND = """
import shutil
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "ferryman-0.1.0-py3-none-any.whl"
    shutil.copy(Path("built") / name, folder)
    return name
"""


@dataclass(frozen=True)
class Checkout:
    """The checkout, the index that its locks name, and somebody who works in a folder beside both."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.folder / "ferryman"

    @property
    def index(self) -> Index:
        return Index(self.folder / "index")

    @property
    def dockerfile(self) -> Path:
        return self.root / "components" / "Dockerfile"

    def lock(self, name: str) -> Path:
        return self.root / "components" / "locks" / f"{name}.lock"

    def make(self) -> Checkout:
        """Each image holds `shared` 1.0 and a package of its own name; ours holds the module `ours`."""
        for part in ("components/ferryman", "pipelines/ferryman_pipelines"):
            link = self.root / part
            link.parent.mkdir(parents=True)
            link.symlink_to(ROOT / part)
        (self.root / "components" / "locks").mkdir()
        self.dockerfile.write_text(f"ARG BASE_IMAGE={BASE}\n" + "".join(STAGE.format(name=name) for name in IMAGES))
        shared = self.index.publish("shared", "1.0", {"shared.py": b"SAID = 'shared'\n"})
        for name in IMAGES:
            own = self.index.publish(f"for_{name}", "1.0", {f"for_{name}.py": b""})
            self.lock(name).write_text(locked(shared, own))
        (self.root / "components" / "images.budgets.yaml").write_text(BUDGETS)
        self._make_buildable()
        (self.folder / "work").mkdir()
        return self

    def user(self, **settings: str) -> User:
        path = ":".join(str(self.root / part) for part in ("components", "pipelines"))
        return User(
            self.folder / "work", settings={"PYTHONPATH": path, **self.index.settings, **self.settings, **settings}
        )

    def _make_buildable(self) -> None:
        (self.root / "pyproject.toml").write_text(
            '[project]\nname = "ferryman"\nversion = "0.1.0"\n\n[build-system]\nrequires = []\n'
            'build-backend = "backend"\nbackend-path = ["."]\n'
        )
        (self.root / "backend.py").write_text(BACKEND)
        Index(self.root / "built").publish("ferryman", "0.1.0", {"ours.py": b"SAID = 'ours'\n"})
