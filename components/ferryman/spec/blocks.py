"""The blocks of a spec that belong to no feature kind and no model family: train, convert and gate."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from ferryman.data.options import Options

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Block(Options):
    """Base of the blocks below; the texts under their fields reach the published JSON Schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class CodeFolder(Block):
    """A Python package of the user's own, whose classes stand in this spec as `package.module:Class`."""

    path: str = Field(min_length=1)
    """The package's folder, relative to the spec; its last part is the name by which it is imported."""

    requirements: str | None = None
    """A lock file (relative to the spec): each `NAME==VERSION` in it must be what is installed. By default nothing is
    asked of the environment."""

    @field_validator("path")
    @classmethod
    def _ends_in_a_name(cls, path: str) -> str:
        if not PurePath(path).name.isidentifier():
            raise ValueError(f"received {path!r}, expected a folder whose last part Python can import, e.g. code/fraud")
        return path

    @property
    def package(self) -> str:
        """The name by which it is imported."""
        return PurePath(self.path).name


class Adam(Block):
    """Adam: steps scaled per weight; the safe first choice."""

    kind: Literal["adam"] = "adam"
    learning_rate: Positive = 0.001
    """Step size; 0.001 is the value that its authors propose."""


class Sgd(Block):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    learning_rate: Positive = 0.01
    """Step size."""


class Stop(Block):
    """When training ends early; the best weights are kept."""

    metric: str = "loss"
    """Watched on the validation split: `loss`, a metric of the task (accuracy, macro_f1, log_loss; rmse, mae, r2), or
    one of the user's own (`fraud.metrics:Cost`)."""

    patience: int = Field(default=3, ge=1)
    """Epochs without a better value before training stops; 3 outlasts the noise of small validation splits."""


class Train(Block):
    """How the weights are found."""

    epochs: int = Field(default=20, ge=1, le=100_000)
    """Passes over the train split at most."""

    batch_size: int = Field(default=64, ge=1, le=1_000_000)
    """Rows per step."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    """Fixes initial weights, shuffling and dropout: the same seed gives the same model on the same machine."""

    optimizer: Annotated[Adam | Sgd, Field(discriminator="kind")] = Adam()
    """How a step is taken."""

    stop: Stop | None = Stop()
    """When training ends early; `null` runs all epochs."""


class Convert(Block):
    """Which TFLite files are made of the model."""

    rungs: tuple[Literal["float32", "int8"], ...] = Field(default=("int8", "float32"), alias="try", min_length=1)
    """What is tried; the smallest file that keeps within `gate.converted` is chosen."""

    required: bool = False
    """Whether a model of which no conversion is good enough is held back."""

    calibration_rows: int = Field(default=200, ge=1, le=100_000)
    """Train rows that show int8 the range of each tensor; more than a few hundred change little."""


class Requirement(Block):
    """A bound on one metric of the candidate on the test split."""

    metric: str
    """A metric of the task: accuracy, macro_f1, log_loss (classes); rmse, mae, r2 (numbers); or one of the user's own
    (`fraud.metrics:Cost`)."""

    at_least: float | None = Field(default=None, allow_inf_nan=False)
    """The lowest value accepted."""

    at_most: float | None = Field(default=None, allow_inf_nan=False)
    """The highest value accepted."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("expected exactly one of at_least and at_most")
        return self


class Margin(Block):
    """How much worse something may be than what it is compared with."""

    metric: str
    """A metric of the task, or one of the user's own (`fraud.metrics:Cost`)."""

    may_lose: NotNegative
    """Of metrics between 0 and 1 a difference (0.01 is one point); of rmse, mae and log_loss, and of a user's own that
    says `relative`, a fraction of the value that it is compared with."""


class Tolerance(Block):
    """How far a served number may lie from the recorded one: `absolute + relative * |recorded|`."""

    absolute: NotNegative = 1e-5
    """Absolute part: of a probability as it is, of a number in standard deviations of the train labels."""

    relative: NotNegative = 1e-4
    """Relative part. Both defaults leave room for another order of float32 sums, and for nothing else."""

    def scaled(self, deviation: float) -> Tolerance:
        """In the output's own unit, of which one standard deviation is `deviation`."""
        return self.model_copy(update={"absolute": self.absolute * deviation})


class Gate(Block):
    """All bounds that a candidate must keep before it may serve."""

    require: tuple[Requirement, ...] = ()
    """Bounds on the candidate alone."""

    champion: Margin
    """The one-sided 95 % lower bound of (candidate - champion) must not lie below -may_lose. By default accuracy or
    rmse, 0.02: tighter margins need more test rows than small data have."""

    converted: Margin
    """What the chosen conversion may lose against the trained model on the test split. By default accuracy or rmse,
    0.005."""

    served: Tolerance = Tolerance()
    """How far served answers may lie from the golden set."""
