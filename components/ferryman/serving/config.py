"""`models.config`: which models and versions a server holds and where its labels point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ferryman.serving.protocol import ModelServerConfig, ReloadConfigRequest


@dataclass(frozen=True)
class ModelConfig:
    """One model at a server: its folder of versions, the versions wanted, and label -> version."""

    name: str
    base_path: str
    versions: tuple[int, ...]
    labels: dict[str, int] = field(default_factory=dict)


def to_proto(configs: Iterable[ModelConfig]) -> Any:
    """The ModelServerConfig of the models; a reload with it replaces the server's whole list."""
    config = ModelServerConfig()
    config.model_config_list.SetInParent()
    for model in configs:
        entry = config.model_config_list.config.add(
            name=model.name, base_path=model.base_path, model_platform="tensorflow"
        )
        # Always `specific`: with `latest` a half-copied folder would load as soon as it is there.
        entry.model_version_policy.specific.versions.extend(sorted(model.versions))
        for label, version in sorted(model.labels.items()):
            entry.version_labels[label] = version
    return config


def reload_request(configs: Iterable[ModelConfig]) -> Any:
    """The ReloadConfigRequest that makes a server hold exactly `configs`."""
    return ReloadConfigRequest(config=to_proto(configs))


def render(configs: Iterable[ModelConfig]) -> str:
    """The text of a start-up file; protobuf's own printer escapes names and paths."""
    from google.protobuf import text_format

    return str(text_format.MessageToString(to_proto(configs), as_utf8=True))
