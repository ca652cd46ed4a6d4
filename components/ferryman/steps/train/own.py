"""Recognising our own: the model artifact of an earlier run, or the version folder that was made of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ferryman.artifacts.manifest import NAME as MANIFEST
from ferryman.artifacts.manifest import verify
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.errors import SpecError
from ferryman.models.saved import SavedOptions
from ferryman.serving.store import EXTRA, KIND
from ferryman.spec import Spec
from ferryman.steps.train.content import content_hash
from ferryman.steps.train.graph import SavedGraph
from ferryman.steps.train.loaded import LoadedModel


@dataclass(frozen=True)
class OwnModel:
    """Where the parts of an artifact of ours lie."""

    saved_model: Path
    beside: Path
    """The folder of `model.json` and `preprocess.json`."""

    card: ModelCard


def find_own(folder: Path) -> OwnModel | None:
    """The artifact in `folder`, verified where it has its manifest; None when it is no artifact of ours.

    Raises:
        ArtifactError: it is torn, altered, or of a newer form.
    """
    for saved_model, beside, kind in ((folder / "saved_model", folder, "model"), (folder, folder / EXTRA, KIND)):
        if (saved_model / "saved_model.pb").is_file() and (beside / FILE).is_file():
            if (folder / MANIFEST).is_file():
                verify(folder, kind)
            return OwnModel(saved_model, beside, ModelCard.read(beside / FILE))
    return None


def check_own(card: ModelCard, spec: Spec, options: SavedOptions, classes: Sequence[str] | None) -> None:
    """Refuse an artifact that answers another question than the spec asks, or options that it answers itself.

    Raises:
        SpecError: says what differs.
    """
    said = [name for name in ("inputs", "output", "label_output", "classes", "core") if getattr(options, name)]
    if said:
        raise SpecError(
            f"model.{said[0]}", "the source is an artifact of Ferryman, which says this itself: leave it out"
        )
    if card.task != spec.task:
        raise SpecError("model.source", f"the model predicts a {card.task}, the label of the spec is a {spec.task}")
    features = {name: feature.model_dump(mode="json") for name, feature in spec.data.features.items()}
    if card.features != features:
        changed = sorted(
            name for name in card.features.keys() | features.keys() if card.features.get(name) != features.get(name)
        )
        raise SpecError(
            "data.features",
            f"the model was trained with other features: {', '.join(changed)} (it reads {card.features.get(changed[0])})",
        )
    unknown = [name for name in classes or () if name not in card.classes]
    if unknown:
        raise SpecError(
            "data.label", f"the data have the class {unknown[0]!r}, the model knows {', '.join(card.classes)}"
        )


def own_content(own: OwnModel, loaded: LoadedModel, graph: SavedGraph) -> str:
    """The content that the card claims where the weights bear it out; else what they and the graph give."""
    card = own.card
    knows = {
        "model": card.model,
        "features": card.features,
        "fitted": card.fitted,
        "label": card.label,
        "classes": card.classes,
    }
    head = {"head": _number_head(own.beside / "model.keras")} if card.task == "number" else {}
    if card.core and content_hash(loaded.variables(card.core.signature), {**knows, **head}) == card.content:
        return card.content
    return content_hash(loaded.weights(), {**knows, "graph": graph.digest(graph.signatures)})


def _number_head(path: Path) -> dict[str, float]:
    """What a number head learned beside its weights, out of the `.keras` file; empty where there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        (scaled,) = (layer["config"] for layer in layers if layer["config"]["name"] == "head.scaled")
        return {"mean": scaled["offset"], "deviation": scaled["scale"]}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return {}
