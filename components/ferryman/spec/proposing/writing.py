"""The YAML of a proposal: a spec that runs as it is, with a comment for each thing that was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ferryman.spec.proposing.bounds import (
    IMBALANCED,
    beats_majority,
    beats_majority_f1,
    beats_mean,
    champion_accuracy,
    champion_rmse,
    converted_accuracy,
)
from ferryman.spec.proposing.layout import Line, aligned, comment, flow, scalar
from ferryman.spec.proposing.proposal import Proposal
from ferryman.spec.proposing.recipe import family, schedule
from ferryman.spec.proposing.words import percent, shown


@dataclass(frozen=True)
class UserModel:
    """A model of the user's own in the place of a built-in family."""

    package: str
    reference: str
    options: dict[str, Any]


def spec_text(proposal: Proposal, name: str, source: str, command: str, user: UserModel | None = None) -> str:
    """The spec's YAML; `source` is written into it, `command` is what was typed to get it."""
    lines = [
        *comment(f"Proposed by `{command}` from {_looked_at(proposal)}. Read it, change it, and run it."),
        "spec: 1",
        f"name: {name}",
        *([f"code: {flow({'path': user.package})}"] if user else []),
        "data:",
        *_source(proposal, source),
        *_features(proposal),
        *_label_and_split(proposal),
        *_training(proposal, user),
        *_gate(proposal),
    ]
    return "".join(f"{line}\n" for line in lines)


def _looked_at(proposal: Proposal) -> str:
    survey = proposal.survey
    if survey.whole:
        return f"all its {survey.rows:,} rows"
    about = "" if survey.exact else "about "
    return f"the first {survey.rows:,} of {about}{survey.total:,} rows"


def _source(proposal: Proposal, source: str) -> list[str]:
    survey, form = proposal.survey, proposal.form
    about = "" if survey.exact else "about "
    size = f"{about}{survey.total:,} rows, {survey.header.width:,} columns"
    written: dict[str, Any] = {"kind": form.kind, **form.model_dump(mode="json", exclude_defaults=True)}
    seen = []
    if form.kind == "csv":
        seen += [] if form.header else ["the first line is no header: columns have indexes from 0"]
        seen += ["decimal commas"] if form.decimal == "," else []
    words = [shown(text) for text in form.nulls if text]
    seen += [f"these cells mean missing: {', '.join(words)}"] if words else []
    return aligned([Line(f"  source: {scalar(source)}", size), Line(f"  format: {flow(written)}", "; ".join(seen))])


def _features(proposal: Proposal) -> list[str]:
    lines = ["  features:"]
    for note in proposal.notes:
        lines += comment(note, 4)
    lines += aligned([Line(f"    {entry.name}: {flow(entry.options)}", entry.seen) for entry in proposal.features])
    if proposal.left_out:
        lines += comment("Left out; write a feature for a column to use it all the same:", 4)
        for out in proposal.left_out:
            name = shown(out.column) if isinstance(out.column, str) else f"column {out.column}"
            lines += comment(f"  {name}: {out.why}", 4, hanging="    ")
    return lines


def _label_and_split(proposal: Proposal) -> list[str]:
    label, split = proposal.label, proposal.split
    options: dict[str, Any] = {"kind": label.kind, "column": proposal.label_column}
    options |= {"missing": "drop"} if label.missing else {}
    shares = {"kind": split.kind, "validation": split.validation, "test": split.test, "seed": 7}
    why = f"about {proposal.test_rows:,} rows judge; exact sizes, for data that do not grow"
    if split.kind == "hash":
        why = f"about {proposal.test_rows:,} rows judge; each row stays on its side as the data grow"
    return aligned(
        [Line(f"  label: {flow(options)}", label.seen), Line(f"  split: {flow(shares)}", why)]
    )  # fmt: skip


def _training(proposal: Proposal, user: UserModel | None) -> list[str]:
    rows = proposal.train_rows
    model = {"kind": user.reference, **user.options} if user else family(rows, proposal.image)
    return [
        f"model: {flow(model)}",
        *aligned([Line(f"train: {flow(schedule(rows, proposal.image))}", f"about {rows:,} rows train")]),
        "convert: {try: [int8, float32]}",
    ]


def _gate(proposal: Proposal) -> list[str]:
    rows, label = proposal.test_rows, proposal.label
    if label.kind == "number":
        return _bounds(
            *({"metric": "r2", "at_least": beats_mean(rows)}, _mean_reason(rows)),
            *({"metric": "rmse", "may_lose": champion_rmse(rows)}, "a fraction of its error"),
            *({"metric": "rmse", "may_lose": 0.05}, rows),
        )
    require = {"metric": "accuracy", "at_least": beats_majority(label.majority, rows)}
    always = f"always answering the most frequent class is right in {percent(label.majority)} of the rows"
    why = f"{always}; on {rows:,} test rows this is surely better (upper end of that answer's 95 % interval)"
    if label.majority >= IMBALANCED:
        require = {"metric": "macro_f1", "at_least": beats_majority_f1(label.majority, label.classes, rows)}
        why = (
            f"{always}, so the mean F1 over all classes says more; on {rows:,} test rows this is surely better than it"
        )
    return _bounds(
        *(require, why),
        *({"metric": "accuracy", "may_lose": champion_accuracy(label.majority, rows)}, "a difference in accuracy"),
        *({"metric": "accuracy", "may_lose": converted_accuracy(rows)}, rows),
    )


def _mean_reason(rows: int) -> str:
    return (
        f"always answering the mean has r2 0, a perfect model 1; on {rows:,} test rows this is surely better than the "
        "mean (1.64 standard errors of a root mean square)"
    )


def _bounds(
    require: dict[str, Any], why: str, champion: dict[str, Any], unit: str, converted: dict[str, Any], rows: int
) -> list[str]:
    margin = (
        f"against what serves then, {unit}: so wide that an equally good model is promoted about nine times in ten on "
        f"{rows:,} test rows; more rows allow less"
    )
    lines = [
        "gate:",
        *comment(why[0].upper() + why[1:] + "; raise it as soon as you know what a good model reaches.", 2),
    ]
    lines += [f"  require: {flow([require])}", *comment(margin[0].upper() + margin[1:] + ".", 2)]
    return [*lines, f"  champion: {flow(champion)}", f"  converted: {flow(converted)}"]
