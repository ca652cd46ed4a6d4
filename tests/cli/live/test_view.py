"""The live view on a real terminal: what a person sees, what is left behind, and what a pipe gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import live_run
import pytest
import stub_pipeline
from newcomer import eventually, strangers
from terminal import Terminal

from ferryman_pipelines.cli.live.view import wants_lines

SUPPORT = str(Path(stub_pipeline.__file__).parent)
PLAIN = r"  first +\d+\.\d s  made 4 characters\n"


def environment(**settings: str) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [SUPPORT, os.environ.get("PYTHONPATH", "")]))
    clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    return {**clean, "PYTHONPATH": paths, "TERM": "xterm-256color", "LANG": "C.UTF-8", **settings}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stub") / "stub.yaml"
    stub_pipeline.compile_stub(path)
    return path


@pytest.fixture
def command(tmp_path: Path, compiled: Path) -> Callable[..., list[str]]:
    def words(fault: str = "", *plain: str) -> list[str]:
        return [sys.executable, live_run.__file__, str(tmp_path / "runs" / "r1"), str(compiled), fault, *plain]

    return words


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def opens(words: list[str], settings: dict[str, str] | None = None, **options: Any) -> Terminal:
        opened.append(Terminal(words, env=environment(**(settings or {})), cwd=tmp_path, **options))
        return opened[-1]

    yield opens
    for one in opened:
        one.close()
    assert eventually(lambda: not strangers(tmp_path), 10)


def test_steps_are_seen_at_work_and_the_last_screen_holds_the_finished_ones(
    command: Callable[..., list[str]], terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    view = terminal(command("nan"), columns=60, out=out)
    seen = view.sees(lambda screen: "whole run" in screen.text())
    assert not seen.cursor_shown
    assert view.ends() == 5
    last = view.screen.text()
    assert re.search(PLAIN, last), last
    assert "FAILED: metric length is nan" in last
    # What was drawn while it ran is gone, and the terminal is as it was.
    assert "whole run" not in last
    assert view.screen.cursor_shown
    assert view.same_settings()
    # What was redirected holds the result and nothing else.
    assert out.read_text() == '{\n"outcome": "failed"}\n'


def test_in_forty_columns_what_runs_is_seen_and_ctrl_c_gives_the_terminal_back(
    command: Callable[..., list[str]], terminal: Callable[..., Terminal]
) -> None:
    view = terminal(command("wait"), columns=40)
    screen = view.sees(lambda screen: bool(re.search(r"\S second +[1-9]\d*\.\d s  \d+ MB", screen.text())))
    # A finished step's line is whole: the terminal breaks it.
    assert re.search(r"  first +\d+\.\d s  made 4 charact\ners\n", screen.text()), screen.text()
    drawn = [line for line in screen.text().splitlines() if "second" in line or "whole run" in line]
    assert len(drawn) == 2, screen.text()
    view.types(b"\x03")
    assert view.ends() == 130
    last = view.screen.text()
    assert "whole run" not in last
    assert last.rstrip().endswith('"outcome": "interrupted"}')
    assert view.screen.cursor_shown
    assert view.same_settings()


def test_whoever_asks_for_plain_lines_gets_them_alone_on_a_terminal_too(
    command: Callable[..., list[str]], terminal: Callable[..., Terminal]
) -> None:
    view = terminal(command("", "plain"))
    assert view.ends() == 5
    assert "\x1b" not in view.written
    assert re.match(PLAIN, view.written.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("terminal", "settings", "plain"),
    [
        (True, {"TERM": "xterm"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, True),
        (True, {"TERM": "dumb"}, True),
        (True, {}, True),
        (False, {"TERM": "xterm"}, True),
    ],
)
def test_plain_lines_are_for_pipes_poor_terminals_and_who_says_so(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, settings: dict[str, str], plain: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert wants_lines() is plain


def test_a_pipe_gets_the_plain_lines(command: Callable[..., list[str]], tmp_path: Path) -> None:
    said = subprocess.run(
        command(), env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert re.fullmatch(PLAIN + r"  second +\d+\.\d s\n", said.stderr), said.stderr
    assert said.stdout == '{\n"outcome": "failed"}\n'
