"""The metrics of the user's own that one spec asks for, in its bounds or by its model."""

from __future__ import annotations

from ferryman.code.reference import is_reference
from ferryman.errors import SpecError
from ferryman.metrics import Metric, metric_named
from ferryman.models import UserModelOptions
from ferryman.models.user import author_metrics
from ferryman.spec.bounds import check_bound
from ferryman.spec.spec import Spec


def user_metrics(spec: Spec) -> dict[str, Metric]:
    """Reference -> metric, where the user's code can be imported; empty for a spec without any.

    Raises:
        SpecError: a class is not there, two have one name, one judges another kind of label, or a
            bound is on its wrong side.
        UserCodeError: a class is no metric; it names file and line.
    """
    # A metric that stands in several places is told at the first.
    named = {name: place for place, name in reversed(spec.metrics.items()) if is_reference(name)}
    found = {name: metric_named(name, place) for name, place in named.items()}
    if isinstance(spec.model, UserModelOptions):
        found |= author_metrics(spec.model.load())
    owners: dict[str, str] = {}
    for reference, metric in found.items():
        place = named.get(reference, "model.kind")
        if metric.task != spec.task:
            raise SpecError(place, f"{reference} judges a {metric.task}, but the label is a {spec.task}")
        other = owners.setdefault(metric.name, reference)
        if other != reference:
            raise SpecError(place, f"{reference} and {other} are both called {metric.name!r}: rename one")
    for number, bound in enumerate(spec.gate.require):
        if bound.metric in found:
            try:
                check_bound(bound, found[bound.metric])
            except ValueError as error:
                raise SpecError(f"gate.require.{number}", str(error)) from error
    return found
