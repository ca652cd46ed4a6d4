"""What the trained model says on the raw rows, and whether the numpy reference feeds a device the same tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferryman.artifacts.model_card import FILE, OUTPUTS, CoreCard, ModelCard
from ferryman.data.examples import LABEL
from ferryman.errors import StepError
from ferryman.features import FeatureOptions, device_reference, features_from, preprocess_document, raw_tensors
from ferryman.process import one_line
from ferryman.steps.convert.contract import TransformGap, Truth, transform_gap
from ferryman.steps.convert.endpoints import Endpoints, join, slices
from ferryman.steps.convert.tensors import Tensors, TensorWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from ferryman.spec.blocks import Margin


@dataclass(frozen=True)
class Subject:
    """The model under test: its card, its `preprocess.json` and its endpoints."""

    card: ModelCard
    preprocess: dict[str, Any]
    features: Mapping[str, FeatureOptions]
    endpoints: Endpoints

    @classmethod
    def load(cls, folder: Path) -> Subject:
        """The model artifact in `folder`, which was verified before; it has a `core`."""
        card = ModelCard.read(folder / FILE)
        preprocess = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        return cls(card, preprocess, features_from(card.features), Endpoints(folder / "saved_model", card))

    @property
    def core(self) -> CoreCard:
        """What the card says of the endpoint that is converted."""
        return self.endpoints.core_card

    def device(self, raw: Tensors) -> tuple[Tensors, TransformGap]:
        """The device tensors of `transform`, and how far the reference lies from them.

        A reference that cannot compute them is bad news about the model, not a failure of this step.
        """
        device = self.endpoints.transform(raw)
        try:
            reference = device_reference(self.preprocess, raw)
        except Exception as error:
            return device, TransformGap(first=f"the reference cannot compute them: {one_line(error)}")
        return device, transform_gap(reference, device)


def document_gap(subject: Subject) -> TransformGap:
    """Whether `preprocess.json` says what the model learned; finds also what no row of the data would show."""
    expected = json.loads(json.dumps(preprocess_document(subject.features, subject.card.fitted, subject.core.feeds)))
    if expected == subject.preprocess:
        return TransformGap()
    return TransformGap(first="preprocess.json is not what model.json's fitted values give")


def observe_train(subject: Subject, table: pa.Table, calibration_rows: int) -> tuple[Tensors, TransformGap]:
    """Device tensors of the first `calibration_rows` rows, and the gap over all rows.

    All rows, because only the train split is certain to hold every category that was learned; the first ones for
    calibration, because rows lie in the order of a hash: they are a random sample.
    """
    kept: list[Tensors] = []
    gap, seen = TransformGap(), 0
    for part in slices(table):
        device, apart = subject.device(raw_tensors(subject.features, part))
        gap += apart
        if seen < calibration_rows:
            kept.append({name: tensor[: calibration_rows - seen] for name, tensor in device.items()})
        seen += part.num_rows
    if not kept:
        raise StepError("the examples have no train rows, expected at least one to calibrate with")
    return join(kept), gap


def observe_test(subject: Subject, table: pa.Table, margin: Margin, tensors: Path, gap: TransformGap) -> Truth:
    """What `core` and `serving_default` answer on the test split; its device tensors are written below `tensors`."""
    if not table.num_rows:
        raise StepError("the examples have no test rows, expected at least one to measure with")
    core: list[Tensors] = []
    served: list[np.ndarray] = []
    with TensorWriter(tensors, table.num_rows) as writer:
        for part in slices(table):
            raw = raw_tensors(subject.features, part)
            device, apart = subject.device(raw)
            gap += apart
            writer.append(device)
            core.append(subject.endpoints.core(device))
            served.append(subject.endpoints.serve(raw))
    return Truth(
        margin.metric,
        margin.may_lose,
        subject.card.targets(table.column(LABEL).to_pylist()),
        np.concatenate(served),
        join(core),
        gap + document_gap(subject),
        subject.core.output or OUTPUTS[subject.card.task],
    )
