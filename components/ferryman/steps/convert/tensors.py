"""Tensors of many rows on disk, one `.npy` each: written batch by batch, read memory-mapped, never pickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np

Tensors = dict[str, np.ndarray]


class TensorWriter:
    """Writes tensors of `rows` rows below `folder`, batch by batch, so that a split need not fit into memory."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows = folder, rows
        self._files: Tensors = {}
        self._written = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            if isinstance(file, np.memmap):
                file.flush()

    def append(self, batch: Mapping[str, np.ndarray]) -> None:
        """Add the next rows of every tensor; names, dtypes and the shape of a row are those of the first batch."""
        for name, tensor in batch.items():
            if name not in self._files:
                self._files[name] = np.lib.format.open_memmap(
                    self.folder / f"{name}.npy", mode="w+", dtype=tensor.dtype, shape=(self.rows, *tensor.shape[1:])
                )
            self._files[name][self._written : self._written + len(tensor)] = tensor
        self._written += len(next(iter(batch.values())))


def read_tensors(folder: Path) -> Tensors:
    """The tensors below `folder` by name, memory-mapped."""
    return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in sorted(folder.glob("*.npy"))}


def write_tensors(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write whole tensors below `folder`, which is created."""
    folder.mkdir(parents=True)
    for name, tensor in tensors.items():
        np.save(folder / f"{name}.npy", tensor, allow_pickle=False)
