"""The page on one evaluation: the metrics with their intervals, where it errs, and the champion on the same rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferryman.artifacts.evidence import ChampionComparison, Evaluation
from ferryman.reports.page import heading, heat_table, page, paragraph, scatter, table

MOST_POINTS = 2_000
"""Points in a scatter: more make the file large and the picture no clearer."""


def evaluation_page(found: Evaluation, name: str, target: np.ndarray, answer: np.ndarray) -> str:
    """Self-contained HTML; `target` and `answer` [n] are drawn where the label is a number."""
    return page(f"{name}: evaluation", _parts(found, target, answer))


def _parts(found: Evaluation, target: np.ndarray, answer: np.ndarray) -> Iterator[str]:
    yield paragraph(f"{found.rows:,} rows of the test split; model {found.model[:12]}.", "note")
    if found.not_finite:
        yield paragraph(f"{found.not_finite:,} rows are answered with NaN or infinity: no metric can be given.", "bad")
        return
    yield heading("Metrics")
    yield table(
        ("metric", "value", "95 % from", "to"),
        [
            (found.metric_name(metric), _number(s.value), _number(s.low), _number(s.high))
            for metric, s in found.metrics.items()
        ],
    )
    if found.champion:
        yield from _champion(found.champion, found.metric_name(found.champion.metric))
    if found.confusion:
        yield heading("Per class")
        yield table(
            ("class", "precision", "recall", "F1", "rows"),
            [
                (name, f"{v['precision']:.3f}", f"{v['recall']:.3f}", f"{v['f1']:.3f}", f"{v['rows']:.0f}")
                for name, v in found.per_class.items()
            ],
        )
        yield heading("Confusion")
        yield heat_table(found.classes, found.confusion)
    elif found.task == "number":
        yield heading("Predicted and true")
        step = max(1, len(target) // MOST_POINTS)
        yield scatter(list(target[::step]), list(answer[::step]), "true", "predicted")


def _champion(champion: ChampionComparison, metric: str) -> Iterator[str]:
    yield heading(f"Against version {champion.version}, which serves")
    if champion.not_comparable:
        yield paragraph(f"Cannot be compared: {champion.not_comparable}.", "bad")
        return
    yield table(
        ("metric", "candidate", "champion", "better by", "surely by (one-sided 95 %)", "differing rows", "method"),
        [
            (
                metric,
                _number(champion.candidate),
                _number(champion.champion),
                _number(champion.difference),
                _number(champion.lower),
                f"{champion.differing:,}",
                champion.method or "",
            )
        ],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
