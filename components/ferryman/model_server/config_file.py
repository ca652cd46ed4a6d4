"""A ModelServerConfig as the core's values, and the file that is applied again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.model_server.core import Config, Model, Policy, Refusal, Unlisted
from ferryman.model_server.servables import Servables
from ferryman.model_server.threads import Periodic

log = logging.getLogger("ferryman.model_server")


def config_of(message: Any) -> Config:
    """What a ModelServerConfig message lists."""
    kind = message.WhichOneof("config")
    if kind is None:
        return Unlisted.EMPTY
    if kind != "model_config_list":
        return Unlisted.CUSTOM
    return tuple(_model(entry) for entry in message.model_config_list.config)


def _model(entry: Any) -> Model:
    return Model(
        entry.name,
        entry.base_path,
        _policy(entry.model_version_policy),
        entry.model_platform,
        tuple(sorted(entry.version_labels.items())),
        entry.model_type,
        entry.HasField("logging_config"),
    )


def _policy(message: Any) -> Policy:
    chosen = message.WhichOneof("policy_choice")
    if chosen == "all":
        return Policy("all")
    if chosen == "specific":
        return Policy("specific", versions=tuple(sorted(set(message.specific.versions))))
    return Policy("latest", count=max(1, message.latest.num_versions))


class ConfigFile:
    """Applies a file every `seconds`, changed or not: what was reloaded by a call meanwhile is undone.

    `read` gives the file's config; ValueError or OSError when it cannot be read, and then the old one stays.
    Source: `server.cc:PollFilesystemAndReloadConfig`.
    """

    def __init__(self, servables: Servables, path: Path, read: Callable[[Path], Config], seconds: float) -> None:
        self._servables, self._path, self._read = servables, path, read
        self._periodic = Periodic("config file", seconds, self.poll) if seconds > 0 else None

    def start(self) -> None:
        """Begin with the first look at once; with 0 seconds or less never."""
        if self._periodic:
            self._periodic.start()

    def stop(self) -> None:
        """No further look begins."""
        if self._periodic:
            self._periodic.stop()

    def poll(self) -> None:
        """Look once; what goes wrong is said in the log alone."""
        try:
            config = self._read(self._path)
        except (OSError, ValueError) as error:
            log.error("Failed to read ModelServerConfig file: %s", " ".join(str(error).split()))
            return
        try:
            self._servables.reload(config)
        except Refusal as error:
            log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", error.text)
