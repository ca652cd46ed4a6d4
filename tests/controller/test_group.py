"""The group process with real servers: releases, restarts, kills, lost records."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Build = Callable[..., Path]


def test_releases_one_after_the_other_serve_and_the_way_back_is_refused_once_taken(group: Any, artifact: Build) -> None:
    first = group.release(artifact(1.0))
    group.start()
    assert group.ended(first).state == "Promoted"
    assert group.answer() == (1.0, 1)

    second = group.release(artifact(2.0))
    assert group.ended(second).version == 2
    assert group.answer(label="stable") == (2.0, 2)
    assert "versions: 2" in group.startup()
    assert "versions: 1" not in group.startup()

    back = group.roll_back(leaves=2)
    assert group.ended(back).state == "Promoted"
    assert group.answer(label="stable") == (1.0, 1)
    assert group.answer() == (1.0, 1)
    assert group.part().refused == ["content-2.0-None"]
    again = group.release(artifact(2.0))
    assert group.ended(again).state == "Refused"
    assert group.ended(group.roll_back(leaves=2)).state == "Conflict"
    assert group.end() == 0


def test_a_server_that_dies_is_told_with_its_end_and_another_serves(group: Any, artifact: Build) -> None:
    released = group.release(artifact(1.0))
    group.start()
    assert group.ended(released).state == "Promoted"
    (server,) = group.servers()
    os.kill(server, signal.SIGABRT)
    group.until(lambda: "the server ended: killed by SIGABRT; a new one starts" in group.log())
    assert group.answer(label="stable") == (1.0, 1)
    assert server not in group.servers()
    assert group.end() == 0
