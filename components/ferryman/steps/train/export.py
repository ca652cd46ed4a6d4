"""The SavedModel: the three endpoints in one folder that a TF 2 loader and the server's v1 session both load."""

from __future__ import annotations

from pathlib import Path

from ferryman.process import one_line
from ferryman.steps.train.trained import TrainedModel, signature


def export_saved_model(model: TrainedModel, folder: Path) -> None:
    """Write `transform`, `core`, `serving_default` and the user's own, whose weights are shared, to `folder`.

    ExportArchive and not `tf.saved_model.save` of a module: that one loads in TF 2 and fails in a v1 session (Keras 3).
    """
    import keras

    archive = keras.export.ExportArchive()
    archive.track(model.core_model.exported)
    archive.add_endpoint("transform", model.transform, signature(model.raw_specs))
    archive.add_endpoint("core", model.core, signature(model.device_specs))
    archive.add_endpoint("serving_default", model.serve, signature(model.raw_specs))
    endpoints = model.endpoints
    if endpoints:
        # They may use layers that `core` does not: a head that only training has, an inner model.
        archive.track(model.core_model.trained)
    for name, function in endpoints.items():
        archive.add_endpoint(name, function, signature(model.raw_specs))
    archive.write_out(str(folder), verbose=False)


def save_keras(model: TrainedModel, path: Path) -> None:
    """Write `core` as a `.keras` file; layers of the user's own that Keras cannot describe leave a line and no file."""
    try:
        model.core_model.exported.save(path)
    except (NotImplementedError, TypeError, ValueError) as error:
        if not model.core_model.foreign:
            raise
        path.unlink(missing_ok=True)
        first = one_line(error, 200).partition(" Example:")[0]
        print(f"no {path.name}: {first} (the SavedModel does without)", flush=True)
