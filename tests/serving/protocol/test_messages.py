"""Every message of ours beside the real one of the same name: its fields, its bytes, its text."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.serving.protocol import POOL, ModelServerConfig
from ferryman.serving.protocol.services import MODELS, PREDICTION

FILES = ("error.proto", "tensorflow.proto", "serving.proto")

RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
SCALARS = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=8),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    **{kind: st.integers(*ends) for kind, ends in RANGES.items()},
}


def declared(inside: Any) -> Iterator[Any]:
    """The messages of a file or a message, at any depth, without the entries of maps."""
    nested = inside.message_types_by_name if hasattr(inside, "message_types_by_name") else inside.nested_types_by_name
    for message in nested.values():
        if not message.GetOptions().map_entry:
            yield message
            yield from declared(message)


OURS = {message.full_name: message for name in FILES for message in declared(POOL.FindFileByName(name))}


def real() -> Any:
    """The pool of the real messages: the package fills protobuf's own."""
    importlib.import_module("tensorflow_serving.apis.prediction_service_pb2")
    importlib.import_module("tensorflow_serving.apis.model_service_pb2")
    importlib.import_module("tensorflow_serving.apis.prediction_log_pb2")
    return descriptor_pool.Default()


def theirs(name: str) -> Any:
    """The real class of the name."""
    return GetMessageClass(real().FindMessageTypeByName(name))


@st.composite
def filled(draw: Any, message: Any, known: Any, depth: int = 3) -> Any:
    """A message of the class `message` with some of its fields set: of those that `known`, a descriptor, has, too."""
    made = message()
    for field in message.DESCRIPTOR.fields:
        if (known is None or field.name in known.fields_by_name) and depth and draw(st.booleans()):
            inside = known and known.fields_by_name[field.name].message_type
            put(draw, made, field, inside, depth)
    return made


def put(draw: Any, made: Any, field: Any, known: Any, depth: int) -> None:
    """Set one field to something: a later one of a `oneof` takes the place of an earlier one."""
    times = range(draw(st.integers(1, 3)))
    if field.message_type is None:
        value = values(field)
        if field.is_repeated:
            getattr(made, field.name).extend(draw(value) for _ in times)
        else:
            setattr(made, field.name, draw(value))
    elif field.message_type.GetOptions().map_entry:
        put_entries(draw, getattr(made, field.name), field.message_type.fields_by_name, known, depth)
    else:
        inner = filled(GetMessageClass(field.message_type), known, depth - 1)
        if field.is_repeated:
            getattr(made, field.name).extend(draw(inner) for _ in times)
        else:
            getattr(made, field.name).CopyFrom(draw(inner))


def put_entries(draw: Any, entries: Any, of: Any, known: Any, depth: int) -> None:
    for key in draw(st.lists(values(of["key"]), min_size=1, max_size=3, unique=True)):
        if of["value"].message_type is None:
            entries[key] = draw(values(of["value"]))
        else:
            inside = known and known.fields_by_name["value"].message_type
            entries[key].CopyFrom(draw(filled(GetMessageClass(of["value"].message_type), inside, depth - 1)))


def values(field: Any) -> Any:
    if field.enum_type is not None:
        # A number without a name is one of a newer server: it is kept, as proto3 says.
        return st.sampled_from([*field.enum_type.values_by_number, 77])
    return SCALARS[field.type]


def serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def traits(field: Any) -> dict[str, Any]:
    kind = field.message_type or field.enum_type
    return {
        "number": field.number,
        "type": field.type,
        "of": kind and kind.full_name,
        "repeated": field.is_repeated,
        "packed": field.is_packed,
        "presence": field.has_presence,
        "oneof": field.containing_oneof and field.containing_oneof.name,
    }


@pytest.mark.parametrize("name", OURS)
def test_every_field_of_ours_is_a_field_of_the_real_message(name: str) -> None:
    ours, wanted = OURS[name], real().FindMessageTypeByName(name)
    for field in ours.fields:
        assert traits(field) == traits(wanted.fields_by_name[field.name])
    for oneof in ours.oneofs:
        choices = [{field.name for field in found.fields} for found in (oneof, wanted.oneofs_by_name[oneof.name])]
        assert choices[0] == choices[1], "a choice that we do not know would look like none"


def numbers(enum: Any) -> set[tuple[str, int]]:
    return {(value.name, value.number) for value in enum.values}


@pytest.mark.parametrize(
    "name",
    [
        "tensorflow.DataType",
        "tensorflow.error.Code",
        "tensorflow.serving.ModelType",
        "tensorflow.serving.ModelVersionStatus.State",
    ],
)
def test_every_value_of_an_enum_of_ours_is_one_of_the_real_enum(name: str) -> None:
    assert numbers(POOL.FindEnumTypeByName(name)) <= numbers(real().FindEnumTypeByName(name))


def calls(service: Any) -> set[tuple[str, str, str]]:
    return {(method.name, method.input_type.full_name, method.output_type.full_name) for method in service.methods}


@pytest.mark.parametrize("service", [PREDICTION, MODELS])
def test_every_call_takes_and_gives_the_messages_of_the_real_service(service: str) -> None:
    assert calls(POOL.FindServiceByName(service)) <= calls(real().FindServiceByName(service))


@pytest.mark.parametrize("name", OURS)
def test_what_we_write_the_real_message_writes_to_the_byte_and_to_the_letter(name: str) -> None:
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(filled(GetMessageClass(OURS[name]), OURS[name]))
    def holds(message: Any) -> None:
        read = theirs(name).FromString(serialized(message))
        assert (serialized(read), str(read)) == (serialized(message), str(message))

    holds()


@pytest.mark.parametrize("name", OURS)
def test_what_the_real_message_writes_in_fields_that_we_know_we_write_to_the_byte(name: str) -> None:
    ours = GetMessageClass(OURS[name])

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(filled(theirs(name), OURS[name]))
    def holds(message: Any) -> None:
        assert serialized(ours.FromString(serialized(message))) == serialized(message)

    holds()


@pytest.mark.parametrize("name", OURS)
def test_what_we_do_not_know_of_a_real_message_is_sent_on_unharmed(name: str) -> None:
    ours = GetMessageClass(OURS[name])

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(filled(theirs(name), None))
    def holds(message: Any) -> None:
        sent_on = serialized(ours.FromString(serialized(message)))
        assert serialized(theirs(name).FromString(sent_on)) == serialized(message)

    holds()


def test_a_start_up_file_that_the_real_messages_print_is_read_as_what_they_say() -> None:
    name = "tensorflow.serving.ModelServerConfig"

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(filled(theirs(name), OURS[name], depth=5))
    def holds(message: Any) -> None:
        text = text_format.MessageToString(message, as_utf8=True)
        assert serialized(text_format.Parse(text, ModelServerConfig())) == serialized(message)

    holds()
