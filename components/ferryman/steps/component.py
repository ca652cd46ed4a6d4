"""The one binding of steps to kfp.dsl: nothing installed at run time, caching off.

Where a pipeline shall run dresses each of its tasks (`dressed`): image, resources, secrets. KFP's cache would skip
rollout and record, repeat evaluate, and knows nothing of code or torn files: it is off for every step, the exit handler
included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kfp import dsl

LOCAL_IMAGE = "ferryman.invalid/python-local"
"""Stands for the current environment, in files that only a laptop runs. Nobody can ever serve it to a cluster: the
domain `invalid` is reserved (RFC 2606), a name without one is asked of a public registry. KFP's runner wants the word
python in it."""

Dress = Callable[[str, Any], None]
"""Called with a step's name and its `kfp.dsl.PipelineTask`, to set what depends on the place."""

_dress: ContextVar[Dress] = ContextVar("_dress", default=lambda name, task: None)


@contextmanager
def dressed(dress: Dress) -> Iterator[None]:
    """Pipelines that are built in the block have their tasks dressed by `dress`."""
    before = _dress.set(dress)
    try:
        yield
    finally:
        _dress.reset(before)


def step(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a KFP component of a thin function: a signature, one import, one call."""

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        component = dsl.component(function, base_image=LOCAL_IMAGE, packages_to_install=[], install_kfp_package=False)

        def task(**arguments: Any) -> Any:
            made = component(**arguments).set_caching_options(False)
            _dress.get()(name, made)
            return made

        task.__name__ = name
        return task

    return bind
