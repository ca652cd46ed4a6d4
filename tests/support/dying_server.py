"""Stands for a model server that dies of the first model it is told to load.

In the call itself; with DIES_LATE set, only when it is asked how the load goes.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import grpc

from ferryman.serving.protocol import ReloadConfigResponse
from ferryman.serving.protocol.services import MODELS, handler


class Models:
    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:
        if "DIES_LATE" in os.environ:
            return ReloadConfigResponse()
        return die(request.config.model_config_list.config[0].name)

    def GetModelStatus(self, request: Any, context: Any) -> Any:
        return die(request.model_spec.name)


def die(name: str) -> None:
    print(f"cannot allocate {name}", flush=True)
    os._exit(134)


def main() -> None:
    flags = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:] if "=" in word)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((handler(MODELS, Models()),))
    server.add_insecure_port(f"127.0.0.1:{flags['port']}")
    server.start()
    threading.Thread(
        target=HTTPServer(("127.0.0.1", int(flags["rest_api_port"])), BaseHTTPRequestHandler).serve_forever, daemon=True
    ).start()
    server.wait_for_termination(60)


if __name__ == "__main__":
    main()
