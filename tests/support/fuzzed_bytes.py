"""Mutations of bytes and of protobuf's wire format, drawn from a `random.Random`: the same seed, the same bytes."""

from __future__ import annotations

from random import Random

TOKENS = (
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\r\n",
    b"\r\n\r\n",
    b"NaN",
    b"-Infinity",
    b"1e400",
    b"-0",
    b"9" * 30,
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[[[",
    b'{"b64":',
    b"]}",
    b"%00",
    b"%2F",
    b"../",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
)
"""What parsers stumble over."""

NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
"""Where integers overflow."""

LARGEST = 1 << 14
"""Bytes of a field up to which it is repeated: four such changes in one place would otherwise be gigabytes."""

Field = tuple[int, int, "bytes | int | list[Field]"]
"""(number, wire type, value): a message's fields as a tree, where bytes that read as fields are fields."""


def mutated(draw: Random, data: bytes, most: int = 4) -> bytes:
    """`data` with one to `most` changes of bytes."""
    for _ in range(draw.randint(1, most)):
        data = draw.choice((flipped, cut, repeated, spiced, ended))(draw, data)
    return data


def flipped(draw: Random, data: bytes) -> bytes:
    """One byte changed."""
    if not data:
        return bytes([draw.randrange(256)])
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def cut(draw: Random, data: bytes) -> bytes:
    """A piece left out."""
    first, last = span(draw, data)
    return data[:first] + data[last:]


def repeated(draw: Random, data: bytes) -> bytes:
    """A piece put there several times."""
    first, last = span(draw, data)
    return data[:last] + data[first:last] * draw.choice((1, 2, 50)) + data[last:]


def spiced(draw: Random, data: bytes) -> bytes:
    """One of TOKENS put somewhere."""
    at = draw.randint(0, len(data))
    return data[:at] + draw.choice(TOKENS) + data[at:]


def ended(draw: Random, data: bytes) -> bytes:
    """Only the beginning."""
    return data[: draw.randint(0, len(data))]


def span(draw: Random, data: bytes) -> tuple[int, int]:
    """A short range of positions."""
    first = draw.randint(0, len(data))
    return first, min(len(data), first + draw.randint(1, 16))


# Wire format


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends. IndexError where the data end first."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        if data[at] < 128:
            return number, at + 1
        at, shift = at + 1, shift + 7


def fields(data: bytes, depth: int = 0) -> list[Field]:
    """A message as a tree. ValueError or IndexError where the data are no message."""
    found: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind not in (0, 1, 2, 5) or not number:
            raise ValueError(f"wire type {kind}")
        if kind == 0:
            value, at = read_varint(data, at)
            found.append((number, kind, value))
            continue
        size, at = (8, at) if kind == 1 else (4, at) if kind == 5 else read_varint(data, at)
        if at + size > len(data):
            raise ValueError("ends early")
        found.append((number, kind, nested(data[at : at + size], depth) if kind == 2 else data[at : at + size]))
        at += size
    return found


def nested(data: bytes, depth: int) -> bytes | list[Field]:
    """The fields of a message in a message, or the bytes where they do not read as one."""
    try:
        return fields(data, depth + 1) if data and depth < 8 else data
    except (ValueError, IndexError):
        return data


def written(tree: list[Field]) -> bytes:
    """The tree as bytes."""
    parts = []
    for number, kind, value in tree:
        body = written(value) if isinstance(value, list) else value
        parts.append(varint(number << 3 | kind))
        if isinstance(body, int):
            parts.append(varint(body))
        else:
            parts.append(varint(len(body)) + body if kind == 2 else body)
    return b"".join(parts)


def restructured(draw: Random, data: bytes) -> bytes:
    """A message with some of its fields changed, doubled, left out, renumbered or put into themselves."""
    tree = fields(data)
    for _ in range(draw.randint(1, 4)):
        change(draw, tree)
    return written(tree)


def change(draw: Random, tree: list[Field]) -> None:
    """One change somewhere in the tree, in place."""
    if not tree:
        tree.append((draw.randint(1, 12), 0, draw.choice(NUMBERS)))
        return
    at = draw.randrange(len(tree))
    number, kind, value = tree[at]
    if isinstance(value, list) and draw.random() < 0.7:
        change(draw, value)
        return
    what = draw.randrange(6)
    if what == 0:
        del tree[at]
    elif what == 1:
        tree.insert(draw.randint(0, len(tree)), (number, kind, value))
    elif what == 2:
        tree[at] = (draw.randint(1, 16), kind, value)
    elif what == 3:
        inner, times = written([tree[at]]), draw.choice((1, 1, 200))
        tree[at] = (number, 2, inner * times if len(inner) < LARGEST else inner)
    elif isinstance(value, int):
        tree[at] = (number, 0, draw.choice(NUMBERS))
    else:
        body = written(value) if isinstance(value, list) else value
        tree[at] = (number, kind, mutated(draw, body) if kind == 2 else body[::-1])
