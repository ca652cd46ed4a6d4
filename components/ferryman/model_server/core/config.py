"""What a config lists, and what of it is refused before anything changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

from ferryman.model_server.core.codes import FAILED_PRECONDITION, INVALID_ARGUMENT, Refusal

TENSORFLOW = "tensorflow"

MODEL_TYPE_TENSORFLOW = 1

URI = re.compile(r"[A-Za-z][A-Za-z0-9.]+://")
"""Source: TensorFlow, `path.cc:ParseURI`."""


@dataclass(frozen=True)
class Policy:
    """Which of the versions in a base path are aspired; which folders that are, `discovery` finds out."""

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: tuple[int, ...] = ()


class Model(NamedTuple):
    """One model of the server's config."""

    name: str
    base_path: str
    policy: Policy = Policy()
    platform: str = TENSORFLOW
    labels: tuple[tuple[str, int], ...] = ()
    model_type: int = 0
    """What came before the platform: 0 unset, 1 TensorFlow."""

    logged: bool = False
    """Whether it asks for request logging, which no server without a logger of its own can do."""


class Unlisted(Enum):
    """A config that is no list of models."""

    EMPTY = "empty"
    CUSTOM = "custom"


Config = tuple[Model, ...] | Unlisted


def platform_of(model: Model) -> str:
    """The platform that a model asks for. Source: `server_core.cc:GetPlatform`."""
    if model.model_type and model.platform:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
            f"model name is {model.name}"
        )
    if model.model_type not in (0, MODEL_TYPE_TENSORFLOW):
        raise _invalid(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    platform = TENSORFLOW if model.model_type else model.platform
    if not platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, "
            f"model name is {model.name}"
        )
    return platform


def check_list(models: tuple[Model, ...]) -> None:
    """Refuse a name twice, or a relative path. Source: `server_core.cc:ValidateModelConfigList`."""
    seen: set[str] = set()
    for model in models:
        if model.name in seen:
            raise _invalid(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    for model in models:
        if not (model.base_path.startswith("/") or URI.match(model.base_path)):
            raise _invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )


def check_platforms(before: tuple[Model, ...], models: tuple[Model, ...]) -> None:
    """Refuse another platform for a model that is known.

    `before` is the config kept last, even of a call that failed: one that named no platform refuses all that come after.
    Source: `server_core.cc:ValidateNoModelsChangePlatforms`.
    """
    platforms = {model.name: platform_of(model) for model in before}
    for model in models:
        if model.name not in platforms:
            continue
        old, new = platforms[model.name], platform_of(model)
        if old != new:
            raise _invalid(
                f"Illegal to change a model's platform. For model {model.name} platform was {old} "
                f"and new platform requested is {new}"
            )


def check_routes(models: tuple[Model, ...]) -> None:
    """Refuse a platform that nothing here loads. Source: `server_core.cc:CreateStoragePathRoutes`."""
    for model in models:
        platform = platform_of(model)
        if platform != TENSORFLOW:
            raise _invalid(f"Model {model.name} requests unsupported platform {platform}")


def check_logging(models: tuple[Model, ...]) -> None:
    """Refuse request logging, after all else was done. Source: `server_request_logger.cc:CreateUpdateRequestLocked`."""
    if any(model.logged for model in models):
        raise _invalid("No request-logger-creator provided.")


def check_transition(before: tuple[Model, ...] | None, config: Config) -> None:
    """Refuse to go from a list of models to anything else. Source: `server_core.cc:ReloadConfig`."""
    if before is not None and isinstance(config, Unlisted):
        raise Refusal(
            FAILED_PRECONDITION,
            "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another.",
        )
    if config is Unlisted.CUSTOM:
        # The real server ends itself here (`server.cc:LoadCustomModelConfig`).
        raise _invalid("ModelServer does not yet support custom model config.")


def _invalid(text: str) -> Refusal:
    return Refusal(INVALID_ARGUMENT, text)
