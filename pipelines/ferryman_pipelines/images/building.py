"""The whole of `ferryman images build`: looks first, then fetches, builds, and pushes; the lock is true at every moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from ferryman.errors import UsageError
from ferryman.storage.lock import hold
from ferryman_pipelines.images.base import Base, default_base, look_at_base
from ferryman_pipelines.images.budgets import measure, over, read_budgets
from ferryman_pipelines.images.build import build_image, steps
from ferryman_pipelines.images.builder import check_builder, engine_root
from ferryman_pipelines.images.context import assemble
from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import GPU_IMAGE, IMAGES, Image, ImageLock, ImageName, read_lock, write_lock
from ferryman_pipelines.images.pins import Pin, check_agreement, read_pins, wanted_pins
from ferryman_pipelines.images.push import check_registry, push_image
from ferryman_pipelines.images.source import Source, find_source
from ferryman_pipelines.images.space import ENGINE, GPU_MORE, HOME, check_space
from ferryman_pipelines.images.wheelhouse import wheelhouse

Told = Callable[[str], None]
Pins = tuple[list[Pin], list[Pin]]

REPOSITORY = "localhost/ferryman"
"""Where images are tagged on this machine: nobody pulls from such a name by mistake."""


USER_CODE: frozenset[ImageName] = frozenset({"train", "evaluate", "convert", *GPU_IMAGE.values()})
"""The images in which a user's code runs."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    names: tuple[ImageName, ...] = IMAGES
    base: str | None = None
    """The base image; None for the Dockerfile's own."""

    serving_image: str | None = None
    """The image that the real `tensorflow_model_server` is copied from; None for none."""

    user_lock: Path | None = None
    """What a user's code needs, in the images where it runs."""

    registry: str | None = None
    """Where the images are pushed to; None for nowhere."""


def build_images(wanted: Wanted, home: Path, file: Path, told: Told) -> ImageLock:
    """Build the images that are wanted, and push them where that is wanted; the lock, which `file` holds as well.

    Raises:
        UsageError: no checkout, a wrong lock, a wrong base, a name that is no registry.
        ArtifactError: a wheel is not what its lock names. DataError: there is no such wheel.
        UnavailableError: no builder, no disk space, no index, no registry; a build failed (DockerError).
    """
    registry = check_registry(wanted.registry) if wanted.registry else None
    source, lock = find_source(), _before(file, told)
    pins = _pins(wanted, source)
    check_builder()
    _check_space(home, gpu=not set(wanted.names).isdisjoint(GPU_IMAGE.values()))
    base = look_at_base(wanted.base or default_base(source.dockerfile))
    place = home / "cache" / "images"
    with hold(place / "lock", "another process (pid {pid}) builds images from this home; wait for it"):
        with _context(wanted, source, pins, base, home, told) as context:
            heard, arguments = steps(told), _arguments(wanted, source, base)
            for name in wanted.names:
                image = build_image(name, context, arguments, place / f"{name}.log", told, heard)
                ask("tag", image, f"{REPOSITORY}/{name}:{_tag(source, image)}")
                lock = _noted(lock, name, image, None, file)
        _weigh(lock, wanted, source, told)
        for name in wanted.names if registry else ():
            image, log = lock.built[name].id, place / f"{name}.push.log"
            reference = push_image(name, image, str(registry), _tag(source, image), log, told)
            lock = _noted(lock, name, image, reference, file)
    return lock


def _before(file: Path, told: Told) -> ImageLock:
    """The lock as it was; one that is damaged begins anew, for to build is the way out of that."""
    try:
        return read_lock(file) if file.exists() else ImageLock()
    except UsageError as error:
        told(f"begins anew: {error}")
        return ImageLock()


def _pins(wanted: Wanted, source: Source) -> Pins:
    """What our images install, and what the user's code needs beside.

    Of all images, whichever are wanted: a layer is built anew when other wheels lie in what it sees. Only NVIDIA's
    4 GB lie there for the one image that wants them.
    """
    ours = {name: read_pins(source.lock(name)) for name in (*IMAGES, *wanted.names)}
    theirs = read_pins(wanted.user_lock) if wanted.user_lock else []
    if wanted.user_lock:
        for name in USER_CODE & ours.keys():
            check_agreement(theirs, ours[name], wanted.user_lock, source.lock(name))
    return list(dict.fromkeys(pin for pins in ours.values() for pin in pins)), theirs


def _check_space(home: Path, *, gpu: bool) -> None:
    root, more = engine_root(), GPU_MORE if gpu else (0, 0)
    needs = {home: (HOME + more[0], "wheels")} | ({root: (ENGINE + more[1], "images")} if root else {})
    check_space(needs)


@contextmanager
def _context(wanted: Wanted, source: Source, pins: Pins, base: Base, home: Path, told: Told) -> Iterator[Path]:
    """The build context, for as long as it is needed."""
    ours, theirs = (wanted_pins(part, base.environment) for part in pins)
    wheels = wheelhouse([*ours, *theirs], base, home / "cache", told)
    # Always the same name: BuildKit takes over only what changed since it last saw a folder of that name.
    folder = home / "cache" / "images" / ".context.partial"
    try:
        told("building our own wheel")
        assemble(folder, source, {wheels[pin] for pin in ours}, wanted.user_lock, {wheels[pin] for pin in theirs})
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def _arguments(wanted: Wanted, source: Source, base: Base) -> dict[str, str]:
    """What the Dockerfile is told."""
    found = {
        "BASE_IMAGE": base.image,
        "VERSION": source.version,
        "REVISION": source.revision(),
        "SERVING_IMAGE": wanted.serving_image,
    }
    return {name: value for name, value in found.items() if value}


def _weigh(lock: ImageLock, wanted: Wanted, source: Source, told: Told) -> None:
    """Tell what exceeds its budget: a user's own packages may, and that is no reason to keep the images from them."""
    sizes = measure({name: lock.built[name].id for name in wanted.names})
    for sentence in over(sizes, read_budgets(source.root)):
        told(f"note: {sentence}")


def _noted(lock: ImageLock, name: ImageName, image: str, reference: str | None, file: Path) -> ImageLock:
    """The lock with this image, written; what a registry knows of the same image stays true."""
    earlier = lock.built.get(name)
    known = reference or (earlier.reference if earlier and earlier.id == image else None)
    changed = lock.model_copy(update={"built": {**lock.built, name: Image(id=image, reference=known)}})
    write_lock(file, changed)
    return changed


def _tag(source: Source, image: str) -> str:
    """A tag for this very image: no other build takes it away, and so no prune takes what a lock names."""
    # Tags know no `+`.
    return f"{source.version.replace('+', '-')}-{image.removeprefix('sha256:')[:12]}"
