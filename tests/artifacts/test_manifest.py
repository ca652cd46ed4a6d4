"""A torn or altered artifact never passes, and the error names the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ferryman.artifacts import manifest
from ferryman.errors import ArtifactError


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"\x00\x01")
    (folder / "deep" / "manifest.json").write_text("not ours")
    manifest.seal(folder, "model", "test")
    return folder


def test_a_sealed_artifact_verifies_and_its_digest_is_that_of_the_manifest(artifact: Path) -> None:
    verified = manifest.verify(artifact, "model")
    assert verified.digest == manifest.digest_of(artifact)
    assert set(verified.files) == {"a.bin", "deep/manifest.json"}
    assert verified.files["a.bin"].size == 2


def test_sealing_the_same_bytes_again_gives_the_same_digest(artifact: Path) -> None:
    before = manifest.digest_of(artifact)
    assert manifest.seal(artifact, "model", "test") == before


def test_a_flipped_byte_is_refused_by_name(artifact: Path) -> None:
    (artifact / "a.bin").write_bytes(b"\x00\x03")
    with pytest.raises(ArtifactError, match=r"a\.bin") as caught:
        manifest.verify(artifact, "model")
    assert caught.value.file == "a.bin"


def test_a_missing_and_an_added_file_are_refused_by_name(artifact: Path) -> None:
    (artifact / "new").write_text("x")
    with pytest.raises(ArtifactError, match="new is not in its manifest"):
        manifest.verify(artifact, "model")
    (artifact / "new").unlink()
    (artifact / "a.bin").unlink()
    with pytest.raises(ArtifactError, match=r"a\.bin is missing"):
        manifest.verify(artifact, "model")


def test_an_unfinished_artifact_has_no_manifest(artifact: Path) -> None:
    (artifact / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="never finished"):
        manifest.verify(artifact, "model")


def test_another_kind_is_refused(artifact: Path) -> None:
    with pytest.raises(ArtifactError, match="kind 'model', expected 'examples'"):
        manifest.verify(artifact, "examples")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "deep/../../outside"])
def test_a_manifest_cannot_lead_out_of_its_folder(artifact: Path, name: str) -> None:
    path = artifact / "manifest.json"
    document = json.loads(path.read_text())
    document["files"][name] = {"size": 0, "sha256": "0"}
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="leads out"):
        manifest.verify(artifact, "model")


def test_a_link_is_refused_when_sealing(artifact: Path) -> None:
    (artifact / "link").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactError, match="link is a link"):
        manifest.seal(artifact, "model", "test")


def test_a_pipe_is_refused_when_sealing(artifact: Path) -> None:
    os.mkfifo(artifact / "pipe")
    with pytest.raises(ArtifactError, match="pipe is no regular file"):
        manifest.seal(artifact, "model", "test")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"schema_version": 1}',
        b"\xff\xfe",
        b'{"schema_version":2,"kind":"model","producer":"","files":{}}',
    ],
)
def test_a_manifest_that_is_not_one_is_refused(artifact: Path, content: bytes) -> None:
    (artifact / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactError):
        manifest.verify(artifact, "model")
