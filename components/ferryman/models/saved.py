"""The saved model: one that exists already is adopted instead of fitted, and goes the rest of the road."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ferryman.data.options import Options, PinnedSource
from ferryman.features.base import FeatureOptions

Alias = Annotated[str, Field(min_length=1)]
"""The name that a signature gives to one of its tensors."""

Number = Literal[
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"
]


class SavedInput(Options):
    """What one feature is fed to, when its tensor is not of the input's type."""

    input: Alias | None = None
    """The input's alias; by default the feature's own name. Features that name one input are its columns, side by side
    in the order of `data.features`."""

    cast: Number | None = None
    """The input's dtype, where it is another one than the feature's. Written out, because who asks the served model has
    to send this type; a value that would change is refused."""

    divide: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """What the numbers are divided by after the cast: 255 for pixels that the model expects from 0 to 1."""

    @model_validator(mode="after")
    def _fractions_are_floats(self) -> Self:
        if self.divide is not None and (self.cast is None or not self.cast.startswith("float")):
            raise ValueError(f"divide: received {self.divide:g} without a cast to a float type, e.g. `cast: float32`")
        return self


class SavedCore(Options):
    """What is converted for devices."""

    signature: Alias
    """A signature that takes numbers alone and gives the same answers; often `serving_default` itself."""


class SavedOptions(Options):
    """A SavedModel folder or a `.keras` file that exists already: checked, converted and released without training.

    A model artifact of an earlier run (or its served version) is known by itself and needs `source` alone. A SavedModel
    is a program: whoever loads it runs the TensorFlow operations in it. The obvious ones that reach outside are refused
    (see `allow_ops`), but that is no sandbox: take models only from people whose programs you would run.
    """

    kind: Literal["saved"]

    source: Annotated[str, Field(min_length=1)] | PinnedSource
    """A SavedModel folder, a `.keras` file or an earlier run's model artifact: a path relative to the spec, `file://`,
    `gs://`, or `package://NAME@VERSION/PATH` of a `.keras` file. `ferryman run` pins it by content."""

    signature: Alias = "serving_default"
    """The signature that is served; clients ask for this one unless they name another."""

    inputs: dict[str, Alias | SavedInput] = {}
    """Feature -> the input that it is fed to, where the names differ. A signature's only input takes all features: one
    as it is, several numbers as its columns in the order of `data.features`."""

    output: Alias | None = None
    """The output with the probabilities [n, k] or the value [n] or [n, 1]; needed only where several could be meant."""

    label_output: Alias | None = None
    """The output with the name of the class as text, if there is one."""

    classes: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """The classes in the order of the output's columns; by default in the order of the data's classes (sorted)."""

    core: SavedCore | None = None
    """What is converted for devices; by default nothing, since only its author knows which signature is meant for it."""

    allow_ops: tuple[str, ...] = ()
    """Operations that read or write files, or run Python, and that are allowed all the same, e.g. `ReadFile`."""

    def check(self, features: Mapping[str, FeatureOptions]) -> None:
        """Refuse what contradicts itself or the features, as far as that shows without the model.

        Raises:
            ValueError: says what, and what to try.
        """
        for name in self.inputs:
            if name not in features:
                raise ValueError(
                    f"inputs: received the feature {name!r}, which data.features lacks{_near(name, features)}"
                )
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: received a class twice, expected one name a column of the output")

    def feed(self, feature: str) -> SavedInput:
        """What is said of the input of `feature`."""
        said = self.inputs.get(feature, SavedInput())
        return SavedInput(input=said) if isinstance(said, str) else said


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(known))}"
