"""The YAML of a proposal: a spec that runs as it is, with a comment for each thing that was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ferryman.spec.proposing.gate import champion, converted, requirement
from ferryman.spec.proposing.layout import Line, aligned, comment, flow, scalar
from ferryman.spec.proposing.proposal import Proposal
from ferryman.spec.proposing.recipe import family, schedule
from ferryman.spec.proposing.words import called, shown


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
            lines += comment(f"  {called(out.column)}: {out.why}", 4, hanging="    ")
    return lines


def _label_and_split(proposal: Proposal) -> list[str]:
    label, split = proposal.label, proposal.split
    options: dict[str, Any] = {"kind": label.kind, "column": proposal.label_column}
    options |= {"missing": "drop"} if label.missing else {}
    shares = {"kind": split.kind, "validation": split.validation, "test": split.test, "seed": 7}
    why = f"about {proposal.test_rows:,} rows judge; exact sizes, for data that do not grow"
    if split.kind == "hash":
        why = f"about {proposal.test_rows:,} rows judge; each row stays on its side as the data grow"
    return aligned([Line(f"  label: {flow(options)}", label.seen), Line(f"  split: {flow(shares)}", why)])


def _training(proposal: Proposal, user: UserModel | None) -> list[str]:
    rows = proposal.train_rows
    model = {"kind": user.reference, **user.options} if user else family(rows, proposal.image)
    return [
        f"model: {flow(model)}",
        *aligned([Line(f"train: {flow(schedule(rows, proposal.image))}", f"about {rows:,} rows train")]),
        "convert: {try: [int8, float32]}",
    ]


def _gate(proposal: Proposal) -> list[str]:
    about = proposal.label, proposal.test_rows
    required, against, lost = requirement(*about), champion(*about), converted(*about)
    return [
        "gate:",
        *comment(f"{required.why} Raise it as soon as you know what a good model reaches.", 2),
        f"  require: {flow([required.block])}",
        *comment(against.why, 2),
        f"  champion: {flow(against.block)}",
        *aligned([Line(f"  converted: {flow(lost.block)}", lost.why)]),
    ]
