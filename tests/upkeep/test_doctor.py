"""What the look at machine and local state says, and what it advises."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ferryman.controller.lock import group_lock
from ferryman.process import spawn
from ferryman.serving.record import GroupRecord, ModelPart, Released
from ferryman.serving.release import Release, create_release
from ferryman.storage.lock import hold
from ferryman_pipelines.upkeep import machine
from ferryman_pipelines.upkeep.machine import home_finding, index_finding, index_url, port_finding
from ferryman_pipelines.upkeep.packages import package_findings
from ferryman_pipelines.upkeep.state import group_finding, lock_findings

NEEDS = ["numpy>=2.0", 'tensorflow<2.22,>=2.21; extra == "local"', 'ruff>=0.12; extra == "dev"']
FINE = {"ferryman": "0.1.0", "numpy": "2.1", "tensorflow": "2.21.3", "keras": "3.9"}


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({}, {}),
        ({"tensorflow": "2.20.1"}, {"tensorflow": "2.20.1, ferryman needs <2.22,>=2.21"}),
        ({"numpy": None}, {"numpy": "not installed, ferryman needs >=2.0"}),
        ({"keras": "2.15"}, {"keras": "2.15, ferryman needs >=3"}),
        ({"tensorflow": "2.22.0"}, {"tensorflow": "2.22.0, ferryman needs <2.22,>=2.21"}),
    ],
)
def test_packages_are_held_against_our_ranges_and_only_those_of_local_runs(changes: Any, fails: Any) -> None:
    found = list(package_findings({**FINE, **changes}.get, NEEDS))
    assert {finding.name: finding.text for finding in found if finding.state == "fail"} == fails
    assert all(finding.fix for finding in found if finding.state == "fail")
    assert "ruff" not in {finding.name for finding in found}


def test_a_home_in_a_file_and_on_a_disk_without_hard_links_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    assert home_finding(tmp_path / "new" / "home").state == "ok"
    assert not (tmp_path / "new").exists()
    assert home_finding(tmp_path / "file" / "home").state == "fail"
    monkeypatch.setattr(machine, "_file_system", lambda path: "exfat")
    assert "exfat file system knows no hard links" in home_finding(tmp_path).text


@pytest.fixture
def index() -> Iterator[str]:
    class Empty(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://ada:secret@127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_an_index_that_answers_anything_is_reachable_and_no_secret_is_told(
    index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = index_finding(index_url())
    assert (found.state, "answers (404)" in found.text, "secret" in found.text) == ("ok", True, False)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        silent = index_finding(f"http://127.0.0.1:{nobody.getsockname()[1]}/simple")
    assert (silent.state, "does not answer" in silent.text) == ("warn", True)


def test_a_taken_port_is_told_with_who_has_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = port_finding(port, [])
        assert (found.state, found.text.startswith(f"taken by pid {os.getpid()} (")) == ("warn", True)
    assert port_finding(port, []).state == "ok"


def group(folder: Path, *, files: bool = True) -> Path:
    place = folder / "groups" / "local"
    version = place / "store" / "m" / "4"
    version.mkdir(parents=True)
    if files:
        (version / "manifest.json").write_text("{}")
    part = ModelPart(stable=Released(number=4, digest="d", content="c", release="r"))
    (place / "record.json").write_text(GroupRecord(replicas=["a"], models={"m": part}).model_dump_json())
    return place


def test_a_group_is_told_whole_served_waiting_lost_or_torn(tmp_path: Path) -> None:
    place = group(tmp_path)
    assert group_finding(place).text.startswith("its record is whole: m version 4; not served at the moment")
    with group_lock(place):
        assert group_finding(place).text.endswith("run now, not listening yet")
    create_release(place, Release(name="r-2", model="m", created="2", artifact="/a", digest="d", content="c"))
    waiting = group_finding(place)
    assert (waiting.state, "r-2 has not ended, and nobody runs the group" in waiting.text) == ("warn", True)
    (place / "store" / "m" / "4" / "manifest.json").unlink()
    lost = group_finding(place)
    assert (lost.state, "the files of m version 4 are lost" in lost.text) == ("warn", True)
    assert "promote RUN --despite-hold" in lost.fix
    (place / "record.json").write_text("{")
    torn = group_finding(place)
    assert (torn.state, "is torn" in torn.text, torn.fix) == ("fail", True, "ferryman serve local")


def test_a_lock_whose_taker_lives_no_more_is_told(tmp_path: Path) -> None:
    place = group(tmp_path)
    assert [finding.name for finding in lock_findings(tmp_path, [place])] == ["locks"]
    child = spawn(["true"], log=tmp_path / "log")
    child.wait()
    with hold(place / "lock", ""):
        (mine,) = lock_findings(tmp_path, [place])
        (place / "lock").write_text(str(child.pid))
        (orphan,) = lock_findings(tmp_path, [place])
    assert (mine.state, orphan.state) == ("ok", "warn")
    assert f"pid {child.pid}, which took it, lives no more" in orphan.text
