"""`.proto` files to descriptors in a pool of their own while they are loaded: no compiler, no generated code.

What is read is what our files need of the language: one statement a line; scalars, messages, enums, `repeated`, `map`,
`oneof`, calls. Any other line is refused, and a test compares every field with the real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

WELL_KNOWN = (any_pb2, wrappers_pb2)
"""Protobuf's own messages that a file may import."""

SCALARS = {
    name: FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}")
    for name in ("double", "float", "int32", "int64", "uint32", "uint64", "bool", "string", "bytes")
}


class Scope(NamedTuple):
    """An open brace: what its statements are added to, and the number of the `oneof` in which they stand."""

    owner: Any
    oneof: int | None = None


def load(*paths: Path, changed: Callable[[Any], None] = lambda file: None, known: Iterable[Any] = ()) -> Any:
    """A pool with what `.proto` files say, each named after those that it imports; `changed` may alter a file first.

    `known` are descriptors of other files that they import. The pool is private: the real messages of the same names,
    which know more fields, live beside it in the default pool.
    """
    pool, added = DescriptorPool(), set[str]()
    for descriptor in (*(module.DESCRIPTOR for module in WELL_KNOWN), *known):
        _add(pool, descriptor, added)
    for path in paths:
        file = read(path.name, path.read_text(encoding="utf-8"))
        changed(file)
        pool.AddSerializedFile(file.SerializeToString())
        added.add(file.name)
    for name in added:
        _kept.extend(_classes(pool.FindFileByName(name).message_types_by_name))
    return pool


_kept: list[Any] = []
"""The classes of all messages of all pools, for ever. Protobuf 6.33 makes a class when somebody first looks at such a
message, inside another one for example, and Python's collector takes it away again: a server in which another thread looked
at it just then has crashed (segmentation fault in `PyUpb_Descriptor_GetDef`)."""


def _classes(messages: Mapping[str, Any]) -> Iterator[Any]:
    for descriptor in messages.values():
        yield GetMessageClass(descriptor)
        yield from _classes(descriptor.nested_types_by_name)


def _add(pool: Any, descriptor: Any, added: set[str]) -> None:
    """Add a file and, before it, all that it imports."""
    if descriptor.name not in added:
        added.add(descriptor.name)
        for imported in descriptor.dependencies:
            _add(pool, imported, added)
        pool.AddSerializedFile(descriptor.serialized_pb)


def read(name: str, text: str) -> Any:
    """The FileDescriptorProto of a `.proto` file's text; ValueError at a line that is none of the known statements."""
    file = FileDescriptorProto(name=name)
    scopes = [Scope(file)]
    for number, line in enumerate(text.splitlines(), 1):
        statement = line.partition("//")[0].strip()
        if statement and not _read(statement, scopes):
            raise ValueError(f"{name}, line {number}: received {statement!r}, expected one known statement of proto3")
    if len(scopes) != 1:
        raise ValueError(f"{name}: {len(scopes) - 1} braces are open at its end, expected none")
    return file


def _read(statement: str, scopes: list[Scope]) -> bool:
    if statement == "}":
        scopes.pop()
        return bool(scopes)
    for pattern, said in STATEMENTS.items():
        if found := re.fullmatch(pattern, statement):
            opened = said(scopes[-1], *found.groups())
            if opened is not None and not statement.endswith("}"):
                scopes.append(opened)
            return True
    return False


def _syntax(scope: Scope, version: str) -> None:
    scope.owner.syntax = version


def _package(scope: Scope, name: str) -> None:
    scope.owner.package = name


def _import(scope: Scope, path: str) -> None:
    scope.owner.dependency.append(path)


def _message(scope: Scope, name: str) -> Scope:
    inside = scope.owner.message_type if isinstance(scope.owner, FileDescriptorProto) else scope.owner.nested_type
    return Scope(inside.add(name=name))


def _enum(scope: Scope, name: str) -> Scope:
    return Scope(scope.owner.enum_type.add(name=name))


def _enum_value(scope: Scope, name: str, number: str) -> None:
    scope.owner.value.add(name=name, number=int(number))


def _oneof(scope: Scope, name: str) -> Scope:
    scope.owner.oneof_decl.add(name=name)
    return Scope(scope.owner, len(scope.owner.oneof_decl) - 1)


def _field(scope: Scope, repeated: str | None, kind: str, name: str, number: str) -> None:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    # The pool finds out what a name means, and whether it is a message or an enum.
    meaning = {"type": SCALARS[kind]} if kind in SCALARS else {"type_name": kind}
    scope.owner.field.add(name=name, number=int(number), label=label, oneof_index=scope.oneof, **meaning)


def _map(scope: Scope, key: str, value: str, name: str, number: str) -> None:
    # A map is a list of messages with a key and a value. Source: Protocol Buffers, language guide (proto3), Maps.
    entry = scope.owner.nested_type.add(name="".join(map(str.capitalize, name.split("_"))) + "Entry")
    entry.options.map_entry = True
    _field(Scope(entry), None, key, "key", "1")
    _field(Scope(entry), None, value, "value", "2")
    _field(scope, "repeated", entry.name, name, number)


def _service(scope: Scope, name: str) -> Scope:
    return Scope(scope.owner.service.add(name=name))


def _rpc(scope: Scope, name: str, asks: str | None, request: str, answers: str | None, response: str) -> None:
    streams = {"client_streaming": bool(asks) or None, "server_streaming": bool(answers) or None}
    scope.owner.method.add(name=name, input_type=request, output_type=response, **streams)


STATEMENTS: dict[str, Callable[..., Scope | None]] = {
    r'syntax = "(proto3)";': _syntax,
    r"package ([\w.]+);": _package,
    r'import "([\w./]+)";': _import,
    r"message (\w+) \{\}?": _message,
    r"enum (\w+) \{": _enum,
    r"(\w+) = (\d+);": _enum_value,
    r"oneof (\w+) \{": _oneof,
    r"(?:(repeated) )?([\w.]+) (\w+) = (\d+);": _field,
    r"map<(\w+), ([\w.]+)> (\w+) = (\d+);": _map,
    r"service (\w+) \{": _service,
    r"rpc (\w+)\((stream )?([\w.]+)\) returns \((stream )?([\w.]+)\);": _rpc,
}
"""What a line may say, and what it adds to where it stands."""
