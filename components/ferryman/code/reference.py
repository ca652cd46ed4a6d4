"""How a spec names a class of the user's package: `package.module:Class`, in the place of a built-in's name."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

USER: Final = "MODULE:CLASS"
"""Under this name the kinds of the user's own stand beside the built-in ones, also in messages."""

FORM: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"

Reference = Annotated[str, Field(pattern=FORM)]
"""A class of the user's package, e.g. `fraud.model:Fraud`."""


def is_reference(name: Any) -> bool:
    """Whether a kind or a metric's name means a class of the user's and no built-in."""
    return isinstance(name, str) and ":" in name


def package_of(reference: str) -> str:
    """The top-level package of a reference: `fraud` of `fraud.model:Fraud`."""
    return reference.partition(":")[0].partition(".")[0]


def kind_tag(block: Any) -> str | None:
    """Which member of a union of kinds a block (plain data or options) is: its `kind`, or `USER` for a class."""
    kind = block.get("kind") if isinstance(block, dict) else getattr(block, "kind", None)
    if kind is None:
        return None
    return USER if is_reference(kind) else str(kind)
