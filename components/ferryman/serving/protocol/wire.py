"""Predict's messages with the numbers and the shape of a tensor left as they lie in the message.

A packed list of numbers is a field of bytes with a length in front. Declared as `repeated bytes`, protobuf's parser in C
hands it over in one piece (several where the sender wrote several), and numpy reads it: no object is made of a number.
Pieces of a shape, which is a message, are one message when they are joined. All else, and so the rules for repeated,
merged and unknown fields, stays protobuf's.

Source: Protocol Buffers, Encoding, "Packed Repeated Fields", "Last One Wins".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from ferryman.serving.protocol import PredictRequest, schema

__all__ = ["ClosedRequest", "DecodeError", "Shape", "WireResponse", "WireTensor", "read_request", "surely_packed"]


def _lists_as_bytes(file: Any) -> None:
    for message in file.message_type:
        for field in message.field if message.name == "TensorProto" else ():
            if field.name == "tensor_shape":
                field.label = FieldDescriptorProto.LABEL_REPEATED
                field.ClearField("type_name")
            if field.label == FieldDescriptorProto.LABEL_REPEATED:
                field.type = FieldDescriptorProto.TYPE_BYTES


def _tensors_as_bytes(file: Any) -> None:
    entries = [
        entry for message in file.message_type if message.name == "PredictRequest" for entry in message.nested_type
    ]
    for field in (field for entry in entries for field in entry.field if field.name == "value"):
        field.type = FieldDescriptorProto.TYPE_BYTES
        field.ClearField("type_name")


def _pool(changed: Callable[[Any], None]) -> Any:
    names = ("error.proto", "tensorflow.proto", "serving.proto")
    return schema.load(*(Path(__file__).with_name(name) for name in names), changed=changed)


_POOL = _pool(_lists_as_bytes)


def _message(name: str, pool: Any = _POOL) -> Any:
    return GetMessageClass(pool.FindMessageTypeByName(name))


Shape = _message("tensorflow.TensorShapeProto")
WireTensor = _message("tensorflow.TensorProto")
WireRequest = _message("tensorflow.serving.PredictRequest")
WireResponse = _message("tensorflow.serving.PredictResponse")
ClosedRequest = _message("tensorflow.serving.PredictRequest", _pool(_tensors_as_bytes))
"""A PredictRequest whose tensors are the bytes of their messages."""


def read_request(serialized: bytes) -> Any:
    """A PredictRequest with its tensors as they lie in the message; DecodeError when it is none."""
    request = WireRequest.FromString(serialized)
    for tensor in request.inputs.values():
        if not surely_packed(tensor):
            # Numbers one by one, which is legal as well, or fields of a later TensorFlow. The first are packed by being
            # written anew.
            return WireRequest.FromString(PredictRequest.FromString(serialized).SerializeToString())
    return request


def surely_packed(tensor: Any) -> bool:
    """Whether no list of the tensor has numbers one by one."""
    return not len(UnknownFieldSet(tensor))
