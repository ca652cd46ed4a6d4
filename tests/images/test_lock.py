"""The lock of images: containers here run by ID, clusters by digest, and what is missing is said by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import SpecError, UsageError
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.images.lock import IMAGE_OF_STEP, IMAGES, Image, ImageLock, read_lock, write_lock

ID = "sha256:" + "1" * 64


def lock(*, pushed: bool = False, without: str = "") -> ImageLock:
    reference = f"registry.example/ferryman/x@{ID}" if pushed else None
    return ImageLock(built={name: Image(id=ID, reference=reference) for name in IMAGES if name != without})


def test_every_step_has_an_image() -> None:
    assert set(IMAGE_OF_STEP) == set(STEPS)
    assert set(IMAGE_OF_STEP.values()) == set(IMAGES)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_lock(tmp_path / "lock", lock(pushed=True))
    assert read_lock(tmp_path / "lock") == lock(pushed=True)


def test_containers_here_run_by_id_and_clusters_by_digest(tmp_path: Path) -> None:
    assert lock().ids(tmp_path) == dict.fromkeys(IMAGE_OF_STEP, ID)
    assert set(lock(pushed=True).references(tmp_path).values()) == {f"registry.example/ferryman/x@{ID}"}


def test_images_that_were_not_built_or_not_pushed_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="train is not built; try: ferryman images build"):
        lock(without="train").ids(tmp_path)
    with pytest.raises(UsageError, match=r"control, convert.* has no registry's digest.*--push REGISTRY"):
        lock().references(tmp_path)


def test_a_step_that_has_a_gpu_has_the_image_that_drives_it(tmp_path: Path) -> None:
    pushed = lock(pushed=True)
    with pytest.raises(UsageError, match=r"train-gpu has no registry's digest; try: .* --only train-gpu --push"):
        pushed.references(tmp_path, ["train"])
    gpu = Image(id=ID, reference=f"registry.example/ferryman/gpu@{ID}")
    both = ImageLock(built={**pushed.built, "train-gpu": gpu})
    assert both.references(tmp_path, ["train"]) == {**both.references(tmp_path), "train": gpu.reference}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("{", UsageError), ('{"images": 2}', SpecError), ('{"images": 1, "built": {"train": {"id": "x"}}}', SpecError)],
)
def test_a_damaged_lock_is_refused(tmp_path: Path, text: str, kind: type[Exception]) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(kind, match="lock"):
        read_lock(tmp_path / "lock")


def test_no_lock_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no .*; try: ferryman images build"):
        read_lock(tmp_path / "lock")
