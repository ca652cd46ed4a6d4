"""The sessions' ConfigProto: what is said for all versions, and what one version's own file changes.

Source, where `file.cc` names nothing else: tensorflow_serving/servables/tensorflow/ (2.21).
"""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ferryman.serving.protocol import SavedModelConfig

log = logging.getLogger("ferryman.model_server")

FILE = Path("assets.extra") / "saved_model_config.pb"

REWRITERS = {
    "remote_op_remap_config": ("remote_op_config_rewrite", "remote_op_rewrite_config"),
    "batch_op_rewriter_config": ("batch_op_rewriter", "batch_op_rewrite_config"),
}
"""Field of SessionOverrides -> optimizer of graphs and its parameter (saved_model_config_util.h)."""

LOWER_PRECISION = "bfloat16"


def set_precision(config: Any, precision: str) -> None:
    """Have graphs rewritten to `bfloat16` where oneDNN finds it safe; any other word is passed over.

    Source: saved_model_bundle_factory.cc, InternalCreateSavedModelBundle.
    """
    if precision == LOWER_PRECISION:
        rewriting = config.graph_options.rewrite_options
        rewriting.auto_mixed_precision_onednn_bfloat16 = type(rewriting).ON
        log.info("Running inference with bfloat16 auto mixed precision")
    elif precision:
        log.warning("%s auto mixed precision is not supported. Valid option: bfloat16", precision)


def config_of(folder: Path, common: Any) -> Any:
    """The ConfigProto of the version in the folder: `common` (or None), or a copy with what its own file overrides.

    A file that is none is passed over, as there (saved_model_config_util.cc). Only sessions have it, LiteRT has not.
    """
    path = folder / FILE
    if not path.exists():
        return common
    try:
        own = SavedModelConfig.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        log.warning("Failed to load saved model config: %s: %s", path, " ".join(str(error).split())[:500])
        return common
    if not own.HasField("session_overrides"):
        return common
    from tensorflow.core.protobuf import config_pb2

    config = config_pb2.ConfigProto()
    if common is not None:
        config.CopyFrom(common)
    _rewrite(config.graph_options.rewrite_options, own.session_overrides)
    return config


def _rewrite(options: Any, overrides: Any) -> None:
    for field, (name, parameter) in REWRITERS.items():
        if overrides.HasField(field):
            content = getattr(overrides, field).SerializeToString()
            _optimizer(options, name).parameter_map[parameter].s = base64.b64encode(content)
    options.disable_meta_optimizer = overrides.disable_meta_optimizer


def _optimizer(options: Any, name: str) -> Any:
    found = [optimizer for optimizer in options.custom_optimizers if optimizer.name == name]
    return found[0] if found else options.custom_optimizers.add(name=name)
