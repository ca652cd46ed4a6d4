"""Inputs and outputs of a signature that was not made by us, and what any such signature must keep. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ferryman.errors import SpecError

WORDS: Final = ("string",)


@dataclass(frozen=True)
class Tensor:
    """One input or output: its dtype (numpy name, `string` for text) and its shape with the batch; None: unknown."""

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        """As people read it, e.g. `float32 [n, 28, 28, 1]`."""
        return f"{self.dtype} {_shape(self.shape)}"

    @property
    def batched(self) -> bool:
        """Whether the first dimension takes any number of rows."""
        return self.shape is None or (len(self.shape) > 0 and self.shape[0] is None)

    def fits(self, row: tuple[int, ...]) -> bool:
        """Whether rows of this shape are what it takes or gives."""
        if self.shape is None:
            return True
        return len(self.shape) == len(row) + 1 and all(
            mine in (None, theirs) for mine, theirs in zip(self.shape[1:], row, strict=True)
        )


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs by alias."""

    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def check_batches(signature: Signature, path: str) -> None:
    """Refuse a signature of which a tensor has no batch, or a fixed one: a server sends and gets any number of rows."""
    for side, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for alias, tensor in tensors.items():
            if not tensor.batched:
                raise SpecError(
                    path,
                    f"the {side} {alias!r} of {signature.name!r} is {tensor}, expected any number of rows in its first "
                    "dimension ([n, ...]): export it with a batch of None",
                )


def check_numbers(signature: Signature, path: str) -> None:
    """Refuse a signature that takes or gives text: no device file can."""
    for side, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for alias, tensor in tensors.items():
            if tensor.dtype in WORDS:
                raise SpecError(path, f"the {side} {alias!r} of {signature.name!r} is {tensor}, expected numbers alone")


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of any shape"
    first = ["n" if size is None else str(size) for size in shape[:1]]
    return f"[{', '.join([*first, *('?' if size is None else str(size) for size in shape[1:])])}]"
