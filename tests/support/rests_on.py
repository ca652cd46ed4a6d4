"""`@rests_on("FILE:FUNCTION", ...)`: where in tensorflow/serving's source the behaviour of a case was read."""

from __future__ import annotations

import pytest


def rests_on(*places: str) -> pytest.MarkDecorator:
    """Mark a case with the places it rests on, each `path/below/tensorflow_serving.cc:Name::of::the::Function`."""
    return pytest.mark.rests_on(*places)
