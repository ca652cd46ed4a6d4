"""The proof of a loaded version: the server that holds it gives the golden answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ferryman.errors import ArtifactError
from ferryman.golden.compare import compare
from ferryman.golden.golden_set import GoldenSet, Tensors
from ferryman.serving.client import ServerAwayError, ServingClient, ServingError
from ferryman.serving.store import card_of, golden_of
from ferryman.serving.tensors import TensorError

BATCH = 64
"""Golden rows in one request."""


def golden_answers(
    client: ServingClient, model: str, golden: GoldenSet, signature: str, version: int | None = None
) -> Tensors:
    """A server's outputs to all golden rows over gRPC; of the highest version loaded unless `version` says which."""
    parts = []
    for start in range(0, len(golden), BATCH):
        inputs = {alias: tensor[start : start + BATCH] for alias, tensor in golden.raw.items()}
        parts.append(client.predict(model, inputs, version=version, signature=signature).outputs)
    return {alias: np.concatenate([part[alias] for part in parts]) for alias in (parts[0] if parts else {})}


def golden_difference(client: ServingClient, group: Path, model: str, number: int) -> str:
    """Why a loaded version does not give its golden answers, within its release's tolerance; empty when it does.

    Raises:
        ServerAwayError: the server cannot be reached, which says nothing about the version.
    """
    try:
        golden, release = golden_of(group, model, number)
        signature = card_of(group, model, number).signature
        answers = golden_answers(client, model, golden, signature, number)
    except ServerAwayError:
        raise
    except (ArtifactError, ServingError, TensorError, KeyError, ValueError) as error:
        return f"no golden answer: {error}"
    return compare(golden.answers, answers, release.absolute, release.relative).reason
