"""Comparing recorded answers with given ones: what cannot be compared does not agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Comparison:
    """How far answers lie from the recorded ones, over all outputs."""

    ok: bool
    rows: int
    largest_absolute: float = 0.0
    """Largest |answered - recorded| of any number, in the output's unit."""

    largest_relative: float = 0.0
    """Largest |answered - recorded| / |recorded| of any number that was recorded as not 0."""

    labels_changed: int = 0
    """Text answers that are not the recorded bytes."""

    reason: str = ""
    """Why it is not ok; empty when it is."""


def compare(
    recorded: Mapping[str, np.ndarray], answered: Mapping[str, np.ndarray], absolute: float, relative: float
) -> Comparison:
    """Whether every recorded output was answered: text to the byte, numbers within `absolute + relative * |recorded|`.

    Tensors are [n, ...] by output name; text is fixed-width bytes or objects (bytes, or str taken as UTF-8). An output
    that is missing or not recorded, another shape, another kind of dtype, NaN or infinity on either side is not ok.
    """
    rows = len(next(iter(recorded.values()))) if recorded else 0
    reason = _incomparable(recorded, answered)
    if reason:
        return Comparison(False, rows, reason=reason)
    numbers = [
        _numbers(name, recorded[name], answered[name], absolute, relative)
        for name in recorded
        if not _is_text(recorded[name])
    ]
    texts = [_texts(name, recorded[name], answered[name]) for name in recorded if _is_text(recorded[name])]
    reasons = [part.reason for part in (*numbers, *texts) if part.reason]
    return Comparison(
        ok=not reasons,
        rows=rows,
        largest_absolute=max((part.largest_absolute for part in numbers), default=0.0),
        largest_relative=max((part.largest_relative for part in numbers), default=0.0),
        labels_changed=sum(part.labels_changed for part in texts),
        reason="; ".join(reasons),
    )


def _incomparable(recorded: Mapping[str, np.ndarray], answered: Mapping[str, np.ndarray]) -> str:
    if not recorded or not all(len(tensor) for tensor in recorded.values()):
        return "nothing was recorded, so nothing can agree"
    if recorded.keys() != answered.keys():
        return f"received the outputs {_names(answered)}, expected {_names(recorded)}"
    for name, expected in recorded.items():
        received = answered[name]
        if _is_text(received) != _is_text(expected) or (
            not _is_text(expected) and received.dtype.kind != expected.dtype.kind
        ):
            return f"{name}: received {received.dtype}, expected {expected.dtype}"
        if received.shape != expected.shape:
            return f"{name}: received the shape {list(received.shape)}, expected {list(expected.shape)}"
        for side, tensor in (("recorded", expected), ("answered", received)):
            if not _is_text(tensor) and not np.isfinite(tensor).all():
                return f"{name}: {int((~np.isfinite(tensor)).sum())} of the {side} numbers are not finite"
    return ""


def _numbers(name: str, recorded: np.ndarray, answered: np.ndarray, absolute: float, relative: float) -> Comparison:
    # float64: the difference of two float32 must not be rounded again before it is judged.
    expected, received = recorded.astype(np.float64), answered.astype(np.float64)
    size, apart = np.abs(expected), np.abs(received - expected)
    far = apart > absolute + relative * size
    reason = ""
    if far.any():
        worst = np.unravel_index(np.argmax(apart - relative * size), apart.shape)
        reason = (
            f"{name}: {int(far.sum()):,} of {far.size:,} numbers are too far from the recorded ones, the worst in row "
            f"{worst[0]}: received {received[worst]:.7g}, expected {expected[worst]:.7g}"
        )
    ratio = np.divide(apart, size, out=np.zeros_like(apart), where=size > 0)
    return Comparison(not reason, len(recorded), float(apart.max()), float(ratio.max()), reason=reason)


def _texts(name: str, recorded: np.ndarray, answered: np.ndarray) -> Comparison:
    pairs = list(zip(_bytes(recorded), _bytes(answered), strict=True))
    changed = [row for row, (expected, received) in enumerate(pairs) if expected != received]
    reason = ""
    if changed:
        expected, received = pairs[changed[0]]
        reason = (
            f"{name}: {len(changed):,} of {len(pairs):,} texts changed, the first at {changed[0]}: "
            f"received {received.decode(errors='replace')!r}, expected {expected.decode(errors='replace')!r}"
        )
    return Comparison(not reason, len(recorded), labels_changed=len(changed), reason=reason)


def _is_text(tensor: np.ndarray) -> bool:
    return tensor.dtype.kind in "SUO"


def _bytes(tensor: np.ndarray) -> list[bytes]:
    return [text if isinstance(text, bytes) else str(text).encode() for text in tensor.ravel().tolist()]


def _names(tensors: Mapping[str, np.ndarray]) -> str:
    return ", ".join(sorted(tensors)) or "none"
