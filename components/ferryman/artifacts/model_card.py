"""The model card: all that a reader must know of a model to feed it and to compare it, without TensorFlow."""

from __future__ import annotations

from typing import Any, Literal

from ferryman.artifacts.evidence import Evidence

FILE = "model.json"


class DeviceTensor(Evidence):
    """One input of `core`: name, dtype (numpy name) and shape of one row."""

    name: str
    dtype: str
    shape: list[int] = []


class ModelCard(Evidence):
    """`model.json` of a model artifact; the same file lies beside every served version."""

    schema_version: int = 1
    name: str
    task: Literal["class", "number"]
    classes: list[str] = []
    """Class names in the order of the columns of `probabilities`; empty for numbers."""

    features: dict[str, dict[str, Any]]
    """Feature name -> its options, in the order of the spec."""

    fitted: dict[str, dict[str, Any]]
    """Feature name -> what it learned from the train split."""

    label: dict[str, Any]
    split: dict[str, Any]
    """The split's options with `source_sha256` and `rule`: which rows this model was trained on."""

    format: dict[str, Any] = {}
    """How the raw data were read, so that `predict` reads rows of the same form."""

    columns: list[str] | None = None
    """Names of the raw data's columns, so that an index means the same column in rows of another order."""

    width: int = 0
    """How many columns the raw data had; 0 where nobody knows."""

    model: dict[str, Any] = {}
    code: str = ""
    """SHA-256 of the user's package where the model or a feature comes from it; empty otherwise."""

    seed: int
    content: str
    """SHA-256 of what the model knows (weights, fitted tables, model, features and label): equal means nothing new."""

    scale: float = 1.0
    """One standard deviation of the train labels, in their unit; 1 for classes. Tolerances count in it."""

    outputs: list[str]
    device: list[DeviceTensor]
