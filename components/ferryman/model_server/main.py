"""`ferryman-model-server`: a stand-in for tensorflow_model_server on laptops, in tests and in checks."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ferryman.model_server.core import NAMES, Model, Refusal
from ferryman.model_server.flags import Flags, parse
from ferryman.model_server.servables import Servables, Settings

ENDING = (signal.SIGTERM, signal.SIGINT)

REST_POLL = 0.05
"""Seconds until the REST server sees that it is to end; the standard library's 0.5 would be most of our own end."""

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
    if find_spec("tensorflow") is None:
        # It is loaded with the first model, which would be blamed for it.
        print(
            "Failed to start server. Error: TensorFlow is not installed; try pip install 'ferryman[serve]'", flush=True
        )
        sys.exit(FAILED)
    sys.exit(serve(parsed.flags))


def serve(flags: Flags) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    from ferryman.model_server.folders import version_folder, versions_on_disk
    from ferryman.model_server.rest.handler import serve_rest
    from ferryman.model_server.rpc.services import serve_grpc
    from ferryman.model_server.runtime.loading import LoadOptions, loader

    # Until it serves, a signal ends it at once: a model that is still to come would keep it for ever.
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    settings = Settings(
        poll_seconds=float(flags.file_system_poll_wait_seconds),
        load_threads=flags.num_load_threads,
        max_retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_interval_micros / 1e6,
        any_new_label=flags.allow_version_labels_for_unavailable_models,
    )
    servables = Servables(settings, loader(LoadOptions()), versions_on_disk, version_folder)
    try:
        models = configured(flags)
        servables.start()
        _await_models(servables, models)
        # From before the ports listen; a list, because a lock could be held by the very code that a signal interrupts.
        ended: list[int] = []
        for number in ENDING:
            signal.signal(number, lambda number, _: ended.append(number))
        addresses = [f"{flags.host}:{flags.port}"] if flags.port else []
        addresses += [f"unix:{flags.grpc_socket_path}"] if flags.grpc_socket_path else []
        grpc_server = serve_grpc(servables, addresses, flags.grpc_max_threads or 4 * (os.cpu_count() or 1))
        rest_server = serve_rest(servables, flags.host, flags.rest_api_port) if flags.rest_api_port else None
    except (Refusal, RuntimeError, OSError, ValueError) as error:
        print(f"Failed to start server. Error: {error}", flush=True)
        servables.stop()
        return FAILED
    if rest_server:
        threading.Thread(target=rest_server.serve_forever, args=(REST_POLL,), name="rest", daemon=True).start()
        logging.info("REST at http://%s:%d", flags.host, flags.rest_api_port)
    logging.info("gRPC at %s", ", ".join(addresses) or "no address")
    # Not a wait without limit: nothing would wake it where the system hands the signal to another thread.
    while not ended:
        time.sleep(0.1)
    # Requests that run are answered; new ones are refused.
    grpc_server.stop(grace=5.0).wait()
    if rest_server:
        rest_server.shutdown()
    servables.stop()
    return 0


def _await_models(servables: Servables, models: tuple[Model, ...]) -> None:
    """The first reload; at the start the real server names the code, and says servables."""
    try:
        servables.reload(models)
    except Refusal as error:
        text = error.text.replace("model(s) did not become", "servable(s) did not become")
        raise Refusal(error.code, f"{NAMES[error.code]}: {text}") from error


def configured(flags: Flags) -> tuple[Model, ...]:
    """The models of the start-up file, or the one of --model_name and --model_base_path; ValueError without either."""
    from google.protobuf import text_format

    from ferryman.model_server.rpc.services import models_of
    from ferryman.serving.protocol import ModelServerConfig

    if not flags.model_config_file:
        if not flags.model_base_path:
            raise ValueError("Both server_options.model_base_path and server_options.model_config_file are empty!")
        return (Model(flags.model_name, flags.model_base_path),)
    config = ModelServerConfig()
    try:
        text_format.Parse(Path(flags.model_config_file).read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        raise ValueError(f"INVALID_ARGUMENT: Failed to parse {flags.model_config_file}: {error}") from error
    return models_of(config)


if __name__ == "__main__":
    main()
