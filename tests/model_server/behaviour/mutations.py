"""Plants faults in the model server, one at a time, and shows that the black-box suite finds each.

    python tests/model_server/behaviour/mutations.py [--jobs N] [--list] [NAME ...]

A mutation is a text that occurs exactly once in a file of the server, what takes its place, and the cases that must fail
then. Each runs on a temporary copy of the package, with `-x`; the same cases must pass on an unchanged copy first. Prints a
table; exit code 1 when one survives or cannot be planted any more, 2 when the unchanged server fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants import MUTATIONS, Mutation

SUITE = Path(__file__).resolve().parent
REPOSITORY = SUITE.parents[2]
PACKAGE = REPOSITORY / "components" / "ferryman"

FAILED, PASSED = 1, 0
"""pytest's exit codes: some case failed, all passed. Others (no such case, a usage error) are no verdict."""


class NotPlantedError(Exception):
    """A mutation whose text does not occur exactly once."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    name: str
    killed: bool
    why: str
    seconds: float


def plant(mutation: Mutation, package: Path) -> None:
    """Change the copy of the package; NotPlantedError when the text is not there exactly once."""
    file = package / "model_server" / mutation.file
    text = file.read_text() if file.is_file() else ""
    found = text.count(mutation.find)
    if found != 1:
        raise NotPlantedError(
            f"{mutation.file} holds {found} times: {mutation.find.strip().splitlines()[0]} (expected once)"
        )
    file.write_text(text.replace(mutation.find, mutation.replace))


def examine(cases: Sequence[str], components: Path) -> tuple[int, str]:
    """pytest's exit code, and the first case that failed or its last words, with the package of `components`."""
    environment = {**os.environ, "PYTHONPATH": str(components), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=no", *(str(SUITE / case) for case in cases)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode, (lines or done.stdout.splitlines() or [done.stderr])[-1 if not lines else 0]


def copied(folder: Path) -> Path:
    """A folder that holds a copy of the package."""
    shutil.copytree(PACKAGE, folder / "ferryman", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def judge(mutation: Mutation) -> Verdict:
    """Plant one mutation and run its cases."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        components = copied(Path(folder))
        try:
            plant(mutation, components / "ferryman")
        except NotPlantedError as error:
            return Verdict(mutation.name, False, str(error), 0.0)
        code, said = examine(mutation.cases, components)
    killed = code == FAILED and not said.startswith("ERROR")
    return Verdict(mutation.name, killed, said.partition("::")[2] or said, time.monotonic() - began)


def sound(mutations: Sequence[Mutation]) -> bool:
    """Whether all the cases named pass on an unchanged copy."""
    cases = sorted({case for mutation in mutations for case in mutation.cases})
    with tempfile.TemporaryDirectory() as folder:
        code, said = examine(cases, copied(Path(folder)))
    if code != PASSED:
        print(f"the unchanged server fails: {said}")
    return code == PASSED


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(
        description="Plant faults in the model server and run the black-box suite on each."
    )
    parser.add_argument("names", nargs="*", help="mutations to plant (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument("--list", action="store_true", help="show them and end")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - {mutation.name for mutation in MUTATIONS}:
        parser.error(f"no such mutation: {', '.join(sorted(unknown))}")
    mutations = [mutation for mutation in MUTATIONS if not chosen.names or mutation.name in chosen.names]
    if chosen.list:
        print("\n".join(f"{mutation.name}: {mutation.file}" for mutation in mutations))
        return 0
    if not sound(mutations):
        return 2
    with ThreadPoolExecutor(chosen.jobs) as pool:
        verdicts = []
        for verdict in pool.map(judge, mutations):
            verdicts.append(verdict)
            word = "killed" if verdict.killed else "SURVIVED"
            print(f"{word:8} {verdict.seconds:5.1f} s  {verdict.name:45} {verdict.why}", flush=True)
    alive = [verdict for verdict in verdicts if not verdict.killed]
    print(f"{len(verdicts) - len(alive)} of {len(verdicts)} killed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
