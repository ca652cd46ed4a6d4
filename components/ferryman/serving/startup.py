"""The start-up file: what a server loads when it starts, and nothing that has not proven itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ferryman.errors import ArtifactError
from ferryman.serving.config import ModelConfig, render
from ferryman.serving.protocol import ModelServerConfig
from ferryman.storage.local import atomic_write

FILE = "models.config"
STABLE = "stable"


def model_config(group: Path, model: str, versions: frozenset[int], label: int | None) -> ModelConfig:
    """The part of one model in the list that a server of the group in `group` gets."""
    labels = {STABLE: label} if label is not None else {}
    return ModelConfig(model, str((group / "store" / model).resolve()), tuple(sorted(versions)), labels)


def write_startup(path: Path, group: Path, models: Mapping[str, int]) -> None:
    """Let a server that starts from `path` load one version a model, under the label `stable`."""
    configs = [model_config(group, model, frozenset({number}), number) for model, number in sorted(models.items())]
    atomic_write(path, render(configs).encode())


def read_startup(path: Path, group: Path) -> dict[str, int] | None:
    """Model -> the one version that a start-up file names; None when there is no file, or not one of this group.

    A group that was moved or copied has a file that names its old place: it is written anew.

    The server's own file is read, not a note of ours beside it: after a crash between two files they could differ.
    """
    try:
        return _parsed(path, group)
    except (FileNotFoundError, ArtifactError):
        return None


def _parsed(path: Path, group: Path) -> dict[str, int]:
    from google.protobuf import text_format

    config = ModelServerConfig()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: not a readable start-up file: {error}", str(path)) from error
    models = {}
    for entry in config.model_config_list.config:
        versions = list(entry.model_version_policy.specific.versions)
        if len(versions) != 1 or dict(entry.version_labels) != {STABLE: versions[0]}:
            raise ArtifactError(f"{path}: {entry.name} has versions {versions}, expected one, labelled {STABLE}")
        expected = model_config(group, entry.name, frozenset(versions), versions[0]).base_path
        if entry.base_path != expected:
            raise ArtifactError(f"{path}: {entry.name} lies in {entry.base_path}, expected {expected}", str(path))
        models[entry.name] = int(versions[0])
    return models
