"""Whether a champion can be judged on these rows, and its answers in the candidate's order of classes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferryman.artifacts.model_card import ModelCard


def not_comparable(candidate: ModelCard, champion: ModelCard) -> str:
    """Why the champion's answers to these rows are no evidence; empty when they are."""
    if champion.task != candidate.task:
        return f"the champion predicts a {champion.task}, the candidate a {candidate.task}"
    if set(champion.classes) != set(candidate.classes):
        return f"the champion knows the classes {champion.classes}, the candidate {candidate.classes}"
    if champion.features != candidate.features:
        changed = sorted(
            name
            for name in champion.features.keys() | candidate.features.keys()
            if champion.features.get(name) != candidate.features.get(name)
        )
        return f"the champion reads other features: {', '.join(changed)}"
    if _asked(champion) != _asked(candidate):
        return f"the champion predicts another label: {_asked(champion)}, the candidate {_asked(candidate)}"
    return may_have_seen(candidate.split, champion)


def in_order(answers: np.ndarray, champion: ModelCard, candidate: ModelCard) -> np.ndarray:
    """The champion's probabilities [n, k] with columns in the candidate's order of classes; numbers as they are."""
    if candidate.task == "number":
        return answers
    return answers[:, [champion.classes.index(name) for name in candidate.classes]]


def _asked(card: ModelCard) -> dict[str, Any]:
    """What a model is asked for: the label's column, and which rows have one."""
    asked = {name: card.label.get(name) for name in ("column", "missing")}
    return asked | {"nulls": sorted(card.format.get("nulls", []))}


def may_have_seen(split: Mapping[str, Any], model: ModelCard, who: str = "the champion") -> str:
    """Why a model may have been trained on the test rows of `split`, where it would look better than it is.

    Empty where it was not, or where nobody knows what it was trained on.
    """
    if model.trained_on == {}:
        return ""
    apart = _apart(split, model.split if model.trained_on is None else model.trained_on)
    return f"{who} may have trained on these rows: {apart}" if apart else ""


def _apart(split: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """How another split puts rows on other sides than this one; empty where it does not."""
    for field in ("kind", "seed", "key", "rule"):
        if split.get(field) != other.get(field):
            return f"its split has {field} {other.get(field)!r}, this one {split.get(field)!r}"
    if split.get("kind") == "exact" and split.get("source_sha256") != other.get("source_sha256"):
        return "an exact split of other source data puts rows on other sides (use `split: {kind: hash}` for data that grow)"
    if any(split.get(size) != other.get(size) for size in ("validation", "test")):
        return "its split has other sizes"
    return ""
