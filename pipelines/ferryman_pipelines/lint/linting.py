"""All rules over all documents of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ferryman.errors import UsageError
from ferryman.problems import nearest
from ferryman_pipelines.lint.bundle import Bundle, read_bundle
from ferryman_pipelines.lint.finding import Finding
from ferryman_pipelines.lint.rule import Rule, rules_of
from ferryman_pipelines.lint.rules import (
    caching,
    conditions,
    containers,
    exits,
    graph,
    placeholders,
    schedules,
    schema,
    secrets,
    size,
)

RULES: Final[tuple[Rule, ...]] = tuple(
    found
    for module in (schema, graph, placeholders, conditions, exits, caching, secrets, containers, size, schedules)
    for found in rules_of(module)
)
"""Every rule, in the order in which people read findings."""


def lint_documents(documents: Sequence[dict[str, Any]], waivers: Mapping[str, str]) -> list[Finding]:
    """What is wrong in the documents of one file; a finding of a rule in `waivers` (rule -> reason) carries the reason.

    Raises:
        UsageError: a waiver names no rule, or gives no reason. SpecError: there is nothing to lint in `documents`.
    """
    check_waivers(waivers)
    return lint_bundle(read_bundle(documents), waivers)


def lint_bundle(bundle: Bundle, waivers: Mapping[str, str]) -> list[Finding]:
    """What is wrong in a file that is read already."""
    # What does not even parse would break every other rule too.
    broken = [pipeline for pipeline in bundle.pipelines if pipeline.is_broken]
    subjects = [bundle, *(pipeline for pipeline in bundle.pipelines if not pipeline.is_broken), *bundle.manifests]
    found = [finding for rule in rules_of(schema) for subject in broken for finding in rule.findings(subject)]
    found += [finding for rule in RULES for subject in subjects for finding in rule.findings(subject)]
    return [replace(finding, waived=waivers.get(finding.rule, "")) for finding in found]


def check_waivers(waivers: Mapping[str, str]) -> None:
    """UsageError for a waiver that names no rule or gives no reason."""
    ids = [rule.id for rule in RULES]
    for name, reason in waivers.items():
        if name not in ids:
            near = nearest(name, ids)
            raise UsageError(f"waive {name}: no such rule{near} (ferryman lint --rules lists all)")
        if not reason.strip():
            raise UsageError(
                f"waive {name}: received no reason, expected why this is accepted, for whoever reads it later"
            )
