"""The suite itself: it is large, and every case names a place in the real server's source that is there."""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

SOURCE = "FERRYMAN_SERVING_SOURCE"
"""Environment variable: a checkout of tensorflow/serving or a git directory of it."""

HERE = Path(__file__).parent
FILES = sorted(file for file in HERE.rglob("test_*.py") if file != Path(__file__))


class Case:
    """A test function and its places."""

    def __init__(self, node: ast.FunctionDef, names: dict[str, str]) -> None:
        self.name = node.name
        self.places: list[str] = []
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "rests_on":
                self.places += [text(argument, names) for argument in decorator.args]


def text(node: ast.expr, names: dict[str, str]) -> str:
    """What a string, a constant's name or an f-string of constants says; KeyError for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return names[node.value.id]
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Constant):
        return str(node.value)
    raise KeyError(ast.unparse(node))


def constants(tree: ast.Module) -> dict[str, str]:
    """A module's own strings by name."""
    names: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(KeyError):
                names[node.targets[0].id] = text(node.value, names)
    return names


@cache
def cases() -> dict[str, Case]:
    found = {}
    for file in FILES:
        tree = ast.parse(file.read_text())
        names = constants(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{file.relative_to(HERE)}::{node.name}"] = Case(node, names)
    return found


def test_there_are_at_least_a_hundred_cases() -> None:
    assert len(cases()) >= 100


@pytest.mark.parametrize("name", sorted(cases()))
def test_every_case_names_a_place(name: str) -> None:
    places = cases()[name].places
    assert places
    for place in places:
        file, _, function = place.partition(":")
        assert file.endswith((".cc", ".h"))
        assert function


@cache
def content(file: str) -> str:
    """A file of the real server's source."""
    source = Path(os.environ[SOURCE])
    path = f"tensorflow_serving/{file}"
    if (source / path).is_file():
        return (source / path).read_text()
    shown = subprocess.run(
        ["git", "--git-dir", str(source), "show", f"HEAD:{path}"], capture_output=True, text=True, check=False
    )
    return shown.stdout


@pytest.mark.skipif(SOURCE not in os.environ, reason=f"needs a checkout of tensorflow/serving in {SOURCE}")
@pytest.mark.parametrize("place", sorted({place for case in cases().values() for place in case.places}))
def test_every_place_is_in_the_source(place: str) -> None:
    file, _, function = place.partition(":")
    owner, _, name = function.rpartition("::")
    source = content(file)
    assert f"{name}(" in source, f"{file} has no {name}"
    assert not owner or owner.rpartition("::")[2] in source, f"{file} has no {owner}"
