"""The signatures of a TFLite file: those in its metadata, or one made of its inputs and outputs.

Source: tensorflow_serving/servables/tensorflow/tflite_session.cc (Create) and tensorflow/lite/tools/signature/
signature_def_util.cc, 2.21. TFLite's own signatures (`get_signature_list`) are not looked at by the real server either.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from ferryman.model_server.core import INTERNAL, INVALID_ARGUMENT, Refusal
from ferryman.model_server.runtime.dtypes import number_of
from ferryman.model_server.runtime.servable import DEFAULT_SIGNATURE, PREDICT
from ferryman.serving.protocol import SignatureDef

METADATA = b"signature_defs_metadata"


class Tensor(Protocol):
    """What is known of an input or output."""

    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


def read_signatures(content: bytes, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> dict[str, Any]:
    """SignatureDefs by name, whose tensors all exist.

    Raises:
        Refusal: the metadata are damaged, or name another tensor.
    """
    try:
        definitions = _stored(content)
    except (DecodeError, struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        text = "Invalid SignatureDefs found in TfLite model: Cannot parse signature def found in flatbuffer."
        raise Refusal(INVALID_ARGUMENT, text) from error
    for definition in definitions.values():
        _rename(definition.inputs, inputs, "input")
        _rename(definition.outputs, outputs, "output")
    return definitions or {DEFAULT_SIGNATURE: _made(inputs, outputs)}


def _stored(content: bytes) -> dict[str, Any]:
    from ai_edge_litert.schema_py_generated import Model
    from flatbuffers import flexbuffers

    model = Model.GetRootAs(content, 0)
    for number in range(model.MetadataLength()):
        metadata = model.Metadata(number)
        if metadata.Name() == METADATA:
            stored = flexbuffers.GetRoot(model.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()).AsMap
            keys = [key.AsKey for key in stored.Keys]
            return {key: SignatureDef.FromString(bytes(stored[key].AsStringBytes)) for key in keys}
    return {}


def _rename(entries: Mapping[str, Any], known: Mapping[str, Tensor], kind: str) -> None:
    """Earlier converters cut the `:0` off the tensors' names (FixTfLiteTensorName)."""
    for alias, tensor in entries.items():
        if tensor.name not in known:
            shorter = tensor.name.partition(":")[0]
            if shorter not in known:
                text = f"Unknown tensor '{tensor.name}'.\n\tSignature {kind} {alias} references an unknown tensor"
                raise Refusal(INTERNAL, text)
            tensor.name = shorter


def _made(inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Any:
    definition = SignatureDef(method_name=PREDICT)
    for entries, tensors in ((definition.inputs, inputs), (definition.outputs, outputs)):
        for name, tensor in sorted(tensors.items()):
            info = entries[name.partition(":")[0]]
            info.name, info.dtype = name, number_of(tensor.dtype)
            del info.tensor_shape.dim[:]
            for size in tensor.shape:
                info.tensor_shape.dim.add(size=size)
    return definition
