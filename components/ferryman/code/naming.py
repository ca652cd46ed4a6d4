"""Whether the user's package has the classes that a spec names, by the text of its files: nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ferryman.errors import SpecError, UserCodeError
from ferryman.problems import nearest


def check_named(reference: str, where: str, parent: Path) -> None:
    """Refuse a reference to a module or class that the package below `parent` surely has not.

    What a module may make while it is imported (`import *`, `__getattr__`) is left for the import to find.

    Raises:
        SpecError: there is no such module, or no such class in it; `where` is the reference's place in the spec.
        UserCodeError: the module is no Python, with file and line.
    """
    module, _, name = reference.partition(":")
    file = _file_of(module, parent)
    if file is None:
        last = module.rpartition(".")[2]
        raise SpecError(
            where, f"received {reference!r}: there is no module {module!r}{nearest(last, _modules(module, parent))}"
        )
    shown = file.relative_to(parent).as_posix()
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise UserCodeError(f"SyntaxError: {error.msg}", file=shown, line=error.lineno) from error
    bound = set(_bound(tree))
    if name not in bound and not bound & {"*", "__getattr__"}:
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        raise SpecError(where, f"received {reference!r}: {shown} has no class {name!r}{nearest(name, classes)}")


def _file_of(module: str, parent: Path) -> Path | None:
    place = parent.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _modules(module: str, parent: Path) -> list[str]:
    """The names beside the module that is not there."""
    folder = parent.joinpath(*module.split(".")[:-1])
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that a module may have after its import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
