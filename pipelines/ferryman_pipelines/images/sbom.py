"""The bill of materials of an image, CycloneDX 1.6 in JSON: what is installed in it, from Python's and Debian's records.

    python -m ferryman_pipelines.images.sbom FILE

It runs while an image is built, as its last step, and so needs nothing but the standard library.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

FILE: Final = "/usr/share/ferryman/sbom.cdx.json"
"""Where every image keeps it."""

FIELDS: Final = ("db:Status-Abbrev", "Package", "Version", "Architecture", "source:Package")
"""What is asked of dpkg-query, in this order."""

SERVER: Final = "tensorflow_model_server"


@dataclass(frozen=True, order=True)
class Part:
    """One installed thing, named by its package URL."""

    purl: str
    name: str
    version: str
    license: str = ""
    """SPDX expression, or whatever the package says; empty when it says nothing."""


def bill(parts: Iterable[Part], name: str, version: str) -> dict[str, Any]:
    """The CycloneDX document of an image; the same parts give the same document, in whatever order they come.

    Source: CycloneDX 1.6, JSON reference (ECMA-424).
    """
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name, "version": version}},
        "components": [_component(part) for part in sorted(set(parts))],
    }


def python_part(fields: Mapping[str, str]) -> Part:
    """A part from a distribution's `Name`, `Version`, and `License-Expression` or `License`."""
    name, version = re.sub(r"[-_.]+", "-", fields["Name"]).lower(), fields["Version"]
    said = fields.get("License-Expression") or fields.get("License") or ""
    # Some put the whole text of their license there.
    license_ = said if len(said) <= 100 and "\n" not in said else ""
    return Part(f"pkg:pypi/{quote(name)}@{quote(version)}", fields["Name"], version, license_)


def debian_parts(listing: str, release: str) -> list[Part]:
    """The installed packages of a dpkg-query listing of FIELDS, parted by tabs; `release` is e.g. `debian-12`."""
    parts = []
    for line in listing.splitlines():
        status, name, version, architecture, source = line.split("\t")
        if status.strip() == "ii":
            qualifiers = urlencode({"arch": architecture, "distro": release, "upstream": source})
            # Debian's versions hold `:`, `+` and `~`, which a purl encodes but for the last.
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='~')}?{qualifiers}"
            parts.append(Part(purl, name, version))
    return parts


def _component(part: Part) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
    }
    if part.license:
        component["licenses"] = [{"license": {"name": part.license}}]
    return component


def installed() -> list[Part]:
    """What this very environment holds: Python, its packages, Debian's, and TensorFlow's server where it was put in."""
    parts = [Part(f"pkg:generic/python@{platform.python_version()}", "python", platform.python_version())]
    for distribution in metadata.distributions():
        fields = distribution.metadata
        parts.append(python_part({key: str(fields[key]) for key in fields}))
    return parts + _debian() + _server()


def _debian() -> list[Part]:
    if not shutil.which("dpkg-query"):
        return []
    form = "\\t".join(f"${{{field}}}" for field in FIELDS) + "\\n"
    listing = subprocess.run(["dpkg-query", "-W", f"-f={form}"], capture_output=True, text=True, check=True).stdout
    system = platform.freedesktop_os_release()
    return debian_parts(listing, f"{system['ID']}-{system.get('VERSION_ID', 'unknown')}")


def _server() -> list[Part]:
    if not shutil.which(SERVER):
        return []
    said = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout
    version = (said.split() or ["unknown"])[-1]
    return [Part(f"pkg:generic/{SERVER}@{quote(version)}", SERVER, version)]


def main() -> None:
    """Write the bill to the file that the command line names."""
    document = bill(installed(), "ferryman", metadata.version("ferryman"))
    Path(sys.argv[1]).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
