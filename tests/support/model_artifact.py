"""Small sealed model artifacts: the sorter, whose answers nobody can mistake, and one without any TensorFlow in it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.artifacts.manifest import digest_of, seal
from ferryman.artifacts.model_card import FILE, DeviceTensor, ModelCard
from ferryman.artifacts.resolved import ResolvedRun
from ferryman.golden.golden_set import GoldenSet
from ferryman.serving.release import Release

NAME = "sorter"
CLASSES = ("aster", "bell", "ö")

MASS = np.array([1.0, 2.0, 5.0, 1.5, 0.25], np.float32)
COUNT = np.array([2, 6, 1, 1, 7], np.int64)
ISLAND = np.array([text.encode() for text in ("Åland", "Biscoe", "", "Åland", "a\nb")])
PIXELS = np.arange(20, dtype=np.uint8).reshape(5, 2, 2)

FILES = {
    "saved_model.pb": b"a graph",
    "variables/variables.data": bytes(range(200)),
    "variables/variables.index": b"an index",
    "assets/saved_model.pb": b"an asset with an unlucky name",
}
"""What looks like a SavedModel to everything that does not load it."""


def probabilities() -> np.ndarray:
    """What the sorter answers to the rows, worked out without TensorFlow."""
    home = "Åland".encode()
    first = MASS * np.float32(0.1) + np.where(np.char.equal(ISLAND, home), np.float32(0.05), np.float32(0.0))
    second = COUNT.astype(np.float32) * np.float32(0.1) + PIXELS[:, 1, 0].astype(np.float32) * np.float32(0.01)
    return np.stack([first, second, 1 - first - second], axis=1).astype(np.float32)


def sorter_golden() -> GoldenSet:
    """The rows with the answers of the sorter: text, small integers, 64-bit integers and numbers go in."""
    answers = probabilities()
    return GoldenSet(
        rows=[
            {"mass": float(mass), "count": int(count), "island": island.decode(), "pixels": pixels.tolist()}
            for mass, count, island, pixels in zip(MASS, COUNT, ISLAND, PIXELS, strict=True)
        ],
        raw={"mass": MASS, "count": COUNT, "island": ISLAND, "pixels": PIXELS},
        device={"mass": MASS},
        answers={
            "class": np.array([CLASSES[best].encode() for best in answers.argmax(axis=1)]),
            "probabilities": answers,
        },
    )


def save_sorter(folder: Path, *, columns: tuple[int, int, int] = (0, 1, 2), names: tuple[str, ...] = CLASSES) -> Path:
    """The sorter as a SavedModel; other `columns` or `names` make it answer in another order than was recorded."""
    import tensorflow as tf

    class Sorter(tf.Module):  # type: ignore[misc]
        @tf.function(  # type: ignore[misc]
            input_signature=[
                tf.TensorSpec([None], tf.float32, name="mass"),
                tf.TensorSpec([None], tf.int64, name="count"),
                tf.TensorSpec([None], tf.string, name="island"),
                tf.TensorSpec([None, 2, 2], tf.uint8, name="pixels"),
            ]
        )
        def sort(self, mass: Any, count: Any, island: Any, pixels: Any) -> dict[str, Any]:
            first = mass * 0.1 + tf.where(island == "Åland".encode(), 0.05, 0.0)
            second = tf.cast(count, tf.float32) * 0.1 + tf.cast(pixels[:, 1, 0], tf.float32) * 0.01
            right = tf.stack([first, second, 1 - first - second], axis=1)
            answers = tf.gather(right, list(columns), axis=1)
            return {"class": tf.gather(tf.constant(list(names)), tf.argmax(right, axis=1)), "probabilities": answers}

    module = Sorter()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.sort})
    return folder


def seal_model(
    folder: Path,
    saved_model: Path | Mapping[str, bytes] = FILES,
    golden: GoldenSet | None = None,
    *,
    name: str = NAME,
) -> Path:
    """A whole model artifact in `folder`, round a SavedModel that exists or round the given files."""
    if isinstance(saved_model, Path):
        shutil.copytree(saved_model, folder / "saved_model")
    else:
        for file, content in saved_model.items():
            path = folder / "saved_model" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (golden or sorter_golden()).write(folder / "golden")
    ModelCard(
        name=name,
        task="class",
        classes=list(CLASSES),
        features={"mass": {"kind": "number"}},
        fitted={"mass": {}},
        label={"kind": "class"},
        split={"kind": "exact"},
        seed=0,
        content="c" * 64,
        outputs=["class", "probabilities"],
        device=[DeviceTensor(name="mass", dtype="float32")],
    ).write(folder / FILE)
    (folder / "preprocess.json").write_text("{}")
    seal(folder, "model", "a test")
    return folder


def release_of(artifact: Path, **changes: Any) -> Release:
    """The release that asks for an artifact."""
    card = ModelCard.read(artifact / FILE)
    release = Release(
        name="run1-1",
        model=card.name,
        created="2026-01-01T00:00:01Z",
        artifact=str(artifact),
        digest=digest_of(artifact),
        content=card.content,
    )
    return Release.model_validate({**release.model_dump(), **changes})


def resolved_run(*, group: str = "", **gate: Any) -> ResolvedRun:
    """A resolved run round a small spec."""
    from ferryman.spec import spec_from

    spec = spec_from(
        {
            "spec": 1,
            "name": NAME,
            "data": {
                "source": {"name": "rows.csv", "uri": "file:///rows.csv", "sha256": "5" * 64},
                "format": {"kind": "csv"},
                "features": {"mass": {"kind": "number"}},
                "label": {"kind": "class", "column": "flower"},
                "split": {"kind": "exact"},
            },
            "model": {"kind": "mlp", "hidden": [4]},
            "train": {},
            "gate": {"require": [], **gate},
        }
    )
    return ResolvedRun(
        spec=spec.document(),
        as_of="2026-11-24T12:00:00Z",
        spec_sha256="a" * 64,
        resolved_sha256="b" * 64,
        group=group,
    )


def flip_a_byte(path: Path, at: int = 0) -> None:
    """As a bad disk does: same size, one bit of one byte another."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))
