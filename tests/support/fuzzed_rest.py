"""HTTP requests near the valid ones: JSON bodies, paths, headers and framing, drawn from a seed."""

from __future__ import annotations

import gzip
import json
import zlib
from random import Random
from typing import Any

from fuzzed_bytes import mutated
from fuzzed_names import MODELS, SIGNATURES, Shot


def rest(draw: Random) -> Shot:
    """A whole HTTP request, often with its bytes changed as well."""
    body = http_body(draw)
    head, body = framed(draw, body)
    lines = [f"{draw.choice(('POST',) * 12 + ('GET', 'PUT', 'OPTIONS', 'HEAD', 'get'))} {path(draw)} HTTP/1.1"]
    data = "\r\n".join([*lines, "Host: fuzz", "Connection: close", *head, "", ""]).encode("utf-8", "replace") + body
    return Shot("rest", mutated(draw, data, 2) if draw.random() < 0.15 else data)


def path(draw: Random) -> str:
    """A path, mostly one that exists."""
    name = draw.choice(MODELS)
    which = draw.choice(("", "", "/versions/1", "/versions/2", "/labels/stable", "/versions/99", "/labels/%00"))
    verb = draw.choice((":predict",) * 4 + (":classify", ":regress", "", "/metadata", ":explain"))
    made = f"/v1/models/{name}{which}{verb}"
    if draw.random() < 0.9:
        return made
    return mutated(draw, made.encode()).decode("latin-1").replace("\r", "").replace("\n", "").replace(" ", "%20")


def framed(draw: Random, body: bytes) -> tuple[list[str], bytes]:
    """The headers that say where the body ends, and the body as it is sent."""
    head = [draw.choice(("Content-Type: application/json", "Accept: */*", "X-A: " + "b" * draw.choice((1, 9000))))]
    encode = draw.random()
    if encode < 0.08:
        body = gzip.compress(body, 1)
        body = mutated(draw, body, 1) if draw.random() < 0.5 else body
        head.append("Content-Encoding: gzip")
    elif encode < 0.1:
        body, _ = zlib.compress(body, 1), head.append("Content-Encoding: deflate")
    if draw.random() < 0.1:
        size = draw.choice((1, 7, 4096))
        parts = [body[at : at + size] for at in range(0, len(body), size)]
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        return [*head, "Transfer-Encoding: chunked"], mutated(draw, chunked, 1) if draw.random() < 0.3 else chunked
    length = len(body) if draw.random() < 0.97 else draw.choice((0, len(body) // 2, len(body) + 5, -1, 10**18))
    return [*head, f"Content-Length: {length}"], body


def http_body(draw: Random) -> bytes:
    """A JSON document, sometimes damaged."""
    body = json.dumps(document(draw), ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
    return mutated(draw, body) if draw.random() < 0.35 else body


FITTING: dict[str, tuple[Any, ...]] = {
    "serving_default": (1, 2.5, [1, 2], float("nan")),
    "copy_float32": (0.1, [0.5], 1e39, {"x": 1}),
    "copy_float64": (0.1, [[1e300]], 3),
    "copy_int32": (5, [2**31 - 1], {"x": [-1]}),
    "copy_int64": (2**63 - 1, [-5]),
    "copy_uint8": (255, 300, -1),
    "copy_uint32": (2**32 - 1, [[]]),
    "copy_uint64": (2**64 - 1, [0]),
    "copy_bool": (True, [False]),
    "text_y": ("é", "\0", {"b64": "aGk="}, [""], [{"b64": "/w=="}]),
    "text_y_bytes": ("é", {"b64": "aGk="}, ["a", "b"]),
    "two": ({"a": 1.5, "b": 2}, {"a": -1, "b": 2**62}),
    "pairs": (1.0, [1.0, 2.0]),
    "fails": (1.0, -1.0),
    "uneven": (1.0, []),
    "reciprocal": (0, -0.0),
    "classify": ({"x": 1.0, "name": "a"}, {}, {"whole": True}),
    "regress": ({"x": 1.0}, {"whole": 3}, {"x": [float("inf")]}),
}
"""Signature -> rows or examples that it takes."""


def fitting(draw: Random) -> dict[str, Any]:
    """A document that is mostly answered."""
    signature = draw.choice(tuple(FITTING))
    row = draw.choice(FITTING[signature])
    key = "examples" if signature in {"classify", "regress"} else draw.choice(("instances", "instances", "inputs"))
    return {"signature_name": signature, key: [row] * draw.choice((1, 1, 2, 3))}


def document(draw: Random) -> Any:
    """What a predict, classify or regress request may hold, or nearly."""
    if draw.random() < 0.4:
        return fitting(draw)
    made: dict[str, Any] = {}
    if draw.random() < 0.8:
        made["signature_name"] = draw.choice(SIGNATURES) if draw.random() < 0.95 else value(draw)
    key = draw.choice(("instances",) * 5 + ("inputs",) * 4 + ("examples",) * 3 + ("context",))
    made[key] = items(draw)
    if draw.random() < 0.1:
        made[draw.choice(("instances", "inputs", "examples", "context", "x"))] = items(draw)
    return made if draw.random() < 0.97 else value(draw)


def items(draw: Random) -> Any:
    """A list of rows or examples, columns, or something else."""
    form = draw.random()
    if form < 0.5:
        one = value(draw)
        return [one if draw.random() < 0.8 else value(draw) for _ in range(draw.choice((0, 1, 2, 2, 3, 40)))]
    if form < 0.9:
        rows = [named(draw) for _ in range(draw.choice((1, 1, 2, 3)))]
        return rows if draw.random() < 0.7 else rows[0]
    return value(draw)


def named(draw: Random) -> dict[str, Any]:
    """Values under names that inputs or features have."""
    names = draw.sample(("x", "a", "b", "inputs", "name", "whole", "b64", "z", ""), draw.choice((0, 1, 1, 2, 2, 3)))
    return {name: value(draw) for name in names}


SCALARS: tuple[Any, ...] = (
    *(0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**40),
    *(0.5, -0.0, 1e39, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *("", "text", "é😀", "\0", "\ud800", "a" * 2000, True, False, None, {"b64": "aGk="}, {"b64": "!"}, {}, []),
)


def value(draw: Random, depth: int = 0) -> Any:
    """A value, or values in values."""
    form = draw.random()
    if depth > 4 or form < 0.5:
        return draw.choice(SCALARS)
    if form < 0.7:
        return [draw.choice(SCALARS[9:15])] * draw.choice((1, 2, 3))
    if form < 0.97:
        return [value(draw, depth + 1) for _ in range(draw.choice((0, 1, 2, 3)))]
    nest: Any = 1
    for _ in range(draw.choice((10, 300))):
        nest = [nest]
    return nest
