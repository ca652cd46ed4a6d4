"""A start from flags to open ports, and the end after a signal.

The order is the real server's (`model_servers/server.cc`, 2.21, Server::BuildAndStart): the models load before a port
opens, and what is wrong with certificates or metrics is found after that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferryman.model_server import settings
from ferryman.model_server.config_file import ConfigFile, config_of
from ferryman.model_server.core import INVALID_ARGUMENT, Config, Refusal, Unlisted, name_of
from ferryman.model_server.ending import FAILED, Ending
from ferryman.model_server.flags import Flags
from ferryman.model_server.folders import Folders
from ferryman.model_server.garbage import Garbage
from ferryman.model_server.heap import few_arenas
from ferryman.model_server.logs import log
from ferryman.model_server.metrics import prometheus_text
from ferryman.model_server.runtime.servable import Checks
from ferryman.model_server.servables import Servables, Settings
from ferryman.model_server.text_files import read
from ferryman.serving.protocol import ModelServerConfig


def serve(flags: Flags) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    few_arenas()
    Garbage().start()
    folders = Folders()
    try:
        settings.check(flags)
        config = config_of(settings.configured(flags))
        _tell_labels(flags, config)
        servables = _servables(flags, folders)
        servables.start()
        servables.reload(config)
        file = ConfigFile(servables, Path(flags.model_config_file), _read_again, _poll_seconds(flags))
        file.start()
        # From before the ports listen. Until now a signal ended all at once: a model may never come.
        ending = Ending()
        servers = _listen(flags, servables)
    except Refusal as error:
        print(f"Failed to start server. Error: {name_of(error.code)}: {error.text}")
        folders.close()
        return FAILED
    _tell_versions(servables)
    signal = ending.wait()
    told = {"signal": signal, "seconds": flags.drain_seconds}
    log.info("%(signal)s: no new requests; those that run have %(seconds)d seconds", told)
    file.stop()
    _drain(flags, *servers)
    servables.stop()
    folders.close()
    log.info("Ended")
    return 0


def _tell_labels(flags: Flags, config: Config) -> None:
    """Say before a start fails of its labels what they need; the error text is the real server's, which does not."""
    labelled = [] if isinstance(config, Unlisted) else [model.name for model in config if model.labels]
    if labelled and not flags.allow_version_labels_for_unavailable_models:
        told = {"flag": "--allow_version_labels_for_unavailable_models", "labelled": ", ".join(labelled)}
        log.warning("At the start no version is available yet: the labels of %(labelled)s need %(flag)s", told)


def _servables(flags: Flags, folders: Folders) -> Servables:
    """What will hold the models; nothing is loaded yet."""
    from ferryman.model_server.load_options import load_options
    from ferryman.model_server.loading import loader

    options = load_options(flags)
    Checks.method_names = flags.enable_signature_method_name_check
    chosen = Settings(
        poll_seconds=float(flags.file_system_poll_wait_seconds),
        load_threads=flags.num_load_threads,
        unload_threads=flags.num_unload_threads,
        max_retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_interval_micros / 1e6,
        any_new_label=flags.allow_version_labels_for_unavailable_models,
    )
    return Servables(chosen, loader(options), folders)


def _poll_seconds(flags: Flags) -> int:
    return flags.model_config_file_poll_wait_seconds if flags.model_config_file else 0


def _read_again(path: Path) -> Config:
    """The config of a file that is looked at again; ValueError when it cannot be read."""
    try:
        return config_of(read(str(path), ModelServerConfig))
    except Refusal as error:
        raise ValueError(error.text) from error


def _listen(flags: Flags, servables: Servables) -> tuple[Any, Any]:
    """The started servers of gRPC and REST; None for none of REST."""
    grpc_server = _serve_grpc(flags, servables)
    rest = flags.rest_api_port
    if rest and rest == flags.port:
        log.error("--rest_api_port must differ from --port, both are %d; REST is left out", rest)
        return grpc_server, None
    return grpc_server, _serve_rest(flags, servables) if rest else None


def _serve_grpc(flags: Flags, servables: Servables) -> Any:
    from ferryman.model_server.rpc.server import Options, serve_grpc

    options = Options(
        ssl=settings.certificates(flags),
        channel_arguments=flags.grpc_channel_arguments,
        health=flags.enable_grpc_healthcheck_service,
        as_content=flags.enable_serialization_as_tensor_content,
    )
    host = f"[{flags.host}]" if ":" in flags.host else flags.host
    addresses = [f"{host}:{flags.port}"] if flags.port else []
    addresses += [f"unix:{flags.grpc_socket_path}"] if flags.grpc_socket_path else []
    try:
        server = serve_grpc(servables, addresses, max(1, flags.grpc_max_threads), options)
    except (OSError, RuntimeError, ValueError) as error:
        raise Refusal(INVALID_ARGUMENT, f"Failed to BuildAndStart gRPC server: {error}") from error
    if flags.port:
        log.info("Running gRPC ModelServer at %(address)s ...", {"address": addresses[0]})
    if flags.grpc_socket_path:
        log.info("Running gRPC ModelServer at UNIX socket %(path)s ...", {"path": flags.grpc_socket_path})
    return server


def _serve_rest(flags: Flags, servables: Servables) -> Any:
    from ferryman.model_server.rest.handler import RestOptions, serve_rest

    path = settings.metrics_path(flags)
    options = RestOptions(
        threads=max(1, flags.rest_api_num_threads),
        timeout=max(0, flags.rest_api_timeout_in_ms) / 1000,
        cors=flags.rest_api_enable_cors_support,
        monitoring_path=path or "",
        monitoring_page=prometheus_text,
    )
    try:
        server = serve_rest(servables, flags.host, flags.rest_api_port, options)
    except (OSError, OverflowError) as error:
        # The real server says so in its log alone and goes on without: who asked for REST would wait for it for ever.
        address = f"{flags.host}:{flags.rest_api_port}"
        raise Refusal(INVALID_ARGUMENT, f"Failed to start HTTP Server at {address}: {error}") from error
    server.start()
    log.info("Exporting HTTP/REST API at:localhost:%(port)d ...", {"port": flags.rest_api_port})
    if path:
        log.info(
            "Metrics at http://%(host)s:%(port)d%(path)s",
            {"host": flags.host, "port": flags.rest_api_port, "path": path},
        )
    return server


def _tell_versions(servables: Servables) -> None:
    """Which versions serve, a line for each model."""
    state = servables.state
    for model in state.source or ():
        ready = state.ready(model.name)
        told = {"model": model.name, "versions": ready, "path": model.base_path, "listed": ", ".join(map(str, ready))}
        words = "version %(listed)s" if ready else "no version"
        log.info(f"%(model)s serves {words} of %(path)s", told)
    if not state.source:
        log.info("No models are configured: waiting for a reload over gRPC")


def _drain(flags: Flags, grpc_server: Any, rest_server: Any) -> None:
    """Take no new requests, and answer those that run."""
    stopped = grpc_server.stop(grace=flags.drain_seconds)
    if rest_server:
        rest_server.stop(grace=flags.drain_seconds)
    stopped.wait()
