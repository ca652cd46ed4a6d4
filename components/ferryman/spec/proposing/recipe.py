"""Which network, and how long it trains, for so many rows: first choices that learn something in minutes."""

from __future__ import annotations

from typing import Any, Final

_SCHEDULES: Final = (
    # Train rows below which it holds, then epochs, batch size, learning rate, patience.
    (1_000, (100, 16, 0.005, 10)),
    (10_000, (60, 32, 0.003, 6)),
    (100_000, (30, 128, 0.002, 4)),
)
"""Smaller tables need more passes over smaller batches: about the same number of steps, until rows are plenty."""

_LARGEST: Final = (20, 512, 0.002, 3)

Numbers = tuple[int, int, float, int]
"""Epochs, batch size, learning rate, patience."""


def family(rows: int, image: tuple[int, int] | None) -> dict[str, Any]:
    """The model block for so many train rows: convolutions where there is an image, else dense layers."""
    if image and min(image) >= 4:
        large = min(image) >= 16
        return {"kind": "cnn", "filters": [32, 64]} if large else {"kind": "cnn", "filters": [16, 32], "dense": 32}
    return {"kind": "mlp", "hidden": [32] if rows < 1_000 else [64] if rows < 20_000 else [128, 64]}


def schedule(rows: int, image: tuple[int, int] | None) -> dict[str, Any]:
    """The train block for so many train rows."""
    epochs, batch, rate, patience = _of_table(rows) if not image else _of_images(rows, min(image))
    return {
        "epochs": epochs,
        "batch_size": batch,
        "optimizer": {"kind": "adam", "learning_rate": rate},
        "stop": {"metric": "loss", "patience": patience},
    }


def _of_table(rows: int) -> Numbers:
    return next((numbers for most, numbers in _SCHEDULES if rows < most), _LARGEST)


def _of_images(rows: int, side: int) -> Numbers:
    return 20, 32 if rows < 2_000 else 64, 0.003 if side < 16 else 0.001, 3
