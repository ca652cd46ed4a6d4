"""The steps of the pipeline by name, in the order in which people read them."""

from __future__ import annotations

from typing import Final, Literal, get_args

StepName = Literal[
    "resolve", "prepare", "train", "evaluate", "convert", "serving_check", "gate", "rollout", "hold", "record"
]
STEPS: Final[tuple[str, ...]] = get_args(StepName)
