"""What is in a SavedModel's file: the graph for the asked tags, its signatures, asset files and the op that initialises it.

`file.cc` names the source (TensorFlow 2.21, `tensorflow/cc/saved_model/`; tensorflow/serving 2.21 where it says so).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferryman.model_server.core import (
    DATA_LOSS,
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    UNIMPLEMENTED,
    Refusal,
)
from ferryman.model_server.file_errors import refused
from ferryman.model_server.runtime import dtypes
from ferryman.model_server.runtime.servable import Signature, TensorInfo
from ferryman.serving.protocol import SignatureDefMap

log = logging.getLogger("ferryman.model_server")

CHUNKED = "saved_model.cpb"

INIT_OP = "__saved_model_init_op"


def read_meta_graph(folder: Path, tags: Sequence[str]) -> Any:
    """The MetaGraphDef with exactly these tags.

    Raises:
        Refusal: as tensorflow_serving/session_bundle/oss/session_bundle_util.cc and reader.cc.
    """
    if (folder / "export.meta").exists():
        raise Refusal(UNIMPLEMENTED, "Session Bundle is deprecated and removed.")
    saved_model, wanted = _read(folder), set(tags)
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == wanted:
            check_constants(meta_graph.graph_def.node)
            return meta_graph
    raise Refusal(
        NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(tags)} }}. To inspect available tag-sets in "
        "the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
    )


def check_constants(nodes: Iterable[Any]) -> None:
    """Refuse constants without a value or with a negative size (loader.cc, ValidateNode).

    Raises:
        Refusal: names the node.
    """
    for node in nodes:
        if "value" in node.attr:
            dimensions = [dimension.size for dimension in node.attr["value"].tensor.tensor_shape.dim]
            if node.attr["value"].WhichOneof("value") == "tensor" and any(size < 0 for size in dimensions):
                text = f'node "{node.name}" (op "{node.op}") which initializes from a tensor with -1 elements'
                raise Refusal(FAILED_PRECONDITION, f"Saved model contains {text}")
        elif node.op == "Const":
            text = f'node "{node.name}" which is a constant tensor but no value has been provided'
            raise Refusal(FAILED_PRECONDITION, f"Saved model contains {text}")


def assets(meta_graph: Any) -> list[tuple[str, str]]:
    """Tensor and file name of each asset (loader_util.cc, GetAssetFileDefs).

    Raises:
        Refusal: an entry of the older kind is none.
    """
    found = list(meta_graph.asset_file_def)
    if not found and "saved_model_assets" in meta_graph.collection_def:
        found = [_unpacked(packed) for packed in meta_graph.collection_def["saved_model_assets"].any_list.value]
    return [(asset.tensor_info.name, asset.filename) for asset in found]


def init_op(folder: Path, meta_graph: Any) -> str:
    """Name of the op to run once after the restore; empty without (loader_util.cc, GetInitOp).

    Raises:
        Refusal: there are several.
    """
    if INIT_OP in meta_graph.signature_def:
        return str(meta_graph.signature_def[INIT_OP].outputs[INIT_OP].name)
    collections = meta_graph.collection_def
    key = "saved_model_main_op" if "saved_model_main_op" in collections else "legacy_init_op"
    if key not in collections:
        return ""
    names = list(collections[key].node_list.value)
    if len(names) != 1:
        raise Refusal(FAILED_PRECONDITION, f"Expected exactly one main op in : {folder}")
    return str(names[0])


def signatures(definitions: Mapping[str, Any]) -> dict[str, Signature]:
    """By name; also those whose names begin with two underscores, as TensorFlow's own do."""
    return {
        name: Signature(
            _tensors(definition.inputs), _tensors(definition.outputs), definition.method_name, _defaults(definition)
        )
        for name, definition in definitions.items()
    }


def signature_defs(definitions: Mapping[str, Any]) -> bytes:
    """The serialised SignatureDefMap."""
    found = SignatureDefMap()
    for key, definition in definitions.items():
        found.signature_def[key].ParseFromString(definition.SerializeToString())
    serialized: bytes = found.SerializeToString()
    return serialized


def _read(folder: Path) -> Any:
    from google.protobuf import message, text_format
    from tensorflow.core.protobuf import saved_model_pb2

    binary, text, saved_model = folder / "saved_model.pb", folder / "saved_model.pbtxt", saved_model_pb2.SavedModel()
    try:
        if binary.exists():
            saved_model.ParseFromString(binary.read_bytes())
        elif text.exists():
            text_format.Parse(text.read_text("utf-8"), saved_model)
        else:
            raise Refusal(NOT_FOUND, _absent(folder))
    except message.DecodeError as error:
        raise Refusal(DATA_LOSS, f"Can't parse {binary} as binary proto") from error
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(DATA_LOSS, f"Can't parse {text} as text proto") from error
    except OSError as error:
        raise refused(error) from error
    return saved_model


def _absent(folder: Path) -> str:
    if (folder / CHUNKED).exists():
        # It passes for a SavedModel (loader.cc, MaybeSavedModelDirectory) that nothing outside Google reads (reader.cc).
        log.error("%s: %s was saved with experimental_image_format=True; save it without", folder, CHUNKED)
        return (
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}. Check that the directory "
            "exists and that you have the right permissions for accessing it."
        )
    return (
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called `saved_model.pb`)\n"
        f"Specified file path: {folder}"
    )


def _unpacked(packed: Any) -> Any:
    from google.protobuf import message
    from tensorflow.core.protobuf import meta_graph_pb2

    asset = meta_graph_pb2.AssetFileDef()
    try:
        if packed.Unpack(asset):
            return asset
    except message.DecodeError as error:
        raise Refusal(INVALID_ARGUMENT, "Failed to unpack: tensorflow.AssetFileDef") from error
    raise Refusal(INVALID_ARGUMENT, f"Expected Any type_url for: tensorflow.AssetFileDef. Got: {packed.type_url}.")


def _tensors(entries: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        alias: TensorInfo(info.name, dtypes.name_of(info.dtype), _shape(info.tensor_shape))
        for alias, info in entries.items()
    }


def _shape(proto: Any) -> tuple[int, ...] | None:
    return None if proto.unknown_rank else tuple(dimension.size for dimension in proto.dim)


def _defaults(definition: Any) -> dict[str, Any]:
    if not definition.defaults:
        return {}
    from tensorflow import make_ndarray

    return {alias: make_ndarray(tensor) for alias, tensor in definition.defaults.items()}
