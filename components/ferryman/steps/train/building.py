"""A model of the spec before and after fitting: of a built-in family, or of the user's own class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ferryman.code.place import blaming
from ferryman.errors import SpecError
from ferryman.features import FeatureOptions, fit_features
from ferryman.models import SavedOptions, UserModelOptions
from ferryman.models.core import ClassHead, Core, Head, NumberHead, build_core
from ferryman.models.user import Context, Model
from ferryman.models.user_core import UserCore, build_user_core
from ferryman.steps.train.fit import History, Plan, fit
from ferryman.steps.train.own_loop import fit_by_author
from ferryman.steps.train.rehearsal import load_features, rehearse_features
from ferryman.steps.train.rows import Rows
from ferryman.steps.train.trained import TrainedModel
from ferryman.steps.train.validation import Validation, trainable

if TYPE_CHECKING:
    from ferryman.spec import Spec


def untrained_model(
    spec: Spec, plan: Plan, features: Mapping[str, FeatureOptions], train: Rows, classes: list[str] | None
) -> TrainedModel:
    """The features fitted on the train split, and the network of the spec with its first weights.

    Raises:
        SpecError, UserCodeError: a feature or the model of the user's is wrong.
    """
    if isinstance(spec.model, SavedOptions):
        raise SpecError("model", "a saved model is adopted, not fitted: `ferryman run` does it")
    load_features(features)
    fitted = fit_features(features, train.raw)
    rehearse_features(features, fitted, train)
    head = _head(classes, train)
    core: Core
    if isinstance(spec.model, UserModelOptions):
        author = spec.model.load()
        core = build_user_core(author, _context(spec, plan, author, head), features, fitted, head)
    else:
        core = build_core(spec.model, features, fitted, head)
    return TrainedModel(features, fitted, head, core)


def fit_untrained(
    model: TrainedModel,
    plan: Plan,
    train: Rows,
    watched: Validation,
    told: Callable[[int, dict[str, float]], None],
) -> History:
    """Find the weights: by the user's own loop where there is one, else by ours."""
    core = model.core_model
    device, target = model.device_tensors(train.raw), trainable(model.head, train.target)
    if not isinstance(core, UserCore):
        return fit(core, plan, device, target, validation=watched, told=told)
    if core.own_loop:
        return fit_by_author(core, plan, device, target, validation=watched, told=told)
    with blaming(core.author.build, "the model cannot be fitted"):
        return fit(core, plan, device, target, validation=watched, told=told)


def _head(classes: list[str] | None, train: Rows) -> Head:
    if classes is not None:
        return ClassHead(tuple(classes))
    return NumberHead(float(np.float32(train.target.mean())), float(np.float32(train.target.std())))


def _context(spec: Spec, plan: Plan, author: Model, head: Head) -> Context:
    return Context(
        task=spec.task,
        classes=head.classes if isinstance(head, ClassHead) else (),
        options=author.options,
        seed=spec.train.seed,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
    )
