"""Docker's engine and the images that were built last; without them these tests fail, they are never skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import FILE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def lock() -> Path:
    """The lock that names the images: the checkout's, or that of FERRYMAN_TEST_LOCK."""
    ask("version", "--format", "{{.Server.Version}}")
    return Path(os.environ.get("FERRYMAN_TEST_LOCK", ROOT / FILE))
