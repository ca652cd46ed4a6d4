"""The proof of a loaded version: the server that holds it gives the golden answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ferryman.errors import ArtifactError
from ferryman.golden.compare import compare
from ferryman.serving.client import ServerAwayError, ServingClient, ServingError
from ferryman.serving.store import card_of, golden_of
from ferryman.serving.tensors import TensorError

BATCH = 64
"""Golden rows in one request."""


def golden_difference(client: ServingClient, group: Path, model: str, number: int) -> str:
    """Why a loaded version does not give its golden answers, within its release's tolerance; empty when it does.

    Raises:
        ServerAwayError: the server cannot be reached, which says nothing about the version.
    """
    try:
        golden, release = golden_of(group, model, number)
        signature = card_of(group, model, number).signature
        parts = []
        for start in range(0, len(golden), BATCH):
            inputs = {alias: tensor[start : start + BATCH] for alias, tensor in golden.raw.items()}
            parts.append(client.predict(model, inputs, version=number, signature=signature).outputs)
        answers = {alias: np.concatenate([part[alias] for part in parts]) for alias in (parts[0] if parts else {})}
    except ServerAwayError:
        raise
    except (ArtifactError, ServingError, TensorError, KeyError, ValueError) as error:
        return f"no golden answer: {error}"
    return compare(golden.answers, answers, release.absolute, release.relative).reason
