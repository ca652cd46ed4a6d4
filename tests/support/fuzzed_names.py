"""What fuzzed requests are made of: signatures and models, there or not, and the request itself."""

from __future__ import annotations

from dataclasses import dataclass

SIGNATURES = (
    *("serving_default", "two", "two_with_default", "scalar", "uneven", "empty", "fails", "reciprocal", "pairs"),
    *(
        "text_y",
        "text_y_bytes",
        "classify",
        "classify_scores",
        "regress",
        "classify_double",
        "regress_wide",
        "nope",
        "",
    ),
    *(f"copy_{dtype}" for dtype in ("float32", "float64", "int32", "int64", "uint8", "uint32", "uint64", "bool")),
    "copy_float16",
)
MODELS = ("m",) * 12 + ("tiny", "nobody", "")


@dataclass(frozen=True)
class Shot:
    """One request: to REST the bytes of a connection, to gRPC a message for `method`."""

    kind: str
    data: bytes
    method: str = ""
