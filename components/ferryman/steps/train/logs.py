"""What can be watched while a model is fitted: lines on stdout, scalars for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Progress:
    """Tells each epoch to a person and to TensorBoard (`train/` and `validation/` below `folder`)."""

    def __init__(self, epochs: int, folder: Path) -> None:
        self.epochs, self.folder = epochs, folder
        self._writers: dict[str, Any] = {}

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

    def close(self) -> None:
        """Finish the event files, before a manifest counts their bytes."""
        for writer in self._writers.values():
            writer.close()

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
