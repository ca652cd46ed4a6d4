"""Messages as protobuf's C++ library prints them as JSON, with white space and every field that has no presence.

Source: util/http_rest_api_util.cc (ToJsonString, its options); protobuf 5, json/internal/unparser.cc (fields by number,
one space of indent) and writer.cc (what is escaped).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_SPECIAL = re.compile(
    '["\\\\<>\\x00-\\x1f\\x7f-\\x9f\\xad\u0600-\u0603\u06dd\u070f\u17b4\u17b5\u200b-\u200f\u2028-\u202e\u2060-\u2064'
    "\u206a-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_NAMED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printed(message: Any, level: int = 0) -> str:
    """A message in lines; without the line's end that the library puts after the outermost."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Int64Value":
        return f'"{message.value}"'
    inside = " " * (level + 1)
    lines = [
        f'{inside}"{field.name}": {_field(message, field, level + 1)}'
        for field in sorted(message.DESCRIPTOR.fields, key=lambda field: int(field.number))
        if not field.has_presence or message.HasField(field.name)
    ]
    return _braced("{", lines, "}", level)


def _braced(opened: str, lines: list[str], closed: str, level: int) -> str:
    return f"{opened}\n" + ",\n".join(lines) + f"\n{' ' * level}{closed}" if lines else opened + closed


def _field(message: Any, field: Any, level: int) -> str:
    value, inside = getattr(message, field.name), " " * (level + 1)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        of = field.message_type.fields_by_name["value"]
        lines = [f"{inside}{_text(str(key))}: {_value(value[key], of, level + 1)}" for key in sorted(value)]
        return _braced("{", lines, "}", level)
    if field.is_repeated:
        return _braced("[", [inside + _value(entry, field, level + 1) for entry in value], "]", level)
    return _value(value, field, level)


def _value(value: Any, field: Any, level: int) -> str:
    if field.message_type is not None:
        return printed(value, level)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return f'"{known.name}"' if known else str(value)
    return _SCALARS.get(field.cpp_type, str)(value) if field.type != FieldDescriptor.TYPE_BYTES else _base64(value)


def _text(value: str) -> str:
    return '"' + _SPECIAL.sub(_escaped, value) + '"'


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    units = character.encode("utf-16-be")
    return _NAMED.get(character) or "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _base64(value: bytes) -> str:
    return f'"{base64.b64encode(value).decode()}"'


def _number(value: float) -> str:
    if math.isfinite(value):
        return f"{value:.17g}" if float(f"{value:.9g}") != value else f"{value:.9g}"
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


_SCALARS: dict[int, Callable[[Any], str]] = {
    FieldDescriptor.CPPTYPE_STRING: _text,
    FieldDescriptor.CPPTYPE_INT64: lambda value: f'"{value}"',
    FieldDescriptor.CPPTYPE_UINT64: lambda value: f'"{value}"',
    FieldDescriptor.CPPTYPE_BOOL: lambda value: "true" if value else "false",
    FieldDescriptor.CPPTYPE_DOUBLE: _number,
    FieldDescriptor.CPPTYPE_FLOAT: _number,
}
"""Kind of a field -> how its values are printed; whole numbers of 32 bits are plain."""
