"""The model card: all that a reader must know of a model to feed it and to compare it, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import ArtifactError
from ferryman.features.feeds import Feed, feed_tensors

FILE = "model.json"

OUTPUTS: Final = {"class": "probabilities", "number": "value"}
"""Task -> the numeric output of our own exports."""


class DeviceTensor(Evidence):
    """One input of `core`: name, dtype (numpy name) and shape of one row."""

    name: str
    dtype: str
    shape: list[int] = []


class CoreCard(Evidence):
    """The endpoint that is converted for devices."""

    signature: str = "core"
    output: str = ""
    """Alias of its numeric output; empty: the name that our own exports have."""

    feeds: list[Feed] | None = None
    """How its inputs are made of raw tensors, where no fitted feature makes them."""


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

    signature: str = "serving_default"
    """The signature that is served."""

    inputs: list[Feed] = []
    """What a request holds; empty: the raw tensor of each feature under the feature's name."""

    output: str = ""
    """Alias of the output with the probabilities or the value; empty: the name that our own exports have."""

    label_output: str | None = "label"
    """Alias of the output with the class's name; None where the model gives none."""

    core: CoreCard | None = CoreCard()
    """None where nothing can be converted; `no_core` then says why."""

    no_core: str = ""

    trained_on: dict[str, Any] | None = None
    """The split whose train rows the model has seen, where that is another one than `split`; empty: nobody knows."""

    @property
    def numeric_output(self) -> str:
        """Alias of the output with the probabilities or the value."""
        return self.output or OUTPUTS[self.task]

    def request(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the served signature is sent for the raw tensors [n, ...] of the features, by alias."""
        return feed_tensors(self.inputs, raw)

    def numbers(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The probabilities float64 [n, k] or values float64 [n] among the outputs of the served signature."""
        return numbers(self.task, outputs[self.numeric_output])

    def targets(self, labels: Sequence[Any]) -> np.ndarray:
        """The true answers to rows with these labels: class indexes int64 [n], or numbers float64 [n].

        Raises:
            ArtifactError: a label is a class that the model does not know.
        """
        if self.task == "number":
            return np.array(labels, dtype=np.float64)
        index = {name: number for number, name in enumerate(self.classes)}
        unknown = sorted(set(labels) - index.keys())
        if unknown:
            known = f"which the model does not know: {self.classes}"
            raise ArtifactError(f"the test split has the class {unknown[0]!r}, {known}")
        return np.array([index[label] for label in labels], dtype=np.int64)

    def labels(self, outputs: Mapping[str, np.ndarray]) -> list[str]:
        """The names of the classes that the outputs of the served signature mean; empty where it has no answer."""
        if self.label_output is not None and self.label_output in outputs:
            return [label.decode(errors="replace") for label in outputs[self.label_output].ravel().tolist()]
        # The largest of NaN would be the first class.
        return ["" if np.isnan(row).any() else self.classes[row.argmax()] for row in self.numbers(outputs)]


def numbers(task: str, answers: np.ndarray) -> np.ndarray:
    """Answers as the metrics take them: float64 [n, k] of classes, float64 [n] of numbers ([n, 1] as well)."""
    wide = answers.astype(np.float64)
    return wide.reshape(len(wide)) if task == "number" else wide
