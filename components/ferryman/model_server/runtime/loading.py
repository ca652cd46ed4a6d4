"""A version folder to a loaded version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ferryman.model_server.runtime.servable import Servable


@dataclass(frozen=True)
class LoadOptions:
    """How versions are loaded; the defaults are tensorflow_model_server's flags."""

    saved_model_tags: str = "serve"
    """Separated by commas."""

    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    prefer_tflite_model: bool = False


def loader(options: LoadOptions) -> Callable[[Path], Servable]:
    """What loads the version in a folder; it raises Refusal with the server's words when it cannot be loaded."""

    def load(folder: Path) -> Servable:
        # TensorFlow is imported with the first model.
        from ferryman.model_server.runtime.saved_model import SavedModel

        return SavedModel(folder)

    return load
