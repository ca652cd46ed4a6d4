"""The spec and the targets: what a person writes, read strictly."""

from ferryman.spec.overrides import apply_overrides, parse_assignments
from ferryman.spec.reading import (
    Draft,
    draft_from,
    json_schema,
    load_spec,
    parse_spec,
    read_document,
    spec_from,
    spec_sha256,
)
from ferryman.spec.spec import Spec
from ferryman.spec.targets import Targets, load_targets

__all__ = [
    "Draft",
    "Spec",
    "Targets",
    "apply_overrides",
    "draft_from",
    "json_schema",
    "load_spec",
    "load_targets",
    "parse_assignments",
    "parse_spec",
    "read_document",
    "spec_from",
    "spec_sha256",
]
