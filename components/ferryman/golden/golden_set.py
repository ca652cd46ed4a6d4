"""The golden set: raw rows with the answers that the model gave in memory, before any export.

On disk, readable without TensorFlow and Arrow:

    rows.jsonl              the rows as REST instances, one JSON object a line
    raw/FEATURE.npy         inputs of `serving_default` (text as fixed-width UTF-8 bytes)
    device/TENSOR.npy       inputs of `core`
    answers/OUTPUT.npy      outputs of `serving_default`
    golden.json             file names by tensor name, in order
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from ferryman.errors import ArtifactError

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class GoldenSet:
    """Raw rows and the recorded answers; text tensors are arrays of UTF-8 bytes (dtype `S`)."""

    rows: list[dict[str, Any]]
    raw: Tensors
    device: Tensors
    answers: Tensors

    def __len__(self) -> int:
        return len(self.rows)

    def write(self, folder: Path) -> None:
        """Write below `folder`, which is created."""
        folder.mkdir(parents=True, exist_ok=True)
        index: dict[str, dict[str, str]] = {}
        for part, tensors in (("raw", self.raw), ("device", self.device), ("answers", self.answers)):
            (folder / part).mkdir(exist_ok=True)
            index[part] = {}
            for number, (name, tensor) in enumerate(tensors.items()):
                # Numbered files: a tensor's name may hold characters that no file name can.
                file = f"{part}/{number}.npy"
                np.save(folder / file, tensor, allow_pickle=False)
                index[part][name] = file
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows)
        (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
        (folder / "golden.json").write_text(json.dumps({"rows": len(self.rows), **index}, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The golden set below `folder`; ArtifactError when it is missing or torn. Never unpickles."""
        try:
            index = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
            parts = {
                part: {name: np.load(_inside(folder, file), allow_pickle=False) for name, file in index[part].items()}
                for part in ("raw", "device", "answers")
            }
            # Not splitlines(): it would split at U+2028 too, which JSON leaves as it is.
            lines = (folder / "rows.jsonl").read_text(encoding="utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line]
        except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{folder}: not a readable golden set: {error}", str(folder)) from error
        if any(len(tensor) != len(rows) for part in parts.values() for tensor in part.values()):
            raise ArtifactError(f"{folder}: torn golden set: a tensor has not {len(rows)} rows", str(folder))
        return cls(rows, parts["raw"], parts["device"], parts["answers"])


def _inside(folder: Path, file: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{file} leads out of the folder")
    return path
