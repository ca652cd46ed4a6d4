"""The model on a sample of the rows: built, fitted for two steps, exported, loaded both ways, converted, served."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.checks.finding import STEP, Finding, error, from_error, note, warning
from ferryman.checks.ground import Ground, given
from ferryman.data.examples import Examples
from ferryman.data.options import PinnedSource
from ferryman.data.split import SIDES, hash_order, row_ids
from ferryman.errors import FerrymanError, StepError
from ferryman.golden.golden_set import GoldenSet
from ferryman.models import SavedOptions
from ferryman.models.user_core import UserCore
from ferryman.serving.server import START_LIMIT, await_listening, start_server
from ferryman.spec.pinning import pin_model
from ferryman.steps.prepare.prepare import write_sides
from ferryman.steps.prepare.sides import Divided
from ferryman.steps.train.fit import LOSS, History
from ferryman.steps.train.train import Training, fit_model, plan_of, write_model

if TYPE_CHECKING:
    from ferryman.spec import Spec
    from ferryman.steps.prepare.rows import Rows

SAMPLE: Final = 200
"""Rows of each side at most: a few hundred show what a model does with them, and take no time."""

GREW: Final = 100.0
"""Times that the loss may grow from the first step to the second; a step that is only a little too long does less."""


def check_sample(ground: Ground) -> Iterator[Finding]:
    """Write a few hundred rows as the step prepare would."""
    found = given(ground.scan)
    unread = [name for name in ground.reading.features if name not in found.features()]
    if unread or not found.labelled or len(found.rows) < len(SIDES):
        ground.headline = f"cannot be made: {', '.join(unread) or 'the label or the rows'} could not be read"
        return
    divided = ground.divided or _anyhow(found.rows, found.rows.classes(ground.reading.label))
    source = PinnedSource(name=str(given(ground.data).source), uri="file:///sample", sha256="0" * 64)
    folder = ground.work / "examples"
    sizes = write_sides(found.rows, divided, source, ground.reading, folder, limit=SAMPLE).sizes
    ground.examples = Examples(folder)
    ground.headline = f"{sum(sizes.values()):,} rows"
    yield from ()


def _anyhow(rows: Rows, classes: list[str] | None) -> Divided:
    """Rows on all three sides, where the spec's own split leaves one empty: the model can be tried all the same."""
    digests = np.frombuffer(bytes(rows.digests), dtype=np.uint8).reshape(len(rows), -1)
    ids = row_ids(digests.tobytes())
    order = hash_order(ids, 0)
    sides = np.empty(len(rows), dtype=np.uint8)
    sides[order] = np.arange(len(rows)) % len(SIDES)
    return Divided(digests, ids, order, sides, rows.strata(classes), classes)


def check_training(ground: Ground) -> Iterator[Finding]:
    """Build the model and take two steps, as the spec says to."""
    spec, examples = given(ground.spec), given(ground.examples)
    if isinstance(spec.model, SavedOptions):
        yield from _adopt(ground, spec, spec.model)
        return
    plan = dataclasses.replace(plan_of(spec), epochs=2, steps=1, stop_metric=None)
    try:
        training = fit_model(spec, examples, ground.work / "logs", plan)
    except StepError as failure:
        rate = spec.train.optimizer.learning_rate
        where = "train.optimizer.learning_rate"
        yield from_error(failure, where, f"a learning rate of {rate / 10:g} or less; see also the features' warnings")
        return
    ground.training = training
    weights = sum(int(np.prod(weight.shape)) for weight in training.model.core_model.exported.weights)
    ground.headline = f"{weights:,} weights{_course(training.history)}"
    yield from _course_findings(spec, training)


def _course(history: History) -> str:
    """How the number that is shown went from the first epoch to the last, e.g. `, loss 0.7 then 0.6`."""
    name = history.shown
    values = [epoch[name] for epoch in history.epochs if name in epoch]
    if not values:
        return ", no number of its own reported"
    return f", {name} {values[0]:.3g}" + (f" then {values[-1]:.3g}" if len(values) > 1 else "")


def _course_findings(spec: Spec, training: Training) -> Iterator[Finding]:
    """A loss that runs away; a loop of the user's own that tells nobody how far it is."""
    core, epochs = training.model.core_model, training.history.epochs
    if isinstance(core, UserCore) and core.own_loop:
        if not training.history.shown:
            what = f"{type(core.author).__name__}.fit reports no number: the live view and the history stay empty"
            yield note("model", what, 'context.report(epoch, {"loss": loss}) after each epoch')
        return
    if len(epochs) < 2 or not all(LOSS in epoch for epoch in epochs):
        # A training step of the user's own may give other numbers.
        return
    first, second = epochs[0][LOSS], epochs[-1][LOSS]
    if second > GREW * max(first, 1.0):
        text = f"received {spec.train.optimizer.learning_rate:g}: the loss grew from {first:.3g} to {second:.3g} in one step"
        advice = f"{spec.train.optimizer.learning_rate / 10:g} or less"
        yield warning("train.optimizer.learning_rate", text, advice)


def _adopt(ground: Ground, spec: Spec, options: SavedOptions) -> Iterator[Finding]:
    """Take a model that exists, as the step train would; nothing is fitted and nothing exported."""
    from ferryman.steps.train.adopt import adopt_model

    folder, work = ground.work / "model", ground.work / "adopted"
    folder.mkdir()
    work.mkdir()
    path = Path(ground.request.spec)
    try:
        options = pin_model(options, path.resolve().parent, ground.work / "home", "")
        made = adopt_model(spec, options, given(ground.examples), folder, work)
    except FerrymanError as failure:
        yield from_error(failure, "model", "look at what the model's signature wants, and at `model` in the spec")
        return
    ground.model, ground.headline = folder, made.headline


def check_export(ground: Ground) -> Iterator[Finding]:
    """Export the model, load it in TensorFlow 2 and in a session as the server does, and compare the answers."""
    from ferryman.steps.train.rehearsal import answers_otherwise

    spec, folder = given(ground.spec), ground.work / "model"
    card = write_model(spec, given(ground.examples), given(ground.training), folder)
    golden = GoldenSet.read(folder / "golden")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    ground.headline = f"{size / 1000:,.0f} kB; {len(golden)} golden rows answered alike by both loaders"
    ground.model = folder
    served = spec.gate.served.scaled(card.scale)
    reason = answers_otherwise(folder / "saved_model", golden.raw, golden.answers, served.absolute, served.relative)
    if reason:
        advice = "look at layers that keep state, draw at random, or hold what is no variable"
        yield error("model", reason, advice, STEP)
        ground.headline = f"{size / 1000:,.0f} kB; answers otherwise once it is loaded"


def start_beside(ground: Ground) -> Iterator[Finding]:
    """Start a server without a model, which is asked once there is one."""
    ground.server = start_server([], folder=ground.work / "server", wait=False)
    ground.exits.callback(ground.server.stop)
    ground.headline = f"{ground.server.description} starts meanwhile"
    yield from ()


def check_serving(ground: Ground) -> Iterator[Finding]:
    """Ask a server process for the golden set, over gRPC and REST."""
    from ferryman.steps.serving_check.check import Asked, check_model

    spec, folder = given(ground.spec), given(ground.model)
    golden, card = GoldenSet.read(folder / "golden"), ModelCard.read(folder / FILE)
    server, work = given(ground.server), ground.work / "serving"
    work.mkdir()
    await_listening(server, START_LIMIT)
    asked, tolerance = Asked(spec.name, golden, card.signature), spec.gate.served.scaled(card.scale)
    report = check_model(folder / "saved_model", asked, tolerance, work, server)
    ground.headline = f"{report.server}: {len(golden)} golden rows over gRPC and REST"
    if report.failure:
        yield error(
            "model, at the server", f"it is not served: {report.failure}", "look at custom layers and names", STEP
        )
    for answer in report.answers:
        if not answer.ok:
            advice = "raise gate.served if the difference is harmless; else look at layers that keep state"
            yield error(f"model, over {answer.protocol}", answer.reason, advice, STEP)
