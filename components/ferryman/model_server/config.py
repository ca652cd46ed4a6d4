"""A ModelServerConfig, from the start-up file or a reload, to the models of the core.

Source: tensorflow_serving/model_servers/server_core.cc (2.21): GetPlatform, ReloadConfig, MaybeUpdateServerRequestLogger.
"""

from __future__ import annotations

from typing import Any

from ferryman.model_server.core import FAILED_PRECONDITION, INVALID_ARGUMENT, Model, Policy, Refusal
from ferryman.model_server.servables import Servables

TENSORFLOW = 1
"""Of the field model_type, which came before model_platform."""


def reload(servables: Servables, config: Any) -> None:
    """Replace what is served, and wait for models that are new.

    Raises:
        Refusal: with the real server's code and text; part of the config may then have been applied.
    """
    kind = config.WhichOneof("config")
    if kind is None and not servables.state.models:
        # A file of comments alone: nothing to do.
        return
    if kind != "model_config_list":
        text = (
            "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another."
        )
        raise Refusal(FAILED_PRECONDITION, text)
    servables.reload(models_of(config))
    check_logging(config)


def models_of(config: Any) -> tuple[Model, ...]:
    """The models of a ModelServerConfig. Refusal where a platform is given twice, or none that there is."""
    return tuple(
        Model(
            entry.name,
            entry.base_path,
            _policy(entry.model_version_policy),
            _platform(entry),
            tuple(sorted(entry.version_labels.items())),
        )
        for entry in config.model_config_list.config
    )


def check_logging(config: Any) -> None:
    """Refuse request logs, which the stock server cannot write: it finds out when all models are loaded.

    Source: tensorflow_serving/core/server_request_logger.cc, CreateUpdateRequestLocked.
    """
    if any(model.HasField("logging_config") for model in config.model_config_list.config):
        raise Refusal(INVALID_ARGUMENT, "No request-logger-creator provided.")


def _policy(wanted: Any) -> Policy:
    chosen = wanted.WhichOneof("policy_choice")
    if chosen == "all":
        return Policy("all")
    if chosen == "specific":
        return Policy("specific", versions=tuple(sorted(wanted.specific.versions)))
    return Policy("latest", count=max(1, wanted.latest.num_versions))


def _platform(entry: Any) -> str:
    if not entry.model_type:
        return str(entry.model_platform)
    if entry.model_platform:
        raise Refusal(
            INVALID_ARGUMENT,
            "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform, "
            f"model name is {entry.name}",
        )
    if entry.model_type != TENSORFLOW:
        text = f"ModelServerConfig::model_type choice {entry.model_type} not supported."
        raise Refusal(INVALID_ARGUMENT, text)
    return "tensorflow"
