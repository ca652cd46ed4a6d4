"""What the shell proposes at a Tab: names that lie in the home folder, looked up without opening more than needed.

`ferryman --install-completion` switches it on for bash, zsh, fish and PowerShell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ferryman.artifacts.run_store import RUN_ID
from ferryman.errors import FerrymanError
from ferryman.spec.step_names import STEPS
from ferryman_pipelines.cli.home import GROUP, home


def _harmless(names: Callable[[], Iterator[str]]) -> Callable[[str], list[str]]:
    """Those names that begin as typed; whatever keeps us from looking proposes nothing, and spoils no prompt."""

    def complete(incomplete: str) -> list[str]:
        try:
            return [name for name in names() if name.startswith(incomplete)]
        except (FerrymanError, OSError):
            return []

    return complete


def _runs() -> Iterator[str]:
    yield "last"
    yield from sorted((path.name for path in home().runs.iterdir() if RUN_ID.fullmatch(path.name)), reverse=True)


def _groups() -> Iterator[str]:
    yield from sorted(path.name for path in (home().folder / "groups").iterdir() if GROUP.fullmatch(path.name))


def _models() -> Iterator[str]:
    """By the serving stores: a record may be torn."""
    yield from sorted({path.name for path in (home().folder / "groups").glob("*/store/[a-z0-9]*") if path.is_dir()})


run_ids = _harmless(_runs)
"""`last`, then the ids of all runs, the last in the alphabet first: of one model those are the newest."""

group_names = _harmless(_groups)
model_names = _harmless(_models)
"""Models that some group holds."""

step_names = _harmless(lambda: iter(STEPS))
