"""Which versions a look at the base paths finds. Source: `file_system_storage_path_source.cc`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Protocol

from ferryman.model_server.core import Model, Policy, Wish

log = logging.getLogger("ferryman.model_server")

NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*", re.ASCII)
"""Source: Abseil, `numbers.cc:safe_parse_sign_and_base`."""

LARGEST = 2**63 - 1


class Listing(Protocol):
    """The file system, as far as discovery looks at it."""

    def exists(self, path: str) -> bool:
        """Whether something lies at `path`; OSError when that cannot be told."""

    def children(self, path: str) -> list[str]:
        """Names below `path`; OSError when it cannot be listed."""


class DiscoveryError(Exception):
    """A look at the file system that found nothing out, for any model."""


def discover(models: Iterable[Model], listing: Listing) -> dict[str, Wish]:
    """The versions of each model that its policy aspires, with their paths.

    The first model that cannot be looked at ends it for all. Source: `PollFileSystemForConfig`.

    Raises:
        DiscoveryError: in the real server's words.
    """
    return {model.name: _aspired(model, listing) for model in models}


def _aspired(model: Model, listing: Listing) -> Wish:
    """Source: `PollFileSystemForServable`."""
    try:
        if not listing.exists(model.base_path):
            raise FileNotFoundError(f"NOT_FOUND: {model.base_path} not found")
    except OSError as error:
        raise DiscoveryError(
            f"Could not find base path {model.base_path} for servable {model.name} with error {error}"
        ) from error
    try:
        if model.policy.kind == "specific" and (wish := _named(model, listing)) is not None:
            return wish
        children = sorted({child.partition("/")[0] for child in listing.children(model.base_path)})
    except OSError as error:
        raise DiscoveryError(str(error)) from error
    chosen = choose(model.policy, children)
    if not chosen:
        log.warning(
            "No versions of servable %s found under base path %s. Did you forget to name your leaf directory as a number "
            "(eg. '/1/')?",
            model.name,
            model.base_path,
        )
    _warn_of_absent(model, chosen)
    return tuple((number, join(model.base_path, child)) for number, child in chosen)


def _named(model: Model, listing: Listing) -> Wish | None:
    """The versions named, without a listing; None when one is not there under its plain number.

    Source: `AspireSpecificVersionsFastPath`.
    """
    if not model.policy.versions:
        log.warning("No specific versions requested for servable %s.", model.name)
    wish = tuple((number, join(model.base_path, str(number))) for number in model.policy.versions)
    return wish if all(listing.exists(path) for _, path in wish) else None


def choose(policy: Policy, children: Iterable[str]) -> tuple[tuple[int, str], ...]:
    """Numbers and names of the versions that a policy takes among the children of a base path.

    Of two names of one number the last wins; with the policy for all both are given, and the manager takes the first.
    Source: `IndexChildrenByVersion`, `AspireLatestVersions`, `AspireAllVersions`, `AspireSpecificVersions`.
    """
    found = [(number, child) for child in sorted(children) if (number := version_number(child)) is not None]
    if policy.kind == "all":
        return tuple(found)
    by_number: dict[int, str] = {}
    for number, child in found:
        if number in by_number:
            log.warning(
                "Duplicate version directories detected. Version %d will be loaded from %s, %s will be ignored.",
                number,
                child,
                by_number[number],
            )
        by_number[number] = child
    numbers = sorted(by_number)
    if policy.kind == "specific":
        numbers = [number for number in numbers if number in policy.versions]
    else:
        numbers = numbers[-max(1, policy.count) :]
    return tuple((number, by_number[number]) for number in numbers)


def version_number(name: str) -> int | None:
    """The version that a folder's name is: an int64 with or without sign, zeros and blanks in front; None for others."""
    match = NUMBER.fullmatch(name)
    if not match or len(match[1]) > 4096:
        return None
    number = int(match[1])
    return number if -LARGEST - 1 <= number <= LARGEST else None


def join(base: str, child: str) -> str:
    """A path below a base path. Source: TensorFlow, `path.cc:JoinPath`."""
    return base + child if base.endswith("/") else f"{base}/{child}"


def _warn_of_absent(model: Model, chosen: Iterable[tuple[int, str]]) -> None:
    if model.policy.kind != "specific":
        return
    found = {number for number, _ in chosen}
    for number in model.policy.versions:
        if number not in found:
            log.warning(
                "Version %d of servable %s, which was requested to be served as a 'specific' version in the servable's "
                "version policy, was not found in the file system",
                number,
                model.name,
            )
