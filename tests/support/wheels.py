"""Wheels made for the tests, in a folder that stands for the package index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

Files = dict[str, bytes]


@dataclass(frozen=True)
class Index:
    """A folder of wheels in which pip, which really runs, looks instead of the network."""

    folder: Path

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that point pip to it, and to nothing else."""
        # As a URI: pip splits this variable at spaces.
        return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.folder.as_uri(), "PIP_CONFIG_FILE": "/dev/null"}

    def publish(self, name: str, version: str, files: Files, tag: str = "py3-none-any") -> Path:
        """Put a wheel there."""
        self.folder.mkdir(exist_ok=True)
        wheel = self.folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in with_metadata(name, version, files, tag).items():
                archive.writestr(path, content)
        return wheel


def with_metadata(name: str, version: str, files: Files, tag: str = "py3-none-any") -> Files:
    """All files of a distribution."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    wheel = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    whole = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": wheel}
    return {**whole, f"{info}/RECORD": _record(whole, info)}


def locked(*wheels: Path, marker: str = "") -> str:
    """The lines of a lock for these wheels, as uv writes them."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version}{f' ; {marker}' if marker else ''} \\\n    --hash=sha256:{digest}\n")
    return "".join(lines)


def _record(files: Files, info: str) -> bytes:
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{info}/RECORD,,"]).encode()
