"""What --platform_config_file says of how TensorFlow's models are loaded.

Source: tensorflow_serving/model_servers/{server,server_core}.cc (BuildAndStart, CreateAdapter) and
tensorflow_serving/util/class_registration.h (CreateFromAny), 2.21.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.text_files import read
from ferryman.serving import protocol
from ferryman.serving.protocol.schema import load

log = logging.getLogger("ferryman.model_server")

PLATFORM = "tensorflow"

PACKAGE = "tensorflow.serving"

INEFFECTIVE = (
    *("session_target", "session_run_load_threadpool_index", "experimental_transient_ram_bytes_during_load"),
    *("experimental_fixed_input_tensors", "enable_session_metadata", "resource_estimation_uses_validation_result"),
)
"""Fields of SessionBundleConfig that change nothing here."""


def read_platform(path: str) -> Any:
    """The SessionBundleConfig of the platform `tensorflow`.

    Raises:
        Refusal: the file cannot be read or is none, or it has other platforms.
    """
    platforms = read(path, message("PlatformConfigMap")).platform_configs
    if list(platforms) != [PLATFORM]:
        received = ", ".join(sorted(platforms)) or "none"
        raise Refusal(INVALID_ARGUMENT, f"{path}: received platforms {received}; expected {PLATFORM} alone")
    config = _adapter(path, platforms[PLATFORM].source_adapter_config).legacy_config
    given = [field.name for field, _ in config.ListFields() if field.name in INEFFECTIVE]
    if given:
        log.warning("%s: without effect here: %s", path, ", ".join(given))
    return config


@cache
def message(name: str) -> Any:
    """The class of a message of platforms.proto, which knows TensorFlow's own; it imports TensorFlow."""
    return GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    from tensorflow.core.protobuf import config_pb2, named_tensor_pb2

    folder = Path(protocol.__file__).parent
    known = config_pb2.DESCRIPTOR, named_tensor_pb2.DESCRIPTOR
    return load(folder / "settings.proto", folder / "platforms.proto", known=known)


def _adapter(path: str, packed: Any) -> Any:
    expected = message("SavedModelBundleSourceAdapterConfig")
    adapter = expected()
    try:
        if packed.Unpack(adapter):
            return adapter
    except DecodeError as error:
        raise Refusal(INVALID_ARGUMENT, f"Malformed content of Any: {packed.type_url}") from error
    wanted = expected.DESCRIPTOR.full_name
    raise Refusal(
        INVALID_ARGUMENT, f"{path}: received {packed.type_url or 'no source_adapter_config'}; expected {wanted}"
    )
