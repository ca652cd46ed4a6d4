"""Importing the user's package in this process alone, and finding the class that a spec names."""

from __future__ import annotations

import importlib
import inspect
import keyword
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from ferryman.code.place import blaming, raised_at, wrong
from ferryman.code.reference import package_of
from ferryman.errors import SpecError, UsageError, UserCodeError
from ferryman.problems import nearest, validate
from ferryman.process import one_line

Base = TypeVar("Base")

OURS: Final = frozenset({"ferryman", "ferryman_pipelines"})
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
"""Folders in which pip and Debian install; an author's own editable install lies elsewhere, and is the same package."""


@contextmanager
def imported(parent: Path, package: str) -> Iterator[None]:
    """In this block the folder `package` in `parent` is what `import package` finds, before all else.

    Afterwards its modules are forgotten, and an earlier import of that name is back.

    Raises:
        UsageError: the name would shadow an installed module.
    """
    check_package_name(package)
    earlier = _forget(package)
    sys.path.insert(0, str(parent))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(parent))
        _forget(package)
        sys.modules.update(earlier)


def check_package_name(package: str) -> None:
    """Refuse a package that Python cannot import by this name, or that would take the place of an installed one.

    Raises:
        UsageError: says which, and where that lies.
    """
    if not package.isidentifier() or keyword.iskeyword(package):
        raise UsageError(
            f"code: received a folder called {package!r}, expected a name that Python can import "
            "(letters, digits and '_'): rename it"
        )
    there = _installed(package)
    if there:
        raise UsageError(f"code: the folder {package!r} would shadow the module {package!r} {there}: rename it")


def _installed(package: str) -> str:
    if package in OURS:
        return "of ferryman itself"
    if package in sys.stdlib_module_names:
        return "of Python itself"
    found = PathFinder.find_spec(package)
    places = [found.origin or "", *(found.submodule_search_locations or ())] if found else []
    place = next((place for place in places if INSTALLED & set(Path(place).parts)), "")
    return f"that is installed in {place}" if place else ""


def load_class(reference: str, base: type[Base], where: str) -> type[Base]:
    """The class that `reference` names; `where` is its place in the spec, for messages.

    Raises:
        SpecError: the package has no such module, or the module no such class.
        UserCodeError: the import fails, or the class is no `base`; it names file and line.
    """
    name, _, attribute = reference.partition(":")
    module = _import(name, reference, where)
    found = getattr(module, attribute, None)
    if found is None:
        classes = [key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == name]
        file = f"{name.replace('.', '/')}.py"
        raise SpecError(
            where, f"received {reference!r}: {file} has no class {attribute!r}{nearest(attribute, classes)}"
        )
    if not inspect.isclass(found):
        raise SpecError(where, f"received {reference!r}: {attribute} is a {type(found).__name__}, expected a class")
    if not issubclass(found, base):
        expected = f"ferryman.{base.__name__}"
        raise wrong(found, f"{where}: the class {attribute} is no {expected}; write `class {attribute}({expected}):`")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise wrong(found, f"{where}: the class {attribute} has no method {', '.join(missing)}, which it must define")
    return found


def load_options(kind: type, document: Mapping[str, Any], where: str) -> Any:
    """The options of a user's class, by its own `Options`; `where` is the place of its block in the spec.

    Raises:
        SpecError: a field is unknown, missing or wrong, each with its path.
        UserCodeError: `Options` is no ferryman.Options.
    """
    options = getattr(kind, "Options", None)
    if not (inspect.isclass(options) and issubclass(options, BaseModel)):
        raise wrong(kind, f"{kind.__name__}.Options is {options!r}, expected `class Options(ferryman.Options):`")
    with blaming(options, f"{kind.__name__}.Options fails"):
        return validate(options, document, "", under=where)


def _import(name: str, reference: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # `import fraud.modle` fails by the name of a part of it; any other name is an import inside the user's file.
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SpecError(where, f"received {reference!r}: {_no_module(name, error.name)}") from error
        raise _failed(name, error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> UserCodeError:
    package = package_of(name)
    found = PathFinder.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    file, line = (raised_at(error, Path(places[0])) if places else None) or (f"{name.replace('.', '/')}.py", None)
    advice = ""
    if isinstance(error, ModuleNotFoundError):
        advice = "; install it, and pin it in code.requirements" if "." not in (error.name or ".") else ""
    return UserCodeError(f"the import of {name} fails: {one_line(error)}{advice}", file=file, line=line)


def _no_module(name: str, absent: str) -> str:
    parent, _, last = absent.rpartition(".")
    if not parent:
        return f"there is no package {absent!r}"
    places = getattr(sys.modules.get(parent), "__path__", [])
    known = [module.name for module in pkgutil.iter_modules(list(places))]
    return f"the package {parent} has no module {last!r}{nearest(last, known)}"


def _forget(package: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}
