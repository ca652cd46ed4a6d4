"""The bill of materials: what is installed, named by package URLs, the same for the same image."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ferryman_pipelines.images.sbom import Part, bill, debian_parts, python_part

NUMPY = Part("pkg:pypi/numpy@2.4.6", "numpy", "2.4.6", "BSD-3-Clause")
BASH = Part("pkg:deb/debian/bash@5.2.15-2?arch=amd64", "bash", "5.2.15-2")


def test_the_document_names_the_image_and_each_part_once_in_one_order() -> None:
    document = bill([NUMPY, BASH, NUMPY], "ferryman", "0.1.0")
    assert document == bill([BASH, NUMPY], "ferryman", "0.1.0")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"] == {"type": "container", "name": "ferryman", "version": "0.1.0"}
    assert [part["name"] for part in document["components"]] == ["bash", "numpy"]
    assert document["components"][1] == {
        "type": "library",
        "bom-ref": NUMPY.purl,
        "name": "numpy",
        "version": "2.4.6",
        "purl": NUMPY.purl,
        "licenses": [{"license": {"name": "BSD-3-Clause"}}],
    }
    assert "licenses" not in document["components"][0]


def test_a_python_package_is_named_as_its_index_does() -> None:
    part = python_part({"Name": "Ruamel_YAML", "Version": "0.18", "License": "MIT"})
    assert part == Part("pkg:pypi/ruamel-yaml@0.18", "Ruamel_YAML", "0.18", "MIT")
    both = {"Name": "x", "Version": "1+local", "License": "see file", "License-Expression": "MIT OR BSD"}
    assert python_part(both) == Part("pkg:pypi/x@1%2Blocal", "x", "1+local", "MIT OR BSD")


def test_a_license_that_is_a_whole_text_is_left_out() -> None:
    assert python_part({"Name": "x", "Version": "1", "License": "Permission is hereby\ngranted"}).license == ""


def test_debian_packages_are_named_with_architecture_release_and_source_and_only_what_is_installed() -> None:
    listing = "ii \tlibc6\t2.36-9+deb12u14\tamd64\tglibc\nrc \told\t1\tall\told\nii \tpasswd\t1:4.13+dfsg1~rc1\tamd64\tshadow\n"
    libc, passwd = debian_parts(listing, "debian-12")
    assert libc.purl == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc"
    assert passwd.purl.startswith("pkg:deb/debian/passwd@1%3A4.13%2Bdfsg1~rc1?")
    assert (passwd.name, passwd.version) == ("passwd", "1:4.13+dfsg1~rc1")


def test_the_command_writes_what_this_environment_holds(tmp_path: Path) -> None:
    file = tmp_path / "sbom.cdx.json"
    subprocess.run([sys.executable, "-m", "ferryman_pipelines.images.sbom", file], check=True)
    parts = {part["purl"] for part in json.loads(file.read_text(encoding="utf-8"))["components"]}
    assert f"pkg:pypi/pydantic@{metadata.version('pydantic')}" in parts
    assert any(purl.startswith("pkg:deb/debian/base-files@") for purl in parts)
