"""The words of the command line to Flags, as TensorFlow reads them, and what is said of the flags to people.

TensorFlow knows `--name=value` and, for switches, `--name`; a value that stands in the next word is unknown to it.
Source: tensorflow/core/util/command_line_flags.cc (2.21), Flags::Parse, Parse*Flag.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass, fields
from itertools import groupby, pairwise

from ferryman.model_server.flags import About, Flags


@dataclass(frozen=True)
class CommandLine:
    """What the words say."""

    flags: Flags
    given: frozenset[str] = frozenset()
    """Names of the flags that were there."""
    unknown: tuple[str, ...] = ()
    """Words that no flag knows, which the real server tells and passes over."""
    wrong: tuple[str, ...] = ()
    """Values that a flag cannot have, each in a sentence; the real server then ends."""
    hints: tuple[str, ...] = ()
    """What was probably meant, each in a sentence."""

    @property
    def help(self) -> bool:
        """Whether help is asked for: it must be the first word that is not a flag."""
        return self.unknown[:1] == ("--help",)

    @property
    def ineffective(self) -> tuple[str, ...]:
        """Flags that were given and change nothing here."""
        return tuple(known.name for known in fields(Flags) if known.name in self.given and not about(known).effect)


def about(known: Field) -> About:  # type: ignore[type-arg]
    """What is said of a flag."""
    found: About = known.metadata["about"]
    return found


def parse(words: Sequence[str]) -> CommandLine:
    """Read the words; never raises."""
    end = words.index("--") if "--" in words else len(words)
    values: dict[str, str | int | float | bool] = {}
    unknown, wrong = [], []
    for word in words[:end]:
        known = next((known for known in fields(Flags) if _names(word, known)), None)
        if known is None:
            unknown.append(word)
            continue
        text = word.removeprefix(f"--{known.name}")
        try:
            values[known.name] = _value(known, text)
        except ValueError as error:
            wrong.append(f"--{known.name}: received {text.removeprefix('=')!r}, expected {error}")
    unknown += words[end:]
    return CommandLine(Flags(**values), frozenset(values), tuple(unknown), tuple(wrong), _hints(words))  # type: ignore[arg-type]


def _names(word: str, known: Field) -> bool:  # type: ignore[type-arg]
    # A switch takes every word that begins with its name, and then refuses what is left of it.
    return word.startswith(f"--{known.name}" if known.type == "bool" else f"--{known.name}=")


def _value(known: Field, text: str) -> str | int | float | bool:  # type: ignore[type-arg]
    if known.type == "bool":
        if text not in {"", "=true", "=false"}:
            raise ValueError("true or false")
        return text != "=false"
    text = text.removeprefix("=")
    if known.type == "int":
        return _whole(text, about(known).bits)
    if known.type == "float":
        # As sscanf reads: blanks before, none after.
        if text != text.rstrip():
            raise ValueError("a number")
        try:
            return float(text)
        except ValueError:
            raise ValueError("a number") from None
    if known.name == "log_format" and text not in {"text", "json"}:
        raise ValueError("text or json")
    return text


def _whole(text: str, bits: int) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,30}", text, re.ASCII):
        raise ValueError("a whole number")
    # The real server wraps round or clamps, as the C library pleases: no value that anybody meant.
    if not -(2 ** (bits - 1)) <= int(text) < 2 ** (bits - 1):
        raise ValueError(f"a whole number of {bits} bits")
    return int(text)


def _hints(words: Sequence[str]) -> tuple[str, ...]:
    valued = {f"--{known.name}" for known in fields(Flags) if known.type != "bool"}
    return tuple(
        f"{name} {value}: a value is written {name}={value}"
        for name, value in pairwise([*words, "--"])
        if name in valued and not value.startswith("--")
    )


def usage(program: str) -> str:
    """The page of --help."""
    lines = [
        f"usage: {program} --model_base_path=FOLDER [--name=value ...]",
        "",
        "Serves TensorFlow models over gRPC and REST as tensorflow_model_server does, with its flags. In FOLDER lies a",
        "folder for each version, with a number for a name.",
    ]
    for group, members in groupby(fields(Flags), lambda known: about(known).group):
        lines += ["", f"{group}:"]
        for known in members:
            lines += [f"  --{known.name}={_shown(known)}", *_wrapped(known)]
    return "\n".join([*lines, ""])


def _wrapped(known: Field) -> Iterator[str]:  # type: ignore[type-arg]
    text = about(known).help + (" (not a flag of the real server)" if about(known).ours else "")
    yield from textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)


def table() -> str:
    """The flags as a table of Markdown, for the documentation."""
    lines = ["| flag | default | |", "|---|---|---|"]
    for known in fields(Flags):
        marks = " *(ours)*" if about(known).ours else "" if about(known).effect else " *(without effect)*"
        lines.append(f"| `--{known.name}` | {_shown(known) or 'none'} | {about(known).help}{marks} |")
    return "\n".join(lines)


def _shown(known: Field) -> str:  # type: ignore[type-arg]
    default = about(known).shown or getattr(Flags(), known.name)
    return str(default).lower() if isinstance(default, bool) else str(default)
