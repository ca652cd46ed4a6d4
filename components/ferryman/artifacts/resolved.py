"""The resolved run: all that a run depends on, fixed once by `resolve` and handed to every later step as one string."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import SpecError

if TYPE_CHECKING:
    from ferryman.spec import Spec

MAX_BYTES = 20_000
"""A parameter stands about three times per step in Argo's status, whose limit is 1 MiB: ten steps with 20 kB fit."""


ROOM = 2_000
"""Bytes that a resolved run needs beside the spec: what serves, the overrides, hashes and paths."""


def check_size(spec: Spec) -> None:
    """SpecError, before anything runs, for a spec that a resolved run has no room for."""
    size = len(json.dumps(spec.compact(), separators=(",", ":")).encode())
    if size > MAX_BYTES - ROOM:
        raise SpecError(
            "",
            f"the spec has {size:,} bytes as JSON, expected at most {MAX_BYTES - ROOM:,}: a cluster keeps it with each "
            f"step; fewer features ({len(spec.data.features):,} now) or shorter names help",
        )


def without_placeholders(text: str) -> str:
    """Compact JSON that means the same and holds no `{{`, which stands in strings only."""
    return text.replace("{{", "{\\u007b")


class Serving(Evidence):
    """What serves when a run starts: the candidate's champion and the release's precondition."""

    model: str
    version: int
    digest: str
    """Digest of the model artifact that this version was copied from."""

    content: str
    epoch: int
    generation: int
    path: str
    """The version's folder in the serving store."""

    refused: list[str] = []
    """Contents that a person rolled back: refused until a person promotes them with a reason."""


class ResolvedRun(Evidence):
    """One JSON output of `resolve`."""

    schema_version: int = 1
    spec: dict[str, Any]
    """The spec with the run's knobs merged and its inputs pinned."""

    as_of: str
    """The moment that the run stands for, ISO 8601 in UTC."""

    spec_sha256: str
    """Of the spec as reviewed, before overrides."""

    overrides: dict[str, Any] = {}
    resolved_sha256: str
    group: str = ""
    """Folder of the serving group; empty when the run releases nowhere."""

    serves: Serving | None = None

    @classmethod
    def parse(cls, text: str) -> ResolvedRun:
        """The resolved run of a step's `resolved` parameter; SpecError when it is not one."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise SpecError("", f"the parameter `resolved` is not the output of the step `resolve`: {error}") from error

    def text(self) -> str:
        """As JSON in one line; SpecError above 20 kB."""
        # The same JSON: KFP replaces whatever looks like its placeholders, also in a label or a column's name.
        text = without_placeholders(self.model_dump_json())
        if len(text.encode()) > MAX_BYTES:
            raise SpecError(
                "",
                f"the resolved run has {len(text.encode()):,} bytes, expected at most {MAX_BYTES:,}: shorten the spec",
            )
        return text

    def read_spec(self) -> Spec:
        """The spec as a typed object."""
        from ferryman.spec import spec_from

        return spec_from(self.spec)
