"""A child of a test: `python -m spawned FILE ...` runs a file, so that the fork server can start what a test wrote."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferryman import process


@contextmanager
def forking(log: Path, *modules: str) -> Iterator[process.Process]:
    """A fork server whose children know tests/support, as those of `spawn` and `run` here do."""
    with environment(), process.warm_children(modules, log, SUPPORT) as server:
        assert server is not None
        yield server


SUPPORT = {
    # Once, however deep the child: with another path the fork server would not start it.
    "PYTHONPATH": os.pathsep.join(
        dict.fromkeys(filter(None, [str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    ),
    # As in `ferryman run`.
    "PYTHONHASHSEED": "0",
}
"""The environment that all children here have beside ours."""


@contextmanager
def environment() -> Iterator[None]:
    """Without pytest's own variable, which changes within a test and would make one environment two."""
    told = os.environ.pop("PYTEST_CURRENT_TEST", None)
    try:
        yield
    finally:
        if told is not None:
            os.environ["PYTEST_CURRENT_TEST"] = told


def spawn(argv: Sequence[str], **options: Any) -> process.Process:
    """`process.spawn`, warm where a fork server runs."""
    with environment():
        return process.spawn(argv, env={**SUPPORT, **options.pop("env", {})}, warm_start=True, **options)


def run(argv: Sequence[str], limit: float | None = None, **options: Any) -> process.Finished:
    """`process.run`, warm where a fork server runs."""
    return spawn(argv, **options).wait(limit)


if __name__ == "__main__":
    import runpy

    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
