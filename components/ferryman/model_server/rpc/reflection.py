"""gRPC server reflection in both versions: the real server links grpc++_reflection, which registers itself.

Source: `model_servers/BUILD:tensorflow_model_server_main_lib`; grpc/src/cpp/ext/proto_server_reflection.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ferryman.serving.protocol import schema

VERSIONS = ("v1", "v1alpha")
NOT_FOUND = 5
THREADS = 4
"""Reflection has its own: a stream that is left open would otherwise keep one from predicting."""


class Reflection:
    """Answers from the descriptors of `pools` that `services` exist, and what their messages are."""

    def __init__(self, services: Sequence[str], pools: Sequence[Any], version: str) -> None:
        def renamed(file: Any) -> None:
            file.package = file.package.replace(".v1", f".{version}")

        path = Path(__file__).with_name("reflection.proto")
        self._own = schema.load(path, changed=renamed)
        self.service = f"grpc.reflection.{version}.ServerReflection"
        self.services, self._pools = sorted(services), (*pools, self._own)

    def ServerReflectionInfo(self, requests: Iterable[bytes], context: Any) -> Iterator[Any]:
        """One answer a request, until the client ends the stream or sends what is none."""
        read = self._message("Request").FromString
        # Not as grpcio's deserializer: see `reading`.
        with suppress(DecodeError):
            for serialized in requests:
                yield self._answer(read(serialized))

    def handler(self, threads: ThreadPoolExecutor) -> grpc.GenericRpcHandler:
        """What lets a server answer the service, in `threads`."""

        def behavior(requests: Iterable[bytes], context: Any) -> Iterator[Any]:
            return self.ServerReflectionInfo(requests, context)

        behavior.experimental_thread_pool = threads  # type: ignore[attr-defined]
        method = grpc.stream_stream_rpc_method_handler(
            behavior, response_serializer=self._message("Response").SerializeToString
        )
        return grpc.method_handlers_generic_handler(self.service, {"ServerReflectionInfo": method})

    def _message(self, kind: str) -> Any:
        name = f"{self.service}{kind}"
        return GetMessageClass(self._own.FindMessageTypeByName(name))

    def _answer(self, request: Any) -> Any:
        response = self._message("Response")(valid_host=request.host, original_request=request)
        wanted = request.WhichOneof("message_request")
        if wanted == "list_services":
            for name in self.services:
                response.list_services_response.service.add(name=name)
        elif (files := self._files(wanted, request)) is not None:
            response.file_descriptor_response.file_descriptor_proto.extend(files)
        else:
            response.error_response.error_code = NOT_FOUND
            response.error_response.error_message = "Symbol not found."
        return response

    def _files(self, wanted: str | None, request: Any) -> list[bytes] | None:
        """The file asked for and all that it imports, serialised; None when there is none."""
        for pool in self._pools:
            with suppress(KeyError):
                return list(_with_imports(FINDERS[wanted or ""](pool, getattr(request, wanted or ""))).values())
        return None


def _with_imports(file: Any) -> dict[str, bytes]:
    found = {file.name: bytes(file.serialized_pb)}
    for imported in file.dependencies:
        found |= _with_imports(imported)
    return found


def _of_name(pool: Any, name: str) -> Any:
    return pool.FindFileByName(name)


def _of_symbol(pool: Any, symbol: str) -> Any:
    service, _, method = symbol.rpartition(".")
    try:
        return pool.FindFileContainingSymbol(symbol)
    except KeyError:
        # Of methods the pool says nothing (protobuf 6.33).
        found = pool.FindServiceByName(service)
        return found.methods_by_name[method].containing_service.file


FINDERS: dict[str, Callable[[Any, str], Any]] = {"file_by_filename": _of_name, "file_containing_symbol": _of_symbol}
"""Kind of a request -> the file in a pool that answers it; KeyError when it has none."""
