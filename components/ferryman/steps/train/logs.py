"""What can be watched while a model is fitted: lines on stdout, scalars for TensorBoard, a file for the live view."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

from ferryman.artifacts.progress import EPOCHS_KEPT, ProgressFile


class Progress:
    """Tells each epoch of `rows` rows to a person, to TensorBoard (`train/` and `validation/` below `folder`) and `file`."""

    def __init__(self, epochs: int, folder: Path, rows: int = 0, file: ProgressFile | None = None) -> None:
        self.epochs, self.folder, self.rows, self.file = epochs, folder, rows, file
        self._writers: dict[str, Any] = {}
        self._began, self._epoch = time.monotonic(), 0
        self._numbers: deque[dict[str, float]] = deque(maxlen=EPOCHS_KEPT)
        self._leave(now=True)

    def __call__(self, epoch: int, numbers: dict[str, float]) -> None:
        """One epoch, counted from 1; `numbers` are named as in `history.json`."""
        import tensorflow as tf

        for name, value in numbers.items():
            split = "validation" if name.startswith("validation_") else "train"
            with self._writer(split).as_default():
                tag = f"epoch_{name.removeprefix('validation_')}"
                tf.summary.write(tag, tf.constant(value, tf.float32), step=epoch, metadata=_scalar())
        told = "  ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in numbers.items())
        print(f"epoch {epoch}/{self.epochs}  {told}", flush=True)
        self._epoch = epoch
        self._numbers.append(numbers)
        self._leave(now=False)

    def close(self) -> None:
        """Say the last epoch, and finish the event files, before a manifest counts their bytes."""
        self._leave(now=True)
        for writer in self._writers.values():
            writer.close()

    def _leave(self, *, now: bool) -> None:
        if self.file:
            self.file.leave(
                now=now,
                rows=self.rows,
                epoch=self._epoch,
                epochs=self.epochs,
                seconds=round(time.monotonic() - self._began, 3),
                numbers=list(self._numbers),
            )

    def _writer(self, split: str) -> Any:
        import tensorflow as tf

        if split not in self._writers:
            self._writers[split] = tf.summary.create_file_writer(str(self.folder / split))
        return self._writers[split]


def _scalar() -> Any:
    """What tells TensorBoard to draw a tensor as a curve: `tf.summary.scalar` itself needs TensorBoard installed."""
    import tensorflow as tf

    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    # 1 is DATA_CLASS_SCALAR (tensorflow/core/framework/summary.proto).
    return tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class=1)
