"""What a run would take, from what the checks took; disk and ports."""

from __future__ import annotations

import shutil
import socket
from typing import Any

import pytest

from ferryman.checks import estimate
from ferryman.checks.ground import Ground, Request
from ferryman.checks.stages import STAGES
from ferryman.controller.lock import group_lock

SCANNED = tuple(stage for stage in STAGES if stage.name in {"spec", "data", "disk"})


def test_a_disk_without_room_is_an_error(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(shop.folder)
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda place: usage._replace(free=1000))
    checked = shop.check(SCANNED)
    (found,) = checked.of("error")
    assert found.startswith(str(shop.folder))
    assert "1 kB are free" in found
    assert checked.exit_code == 7


def ports(shop: Any) -> Any:
    return shop.check(tuple(stage for stage in STAGES if stage.name == "ports"))


def test_a_port_that_serving_wants_and_another_has_is_noted(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken, socket.socket() as free:
        for one in (taken, free):
            one.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(estimate, "SERVE_PORTS", (taken.getsockname()[1],))
        (found,) = ports(shop).of("note")
        assert str(taken.getsockname()[1]) in found
        with group_lock(shop.home / "groups" / "local"):
            assert ports(shop).of("note") == [], "our own server may well have it"


def test_a_longer_file_more_epochs_and_slower_steps_take_longer(
    shop: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    ground: Ground = shop.check(SCANNED).ground
    ground.seconds |= {"training": 4.0, "export": 1.0, "conversion": 7.0, "serving": 2.0}
    monkeypatch.setattr(estimate, "step_seconds", lambda ground: 0.1)
    assert ground.spec is not None
    once = estimate.run_seconds(ground)
    ground.spec = ground.spec.model_copy(update={"train": ground.spec.train.model_copy(update={"epochs": 103})})
    # 220 train rows are 14 batches of 16.
    assert estimate.run_seconds(ground) - once == pytest.approx(100 * 14 * 0.1 * estimate.AT_ONCE)
    assert isinstance(ground.request, Request)
