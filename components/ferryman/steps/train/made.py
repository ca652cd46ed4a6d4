"""What every way to a model ends with: the artifact's files are written, and this is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ferryman.artifacts.model_card import ModelCard
from ferryman.storage.code import PinnedCode

if TYPE_CHECKING:
    from ferryman.spec import Spec


@dataclass(frozen=True)
class Made:
    """A model whose files lie in the artifact's folder, all but the manifest."""

    card: ModelCard
    headline: str
    """One line for people."""

    facts: dict[str, Any] = field(default_factory=dict)
    """For the record, beside the content."""

    scores: dict[str, float] = field(default_factory=dict)
    """Finite numbers for the pipeline UI."""


def code_of(spec: Spec) -> str:
    """The digest of the user's code where the model or a feature comes from it; empty otherwise."""
    own = any(place.startswith(("model.", "data.features.")) for place in spec.references)
    return spec.code.sha256 if own and isinstance(spec.code, PinnedCode) else ""
