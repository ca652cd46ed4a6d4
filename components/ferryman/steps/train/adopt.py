"""Adopting a model that exists already: unpacked, recognised, checked against the spec, and served as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.artifacts.manifest import NAME as MANIFEST
from ferryman.artifacts.model_card import FILE, CoreCard, DeviceTensor, ModelCard
from ferryman.data.examples import Examples
from ferryman.data.options import PinnedSource
from ferryman.errors import SpecError
from ferryman.features import FeatureOptions, Feed, features_from, preprocess_document
from ferryman.models.core import ClassHead, NumberHead
from ferryman.models.saved import SavedOptions
from ferryman.serving.store import EXTRA
from ferryman.spec import Spec
from ferryman.steps.train.choose_golden import choose_rows, record_golden
from ferryman.steps.train.content import content_hash, weights_by_path
from ferryman.steps.train.export import export_saved_model
from ferryman.steps.train.fetch import fetch, saved_model_in
from ferryman.steps.train.graph import SavedGraph
from ferryman.steps.train.keras_file import KerasFileModel, architecture, check_config, check_options, load_keras_file
from ferryman.steps.train.loaded import LoadedModel, check_answers
from ferryman.steps.train.made import Made, code_of
from ferryman.steps.train.match import match
from ferryman.steps.train.own import OwnModel, check_own, find_own, own_content
from ferryman.steps.train.rehearsal import load_features
from ferryman.steps.train.rows import rows_from


def adopt_model(spec: Spec, options: SavedOptions, examples: Examples, folder: Path, work: Path) -> Made:
    """Write the artifact of the model that `options` name to `folder`; `work` is for unpacking.

    Raises:
        SpecError: the model is not what the spec says; with what was received and what was expected.
        ArtifactError: its pinned copy is missing or altered, or it is an artifact of ours that is.
        DataError: a test row cannot be fed to it.
    """
    source = fetch(options, work)
    adoption = Adoption(spec, options, examples, folder)
    if source.is_file():
        return adoption.keras_file(source)
    own = find_own(source)
    return adoption.own(own) if own else adoption.foreign(saved_model_in(source))


def look_at(spec: Spec, options: SavedOptions, work: Path) -> None:
    """Refuse, within a second and without TensorFlow, what can be seen from outside; `work` is for unpacking.

    Raises:
        SpecError, ArtifactError: as `adopt_model`.
    """
    source = fetch(options, work)
    if source.is_file():
        check_options(options)
        check_config(source)
        return
    own = find_own(source)
    saved_model = own.saved_model if own else saved_model_in(source)
    graph = SavedGraph(saved_model)
    graph.check(options.allow_ops)
    label = spec.data.label
    known = None if label.kind == "number" else options.classes or label.classes or ()
    if own:
        check_own(own.card, spec, options, known)
    elif not any(place.startswith("data.features.") for place in spec.references):
        # What a feature of the user's own gives is known only where its code runs.
        match(options, spec.data.features, known, graph.signatures)


class Adoption:
    """One spec, its examples, and the folder that the artifact is written to."""

    def __init__(self, spec: Spec, options: SavedOptions, examples: Examples, folder: Path) -> None:
        self.spec, self.options, self.examples, self.folder = spec, options, examples, folder
        documents = {name: entry["options"] for name, entry in examples.schema["features"].items()}
        self.features: Mapping[str, FeatureOptions] = features_from(documents)
        load_features(self.features)

    def keras_file(self, path: Path) -> Made:
        """Load, export with our three endpoints, and keep the file itself beside."""
        classes = self._classes()
        head = ClassHead(tuple(classes)) if classes else NumberHead(0.0, 1.0)
        model = load_keras_file(path, self.options, self.features, head)
        text = [feed.input for feed in model.feeds if feed.dtype == "string"]
        no_core = f"its input {text[0]!r} is text, which no device file takes" if text else ""
        core = None if no_core else CoreCard(feeds=list(model.feeds))
        knows = {
            "architecture": architecture(model.core_model.exported),
            "inputs": _plain(model.feeds),
            "output": model.output,
        }
        card = self._card(
            content=content_hash(weights_by_path(model.core_model.exported), self._knows(knows, classes)),
            classes=classes,
            outputs=model.outputs,
            core=core,
            no_core=no_core,
        )
        golden = record_golden(model, self._golden_rows(card))
        check_answers(card, golden.answers)
        golden.write(self.folder / "golden")
        export_saved_model(model, self.folder / "saved_model")
        shutil.copyfile(path, self.folder / "model.keras")
        return self._made(card, f"the .keras file {_named(self.options)}", _described(model))

    def own(self, own: OwnModel) -> Made:
        """Keep everything that an earlier run made, and ask it for golden answers to this run's rows."""
        classes = self.examples.schema["classes"]
        check_own(own.card, self.spec, self.options, classes)
        graph = SavedGraph(own.saved_model)
        graph.check(self.options.allow_ops)
        old, document = own.card, self.spec.document()["data"]
        loaded = LoadedModel(own.saved_model)
        card = old.model_copy(
            update={
                "name": self.spec.name,
                "split": self._split(),
                "trained_on": old.split if old.trained_on is None else old.trained_on,
                "format": document["format"],
                "columns": self.examples.schema.get("columns"),
                "width": self.examples.schema.get("width", 0),
                "label": document["label"],
                "content": own_content(own, loaded, graph),
            }
        )
        loaded.golden(card, self.features, self._golden_rows(card)).write(self.folder / "golden")
        self._copy(own.saved_model)
        for name in ("preprocess.json", "model.keras", "history.json"):
            if (own.beside / name).is_file():
                shutil.copyfile(own.beside / name, self.folder / name)
        return self._made(card, f"the artifact {_named(self.options)}", "with all that it learned")

    def foreign(self, saved_model: Path) -> Made:
        """Check the signature, and serve the very files."""
        classes, options = self._classes(), self.options
        graph = SavedGraph(saved_model)
        graph.check(options.allow_ops)
        found = match(options, self.features, classes, graph.signatures)
        signature, core = found.signature, found.core
        knows = {
            "signature": signature.name,
            "inputs": _plain(found.inputs),
            "output": found.output,
            "label_output": options.label_output,
            "core": core.model_dump(mode="json") if core else None,
            "graph": graph.digest([signature.name, *([core.signature] if core else [])]),
        }
        loaded = LoadedModel(saved_model)
        card = self._card(
            content=content_hash(loaded.weights(), self._knows(knows, classes)),
            classes=classes,
            outputs=list(signature.outputs),
            signature=signature.name,
            inputs=found.inputs,
            output=found.output,
            label_output=options.label_output,
            core=core,
            no_core="" if core else _no_core(graph),
        )
        loaded.golden(card, self.features, self._golden_rows(card)).write(self.folder / "golden")
        self._copy(saved_model)
        return self._made(
            card, f"the SavedModel {_named(options)}", f"signature {signature.name}, output {found.output}"
        )

    def _classes(self) -> list[str] | None:
        """The classes in the order of the output's columns; None where the label is a number."""
        found: list[str] | None = self.examples.schema["classes"]
        named = self.options.classes
        if found is None:
            if named or self.options.label_output:
                field = "classes" if named else "label_output"
                raise SpecError(f"model.{field}", "the label is a number, which has no classes: leave it out")
            return None
        unknown = [name for name in found if named and name not in named]
        if unknown:
            raise SpecError(
                "model.classes", f"the data have the class {unknown[0]!r}, received {', '.join(named or ())}"
            )
        return list(named or found)

    def _scale(self) -> float:
        """One standard deviation of the train labels, in which tolerances count; 1 for classes."""
        if self.spec.task == "class":
            return 1.0
        return float(np.std(self.examples.split("train").column("label").to_numpy())) or 1.0

    def _knows(self, model: Mapping[str, Any], classes: list[str] | None) -> dict[str, Any]:
        """What counts for the content beside the weights."""
        return {
            "model": {"kind": "saved", **model},
            "features": self._feature_documents(),
            "fitted": {},
            "label": self.spec.document()["data"]["label"],
            "classes": classes or [],
            **({"code": code} if (code := code_of(self.spec)) else {}),
        }

    def _card(self, classes: list[str] | None, core: CoreCard | None, **more: Any) -> ModelCard:
        document = self.spec.document()
        return ModelCard(
            name=self.spec.name,
            task=self.spec.task,
            classes=classes or [],
            features=self._feature_documents(),
            fitted={},
            label=document["data"]["label"],
            split=self._split(),
            format=document["data"]["format"],
            columns=self.examples.schema.get("columns"),
            width=self.examples.schema.get("width", 0),
            model=document["model"],
            code=code_of(self.spec),
            seed=self.spec.train.seed,
            scale=self._scale(),
            device=[
                DeviceTensor(name=feed.input, dtype=feed.dtype, shape=list(feed.shape))
                for feed in (core.feeds or [] if core else [])
            ],
            core=core,
            trained_on={},
            **more,
        )

    def _made(self, card: ModelCard, what: str, how: str) -> Made:
        (self.folder / FILE).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if not (self.folder / "preprocess.json").is_file():
            feeds = card.core.feeds if card.core else []
            document = preprocess_document(self.features, card.fitted, feeds)
            text = json.dumps(document, indent=1, ensure_ascii=False)
            (self.folder / "preprocess.json").write_text(text + "\n", encoding="utf-8")
        core = "to be converted" if card.core else "nothing to convert"
        return Made(card, f"adopted {what}: {how}; {core}", {"adopted": _named(self.options)})

    def _golden_rows(self, card: ModelCard) -> dict[str, Any]:
        classes = card.classes if card.task == "class" else None
        test = rows_from(self.features, classes, self.examples.split("test"))
        return test.take(choose_rows(test.target, classes=classes is not None)).raw

    def _copy(self, saved_model: Path) -> None:
        """The files as they are; what Ferryman itself put beside a served version is no part of the model."""

        def ours(at: str, names: list[str]) -> list[str]:
            place = Path(at).relative_to(saved_model)
            return [name for name in names if place / name in (EXTRA, Path(MANIFEST))]

        shutil.copytree(saved_model, self.folder / "saved_model", ignore=ours)

    def _feature_documents(self) -> dict[str, Any]:
        return {name: feature.model_dump(mode="json") for name, feature in self.features.items()}

    def _split(self) -> dict[str, Any]:
        schema = self.examples.schema
        return {**schema["split"], "source_sha256": schema["source"]["sha256"]}


def _no_core(graph: SavedGraph) -> str:
    if {"core", "transform"} <= graph.signatures.keys():
        return (
            "it was taken without the model.json of its artifact: give the artifact's folder, one above, as the source"
        )
    return "the spec names no `core`, a signature of numbers alone that gives the same answers"


def _plain(feeds: Any) -> list[dict[str, Any]]:
    return [feed.model_dump(mode="json") for feed in feeds if isinstance(feed, Feed)]


def _named(options: SavedOptions) -> str:
    name = options.source.name if isinstance(options.source, PinnedSource) else options.source
    return name.rstrip("/").rpartition("/")[2]


def _described(model: KerasFileModel) -> str:
    inputs = ", ".join(f"{feed.input} ({', '.join(feed.features)})" for feed in model.feeds)
    return f"inputs {inputs}, output {model.output}"
