"""What a failed conversion means for a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferryman.artifacts.evidence import Rung
from ferryman.artifacts.model_card import FILE, ModelCard
from ferryman.checks.finding import HELD, Finding, error, warning
from ferryman.checks.ground import Ground, given
from ferryman.steps.convert.contract import unusable


def check_conversion(ground: Ground) -> Iterator[Finding]:
    """Convert every rung and run it; what it loses says nothing yet, for a model that has learned nothing yet."""
    from ferryman.steps.convert.convert import measure

    spec, model, work = given(ground.spec), given(ground.model), ground.work / "convert"
    card = ModelCard.read(model / FILE)
    if card.core is None:
        ground.headline = f"nothing to convert: {card.no_core}"
        if spec.convert.required:
            advice = "name a core in `model`, or say `convert: {required: false}`"
            yield error("convert.required", f"{card.no_core}; the run would be held", advice, HELD)
        return
    work.mkdir()
    _, rungs, _ = measure(spec, given(ground.examples), model, work, card.core.signature)
    ground.headline = ", ".join(
        f"{rung.name} {'failed' if rung.size_bytes is None else f'{rung.size_bytes / 1000:,.0f} kB'}" for rung in rungs
    )
    yield from conversion_findings(rungs, required=spec.convert.required)


def conversion_findings(rungs: Sequence[Rung], *, required: bool) -> Iterator[Finding]:
    """The rungs that no run could use: an error where one is required and none is left."""
    failed = {rung.name: reason for rung in rungs if (reason := unusable(rung))}
    left = [rung.name for rung in rungs if rung.name not in failed]
    for name, reason in failed.items():
        where = f"convert.try, {name}"
        if left:
            yield warning(
                where, f"{reason}; {', '.join(left)} can be used", f"take {name} out, or change the layer that it names"
            )
        elif required:
            advice = "change the layer that it names, or say `convert: {required: false}`"
            yield error(where, f"{reason}; a conversion is required, so the run would be held", advice, HELD)
        else:
            yield warning(where, f"{reason}; no TFLite file would be published", "change the layer that it names")
