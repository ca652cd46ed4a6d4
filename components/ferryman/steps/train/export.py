"""The SavedModel: the three endpoints in one folder that a TF 2 loader and the server's v1 session both load."""

from __future__ import annotations

from pathlib import Path

from ferryman.steps.train.trained import TrainedModel, signature


def export_saved_model(model: TrainedModel, folder: Path) -> None:
    """Write `transform`, `core` and `serving_default`, whose weights are shared, to `folder`.

    ExportArchive and not `tf.saved_model.save` of a module: that one loads in TF 2 and fails in a v1 session (Keras 3).
    """
    import keras

    archive = keras.export.ExportArchive()
    archive.track(model.core_model.exported)
    archive.add_endpoint("transform", model.transform, signature(model.raw_specs))
    archive.add_endpoint("core", model.core, signature(model.device_specs))
    archive.add_endpoint("serving_default", model.serve, signature(model.raw_specs))
    archive.write_out(str(folder), verbose=False)
