"""Whether a champion can be judged on these rows, and its answers in the candidate's order of classes. Pure."""

from __future__ import annotations

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
    return _may_have_trained_on_them(candidate.split, champion.split)


def in_order(answers: np.ndarray, champion: ModelCard, candidate: ModelCard) -> np.ndarray:
    """The champion's probabilities [n, k] with columns in the candidate's order of classes; numbers as they are."""
    if candidate.task == "number":
        return answers
    return answers[:, [champion.classes.index(name) for name in candidate.classes]]


def _asked(card: ModelCard) -> dict[str, Any]:
    """What a model is asked for: the label's column, and which rows have one."""
    asked = {name: card.label.get(name) for name in ("column", "missing")}
    return asked | {"nulls": sorted(card.format.get("nulls", []))}


def _may_have_trained_on_them(candidate: dict[str, Any], champion: dict[str, Any]) -> str:
    """A champion that has seen the test rows in its training would look better than it is."""
    for field in ("kind", "seed", "key", "rule"):
        if candidate.get(field) != champion.get(field):
            return (
                f"the champion may have trained on these rows: its split has {field} {champion.get(field)!r}, "
                f"this one {candidate.get(field)!r}"
            )
    if candidate.get("kind") == "exact":
        if candidate.get("source_sha256") != champion.get("source_sha256"):
            return (
                "the champion may have trained on these rows: an exact split of other source data puts rows on other "
                "sides (use `split: {kind: hash}` for data that grow)"
            )
        sizes = ("validation", "test")
        if any(candidate.get(size) != champion.get(size) for size in sizes):
            return "the champion may have trained on these rows: its split has other sizes"
    elif any(candidate.get(size) != champion.get(size) for size in ("validation", "test")):
        return "the champion may have trained on these rows: its split has other sizes"
    return ""
