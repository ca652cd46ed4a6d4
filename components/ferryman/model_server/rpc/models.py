"""tensorflow.serving.ModelService: GetModelStatus and HandleReloadConfigRequest."""

from __future__ import annotations

import logging
from typing import Any

from ferryman.model_server.config_file import config_of
from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.metrics import counted
from ferryman.model_server.rpc.errors import answered
from ferryman.model_server.servables import Servables
from ferryman.model_server.version_status import version_status
from ferryman.serving.protocol import ReloadConfigResponse

log = logging.getLogger("ferryman.model_server")


class ModelService:
    """Source: `model_servers/get_model_status_impl.cc`, `model_servers/model_service_impl.cc`."""

    def __init__(self, servables: Servables) -> None:
        self._servables = servables

    @answered
    def GetModelStatus(self, request: Any) -> Any:
        """The label of a request is ignored."""
        if not request.HasField("model_spec"):
            raise Refusal(INVALID_ARGUMENT, "Missing ModelSpec")
        number = request.model_spec.version.value if request.model_spec.HasField("version") else None
        return version_status(self._servables.state, request.model_spec.name, number)

    @answered
    def HandleReloadConfigRequest(self, request: Any) -> Any:
        """OK mirrored in the response, with the increases that were asked for; gRPC sends no response with an error."""
        before = {name: counted(name) for name in request.metric_names}
        try:
            self._reload(request.config)
        except Refusal as error:
            log.error("ReloadConfig failed: %s", error.text)
            raise
        response = ReloadConfigResponse()
        response.status.SetInParent()
        for name, count in before.items():
            response.metric.add(name=name, int64_value_increase=counted(name) - count)
        return response

    def _reload(self, config: Any) -> None:
        if config.WhichOneof("config") != "model_config_list":
            raise Refusal(
                INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        for entry in config.model_config_list.config:
            log.info("Config entry: name %s, path %s, platform %s", entry.name, entry.base_path, entry.model_platform)
        self._servables.reload(config_of(config))
