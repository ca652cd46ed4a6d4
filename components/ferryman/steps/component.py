"""The one binding of steps to kfp.dsl: nothing installed at run time, caching off.

KFP's cache would skip rollout and record, repeat evaluate, and knows nothing of code or torn files: it is off for
every step, the exit handler included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp import dsl

LOCAL_IMAGE = "ferryman/python-local"
"""Stands for the current environment, in files that only a laptop runs; KFP's runner wants the word python in it."""


def step(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a KFP component of a thin function: a signature, one import, one call."""

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        component = dsl.component(function, base_image=LOCAL_IMAGE, packages_to_install=[], install_kfp_package=False)

        def task(**arguments: Any) -> Any:
            return component(**arguments).set_caching_options(False)

        task.__name__ = name
        return task

    return bind
