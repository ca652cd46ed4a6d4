"""What a person decided against a run's gate: who, when, why, and how it ended; it lies beside the run's record."""

from __future__ import annotations

from ferryman.artifacts.evidence import Evidence


class Promotion(Evidence):
    """`promotions/RELEASE.json` in the run's folder."""

    schema_version: int = 1
    release: str
    """The release that was asked for."""

    by: str
    """The user's name on the machine where it was typed."""

    at: str
    """When, ISO 8601 UTC."""

    reason: str
    despite: str
    """What the gate had decided: hold, insufficient, promote (of a model that was rolled back since) or nothing_new."""

    compared_with: int | None = None
    """The version that the candidate was compared with; None when nothing served then."""

    serves: int | None = None
    """The version that served when the person decided: the release's precondition."""

    terminal: str = ""
    """How the release ended; empty while nobody here has seen it end."""

    version: int | None = None
    why: str = ""
    """Why it ended so."""

    ended: str = ""
