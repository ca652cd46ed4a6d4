"""What the author of a model is told by `help()`."""

from __future__ import annotations

import dataclasses
import pydoc

import pytest

import ferryman


@pytest.mark.parametrize("kind", [ferryman.Context, ferryman.FitRows])
def test_help_describes_every_field(kind: type) -> None:
    text = pydoc.plain(pydoc.render_doc(kind)).partition("Method resolution order")[0].partition("Methods")[0]
    described = [
        name.strip()
        for line in text.splitlines()
        if ": " in line
        for name in line.strip(" |").partition(": ")[0].split(",")
    ]
    assert [field.name for field in dataclasses.fields(kind) if field.name not in described] == []


def test_help_says_what_the_inputs_are_and_how_epochs_are_reported() -> None:
    told = pydoc.plain(pydoc.render_doc(ferryman.Model))
    assert "context.sizes[NAME]` ids in all" in told
    assert "NAME_missing" in told
    assert "counted" in pydoc.plain(pydoc.render_doc(ferryman.Context))
