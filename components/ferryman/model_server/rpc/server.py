"""The gRPC server: its services, addresses, credentials and threads."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import grpc

from ferryman.model_server.rpc import health
from ferryman.model_server.rpc.models import ModelService
from ferryman.model_server.rpc.prediction import PredictionService
from ferryman.model_server.rpc.reflection import THREADS, VERSIONS, Reflection
from ferryman.model_server.rpc.workers import Threads
from ferryman.model_server.servables import Servables
from ferryman.serving.protocol import POOL
from ferryman.serving.protocol.services import MODELS, PREDICTION, handler

LARGEST_MESSAGE = 2**31 - 1
"""Bytes (`server.cc:BuildAndStart`, SetMaxMessageSize)."""


@dataclass(frozen=True)
class Options:
    """What the server's flags say of gRPC; the defaults are tensorflow_model_server's."""

    ssl: Any = None
    """The SSLConfig of --ssl_config_file; None without TLS."""

    channel_arguments: str = ""
    """--grpc_channel_arguments: `key=value`, separated by commas."""

    health: bool = False
    """--enable_grpc_healthcheck_service."""

    as_content: bool = False
    """--enable_serialization_as_tensor_content."""


DEFAULTS = Options()


def serve_grpc(
    servables: Servables, addresses: Sequence[str], threads: int, options: Options = DEFAULTS
) -> grpc.Server:
    """A started server at `addresses` (`host:port` or `unix:PATH`); its `stop(grace)` lets running calls end.

    Raises:
        ValueError: channel arguments or certificates that cannot be used.
        RuntimeError: an address that cannot be bound.
    """
    credentials = credentials_of(options.ssl)
    server = grpc.server(Threads(threads, "grpc"), options=channel_arguments(options.channel_arguments))
    server.add_generic_rpc_handlers(_handlers(servables, options))
    for address in addresses:
        _bind(server, address, credentials)
    server.start()
    return server


def _handlers(servables: Servables, options: Options) -> list[grpc.GenericRpcHandler]:
    prediction = PredictionService(servables, as_content=options.as_content)
    handlers = [handler(PREDICTION, prediction, raw=("Predict",)), handler(MODELS, ModelService(servables))]
    services, pools = [PREDICTION, MODELS], [POOL]
    if options.health:
        handlers.append(health.handler())
        services.append(health.SERVICE)
        pools.append(health.POOL)
    services += [f"grpc.reflection.{version}.ServerReflection" for version in VERSIONS]
    pool = Threads(THREADS, "reflection")
    handlers += [Reflection(services, pools, version).handler(pool) for version in VERSIONS]
    return handlers


def credentials_of(ssl: Any) -> grpc.ServerCredentials | None:
    """What an SSLConfig asks for; None without. ValueError when key and certificate are not both there.

    Source: `server.cc:BuildServerCredentials`.
    """
    if ssl is None:
        return None
    if not ssl.server_key or not ssl.server_cert:
        raise ValueError("--ssl_config_file: received no server_key or no server_cert, expected both as PEM text")
    if ssl.client_verify and not ssl.custom_ca:
        raise ValueError("--ssl_config_file: received client_verify without custom_ca, expected the clients' CA as PEM")
    return grpc.ssl_server_credentials(
        [(ssl.server_key.encode(), ssl.server_cert.encode())],
        root_certificates=ssl.custom_ca.encode() or None,
        require_client_auth=ssl.client_verify,
    )


def channel_arguments(text: str) -> list[tuple[str, int | str]]:
    """gRPC's options: ours, then those of the flag, whose whole numbers are numbers; ValueError without a `=`.

    Source: `server.cc:parseGrpcChannelArgs`, which crashes there.
    """
    arguments: dict[str, int | str] = {
        # Otherwise a taken port is shared without a word.
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": LARGEST_MESSAGE,
        "grpc.max_send_message_length": -1,
    }
    for word in text.split(",") if text else ():
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"--grpc_channel_arguments: received {word!r}, expected key=value")
        arguments[key] = _number(value.partition("=")[0])
    return list(arguments.items())


def _number(text: str) -> int | str:
    try:
        number = int(text)
    except ValueError:
        return text
    return number if -(2**31) <= number < 2**31 else text


def _bind(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    add = functools.partial(server.add_secure_port, server_credentials=credentials) if credentials else None
    with _socket_file(address.removeprefix("unix:")) if address.startswith("unix:") else nullcontext():
        try:
            bound = (add or server.add_insecure_port)(address)
        except RuntimeError as error:
            raise RuntimeError(f"Failed to bind to address {address}") from error
    if not bound:
        raise RuntimeError(f"Failed to bind to address {address}")


@contextmanager
def _socket_file(path: str) -> Iterator[None]:
    """While a socket is bound to `path`: for its user and group alone, because whoever connects may replace the config.

    gRPC removes a socket that is there already (grpc/src/core/lib/iomgr/unix_sockets_posix.cc), which is right only when
    nobody listens at it any more: RuntimeError then.
    """
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(path)
        raise RuntimeError(f"{path} is the socket of a server that runs, expected a path of our own")
    # The mask is the process's: a folder that another thread makes meanwhile must stay one that can be entered.
    mask = os.umask(0o017)
    try:
        yield
    finally:
        os.umask(mask)
    os.chmod(path, 0o660)
