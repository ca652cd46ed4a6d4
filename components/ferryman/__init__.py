"""Ferryman carries a machine-learning model from raw data to a served model, and checks every hand-over with numbers.

What user code builds on: `ferryman.Model`, `ferryman.Feature`, `ferryman.Metric`, `ferryman.Options` and
`ferryman.testing`. Nothing of it is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferryman.data.options import Options as Options
    from ferryman.features.user import Feature as Feature
    from ferryman.metrics.user import Metric as Metric
    from ferryman.models.user import Context as Context
    from ferryman.models.user import FitRows as FitRows
    from ferryman.models.user import Model as Model

_PUBLIC = {
    "Context": "ferryman.models.user",
    "Feature": "ferryman.features.user",
    "FitRows": "ferryman.models.user",
    "Metric": "ferryman.metrics.user",
    "Model": "ferryman.models.user",
    "Options": "ferryman.data.options",
}


def __getattr__(name: str) -> Any:
    if name == "testing":
        return importlib.import_module("ferryman.testing")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'ferryman' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC, "testing"])
