"""`ferryman-model-server`: a stand-in for tensorflow_model_server on laptops, in tests and in checks."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path

from ferryman.model_server.core import Model, Refusal
from ferryman.model_server.flags import Flags, parse
from ferryman.model_server.manager import Manager, Settings

FAILED = 255
"""The real server's exit code for anything that keeps it from starting."""


def main() -> None:
    """The console script."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        parsed = parse(sys.argv[1:])
    except ValueError as error:
        print(error, flush=True)
        sys.exit(FAILED)
    if parsed.flags.version:
        print(f"ferryman-model-server {version('ferryman')} (stands in for tensorflow_model_server)")
        return
    for word in parsed.unknown:
        # As the real server: told, and passed over.
        print(f"unknown argument: {word}", flush=True)
    if parsed.ineffective:
        logging.info("without effect here: %s", ", ".join(f"--{name}" for name in parsed.ineffective))
    sys.exit(serve(parsed.flags))


def serve(flags: Flags) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    from ferryman.model_server.grpc_service import serve_grpc
    from ferryman.model_server.rest import serve_rest
    from ferryman.model_server.runtime import SavedModel, version_folder, versions_on_disk

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    settings = Settings(
        poll_seconds=float(flags.file_system_poll_wait_seconds),
        load_threads=flags.num_load_threads,
        max_retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_interval_micros / 1e6,
        any_new_label=flags.allow_version_labels_for_unavailable_models,
    )
    manager = Manager(settings, SavedModel, versions_on_disk, version_folder)
    try:
        models = configured(flags)
        manager.start()
        manager.reload(models)
        addresses = [f"{flags.host}:{flags.port}"] if flags.port else []
        addresses += [f"unix:{flags.grpc_socket_path}"] if flags.grpc_socket_path else []
        grpc_server = serve_grpc(manager, addresses, flags.grpc_max_threads or 4 * (os.cpu_count() or 1))
        rest_server = serve_rest(manager, flags.host, flags.rest_api_port) if flags.rest_api_port else None
    except (Refusal, RuntimeError, OSError, ValueError) as error:
        print(f"Failed to start server. Error: {error}", flush=True)
        manager.stop()
        return FAILED
    if rest_server:
        threading.Thread(target=rest_server.serve_forever, name="rest", daemon=True).start()
        logging.info("REST at http://%s:%d", flags.host, flags.rest_api_port)
    logging.info("gRPC at %s", ", ".join(addresses) or "no address")
    stopped.wait()
    # Requests that run are answered; new ones are refused.
    grpc_server.stop(grace=5.0).wait()
    if rest_server:
        rest_server.shutdown()
    manager.stop()
    return 0


def configured(flags: Flags) -> tuple[Model, ...]:
    """The models of the start-up file, or the one of --model_name and --model_base_path; ValueError without either."""
    from google.protobuf import text_format

    from ferryman.model_server.grpc_service import models_of
    from ferryman.serving import protocol

    if not flags.model_config_file:
        if not flags.model_base_path:
            raise ValueError("Both server_options.model_base_path and server_options.model_config_file are empty!")
        return (Model(flags.model_name, flags.model_base_path),)
    config = protocol.model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(Path(flags.model_config_file).read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        raise ValueError(f"INVALID_ARGUMENT: Failed to parse {flags.model_config_file}: {error}") from error
    return models_of(config)


if __name__ == "__main__":
    main()
