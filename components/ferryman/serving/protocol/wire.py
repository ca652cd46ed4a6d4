"""Predict's messages with the numbers and the shape of a tensor left as they lie in the message.

A packed list of numbers is a field of bytes with a length in front. Declared as `repeated bytes`, protobuf's parser in C
hands it over in one piece (several where the sender wrote several), and numpy reads it: no object is made of a number.
Pieces of a shape, which is a message, are one message when they are joined. All else, and so the rules for repeated,
merged and unknown fields, stays protobuf's.

Source: Protocol Buffers, Encoding, "Packed Repeated Fields", "Last One Wins".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from ferryman.serving.protocol import PredictRequest, schema

__all__ = ["DecodeError", "Shape", "WireResponse", "WireTensor", "read_request"]


def _lists_as_bytes(file: Any) -> None:
    for message in file.message_type:
        for field in message.field if message.name == "TensorProto" else ():
            if field.name == "tensor_shape":
                field.label = FieldDescriptorProto.LABEL_REPEATED
                field.ClearField("type_name")
            if field.label == FieldDescriptorProto.LABEL_REPEATED:
                field.type = FieldDescriptorProto.TYPE_BYTES


_POOL = schema.load(
    *(Path(__file__).with_name(name) for name in ("error.proto", "tensorflow.proto", "serving.proto")),
    changed=_lists_as_bytes,
)


def _message(name: str) -> Any:
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


Shape = _message("tensorflow.TensorShapeProto")
WireTensor = _message("tensorflow.TensorProto")
WireRequest = _message("tensorflow.serving.PredictRequest")
WireResponse = _message("tensorflow.serving.PredictResponse")


def read_request(serialized: bytes) -> Any:
    """A PredictRequest with its tensors as they lie in the message; DecodeError when it is none."""
    request = WireRequest.FromString(serialized)
    for tensor in request.inputs.values():
        if len(UnknownFieldSet(tensor)):
            # Numbers one by one, which is legal as well, or fields of a later TensorFlow. The first are packed by being
            # written anew.
            return WireRequest.FromString(PredictRequest.FromString(serialized).SerializeToString())
    return request
