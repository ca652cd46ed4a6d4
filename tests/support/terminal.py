"""A real pseudo terminal with a program on it, and what a person would see there."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Screen:
    """The lines of a terminal, the ones scrolled away too; it knows the controls that a line-by-line program needs."""

    def __init__(self, columns: int) -> None:
        self.columns, self.lines, self.cursor_shown = columns, [""], True
        self._row, self._column, self._rest = 0, 0, ""

    def feed(self, text: str) -> None:
        """Take what the program wrote."""
        text, self._rest = self._rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = _CONTROL.match(text, at)
                if found is None:
                    # The rest of it has not been read yet.
                    self._rest = text[at:]
                    return
                self._control(found.group(1), found.group(2))
                at = found.end()
            else:
                self._put(text[at])
                at += 1

    def text(self) -> str:
        """All lines, without blanks at their ends."""
        return "\n".join(line.rstrip() for line in self.lines)

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down()
        elif character.isprintable():
            if self._column == self.columns:
                self._column = 0
                self._down()
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")

    def _control(self, value: str, kind: str) -> None:
        if kind == "A":
            self._row = max(0, self._row - int(value or 1))
        elif kind == "K":
            assert value == "2", f"erases {value!r}"
            self.lines[self._row] = ""
        elif value == "?25":
            self.cursor_shown = kind == "h"
        else:
            assert kind == "m", f"control {value}{kind}"


class Terminal:
    """A program that runs on a terminal of its own; its stdout can be redirected to a file."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80, out: Path | None = None
    ) -> None:
        self.screen = Screen(columns)
        self.written = ""
        """All that reached the terminal."""

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.settings = termios.tcgetattr(theirs)
        self._theirs, self._decoder = theirs, codecs.getincrementaldecoder("utf-8")()
        with contextlib.ExitStack() as files:
            stdout = files.enter_context(out.open("wb")) if out else theirs
            self.process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=stdout,
                stderr=theirs,
                env=dict(env),
                cwd=cwd,
                preexec_fn=_own_terminal,  # noqa: PLW1509
            )

    def sees(self, check: Callable[[Screen], bool], limit: float = 60) -> Screen:
        """The screen as soon as `check` is true of it."""
        deadline = time.monotonic() + limit
        while not check(self.screen):
            assert time.monotonic() < deadline, f"not seen within {limit} s:\n{self.screen.text()}"
            self._read()
        return self.screen

    def types(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def ends(self, limit: float = 60) -> int:
        """The program's exit code; the screen then is the last one."""
        deadline = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it has not ended within {limit} s:\n{self.screen.text()}"
            self._read()
        while self._read():
            pass
        return self.process.returncode

    def same_settings(self) -> bool:
        """Whether the terminal takes keys as it did before."""
        return termios.tcgetattr(self._theirs) == self.settings

    def close(self) -> None:
        """End the program, if it has not ended, and give the terminal back."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 0.1)
        if ready:
            text = self._decoder.decode(os.read(self._ours, 65536))
            self.written += text
            self.screen.feed(text)
        return bool(ready)


def _own_terminal() -> None:
    """A session whose terminal is stdin, so that Ctrl-C reaches the program."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
