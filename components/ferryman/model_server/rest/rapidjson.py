"""Reads JSON exactly as RapidJSON does with the real server's flags: what it accepts, its errors and their places.

It is slow, and asked only for what faster readers refuse. Depth costs no stack.
Source: RapidJSON 1.1.0, reader.h (IterativeParse, ParseString, ParseNumber) and error/en.h; util/json_tensor.cc names the
flags: iterative, NaN and infinities, stop when done; encodings are not validated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

_SPACE = re.compile(rb"[ \n\r\t]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?(?:[eE]([+-]?)([0-9]+))?")
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_ESCAPES = {
    ord('"'): b'"',
    ord("\\"): b"\\",
    ord("/"): b"/",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
}
_WORDS = {ord("n"): (b"null", None), ord("t"): (b"true", True), ord("f"): (b"false", False)}

EMPTY = "The document is empty."
INVALID = "Invalid value."
NO_NAME = "Missing a name for object member."
NO_COLON = "Missing a colon after a name of object member."
NO_OBJECT_END = "Missing a comma or '}' after an object member."
NO_ARRAY_END = "Missing a comma or ']' after an array element."
BAD_HEX = "Incorrect hex digit after \\u escape in string."
BAD_PAIR = "The surrogate pair in string is invalid."
BAD_ESCAPE = "Invalid escape character in string."
NO_QUOTE = "Missing a closing quotation mark in string."
TOO_BIG = "Number too big to be stored in double."
NO_FRACTION = "Miss fraction part in number."
NO_EXPONENT = "Miss exponent in number."


class ParseError(ValueError):
    """RapidJSON's text and the offset in bytes."""

    def __init__(self, text: str, offset: int) -> None:
        self.text, self.offset = text, offset
        super().__init__(f"{text} at offset: {offset}")


class Members(dict[str, Any]):
    """An object in which a key stands twice: the first one counts where one is looked up."""

    pairs: list[tuple[str, Any]]

    @staticmethod
    def of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """A plain dict where every key stands once."""
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        members = Members(reversed(pairs))
        members.pairs = pairs
        return members


def members(found: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Keys and values as they were written."""
    return found.pairs if isinstance(found, Members) else found.items()


def parse(text: bytes) -> Any:
    """The value that `text` begins with. Text is as `surrogateescape` decodes it.

    Raises:
        ParseError: as RapidJSON says it.
    """
    return _Reader(text).read()


_OPENED = object()
"""Stands for the value of a list or an object that has just begun."""


class _Reader:
    def __init__(self, text: bytes) -> None:
        # A zero byte is the end of a document.
        self._text = text[: text.index(b"\0")] if b"\0" in text else text
        self._at = 0
        for mark in b"\xef\xbb\xbf":
            self._at += self._text[self._at : self._at + 1] == bytes((mark,))
        self._open: list[list[Any]] = []
        """Values of the lists, and pairs of the objects, that are not yet ended."""

        self._keys: list[str | None] = []
        """For each of them None, or the key whose value comes next."""

    def read(self) -> Any:
        token = self._peek()
        if token is None or token in b"]},:":
            raise ParseError(EMPTY, self._at)
        value = self._value()
        while value is _OPENED or self._open:
            value = self._first() if value is _OPENED else self._after(value)
        return value

    def _peek(self) -> int | None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at] if self._at < len(self._text) else None

    def _value(self) -> Any:
        token = self._peek()
        if token is None or token in b"]},:":
            raise ParseError(INVALID, self._at)
        if token in b"[{":
            self._at += 1
            self._open.append([])
            self._keys.append("" if token == ord("{") else None)
            return _OPENED
        if token == ord('"'):
            return self._string()
        return self._word(*_WORDS[token]) if token in _WORDS else self._number()

    def _first(self) -> Any:
        token = self._peek()
        if self._keys[-1] is None:
            return self._close() if token == ord("]") else self._value()
        return self._close() if token == ord("}") else self._member()

    def _after(self, value: Any) -> Any:
        key, token = self._keys[-1], self._peek()
        self._open[-1].append(value if key is None else (key, value))
        if token == ord(","):
            self._at += 1
            return self._value() if key is None else self._member()
        if token == (ord("]") if key is None else ord("}")):
            return self._close()
        raise ParseError(NO_ARRAY_END if key is None else NO_OBJECT_END, self._at)

    def _member(self) -> Any:
        if self._peek() != ord('"'):
            raise ParseError(NO_NAME, self._at)
        self._keys[-1] = self._string()
        if self._peek() != ord(":"):
            raise ParseError(NO_COLON, self._at)
        self._at += 1
        return self._value()

    def _close(self) -> Any:
        self._at += 1
        ended = self._open.pop()
        return ended if self._keys.pop() is None else Members.of(ended)

    def _word(self, word: bytes, value: Any) -> Any:
        for byte in word:
            if self._text[self._at : self._at + 1] != bytes((byte,)):
                raise ParseError(INVALID, self._at)
            self._at += 1
        return value

    def _string(self) -> str:
        self._at += 1
        parts = []
        while True:
            plain = _PLAIN.match(self._text, self._at)
            parts.append(plain.group() if plain else b"")
            self._at += len(parts[-1])
            following = self._text[self._at : self._at + 1]
            if following == b'"':
                self._at += 1
                return b"".join(parts).decode("utf-8", "surrogateescape")
            if following != b"\\":
                raise ParseError(BAD_ESCAPE if following else NO_QUOTE, self._at)
            parts.append(self._escape())

    def _escape(self) -> bytes:
        start = self._at
        letter = self._text[start + 1] if start + 1 < len(self._text) else 0
        self._at += 2
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != ord("u"):
            raise ParseError(BAD_ESCAPE, start)
        point = self._hex(start)
        if 0xD800 <= point <= 0xDBFF:
            if self._text[self._at : self._at + 2] != b"\\u":
                raise ParseError(BAD_PAIR, start)
            self._at += 2
            low = self._hex(start)
            if not 0xDC00 <= low <= 0xDFFF:
                raise ParseError(BAD_PAIR, start)
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
        # The second half of a pair alone becomes the three bytes that no UTF-8 has.
        return chr(point).encode("utf-8", "surrogatepass")

    def _hex(self, start: int) -> int:
        found = _HEX.match(self._text, self._at)
        if not found:
            raise ParseError(BAD_HEX, start)
        self._at += 4
        return int(found.group(), 16)

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        if not found:
            return self._not_finite()
        start, self._at = self._at, found.end()
        following = self._text[self._at : self._at + 1]
        if found[4] is None and following in {b".", b"e", b"E"} and (found[2] is None or following != b"."):
            raise ParseError(NO_FRACTION if following == b"." else NO_EXPONENT, self._place_of_digit(following))
        if found[2] is None and found[4] is None:
            return self._whole(found.group(), start)
        if found[4] is not None and found[3] != b"-" and int(found[4][:9]) > 308 + _places(found[1], found[2] or b""):
            raise ParseError(TOO_BIG, start)
        return float(found.group())

    def _place_of_digit(self, mark: bytes) -> int:
        sign = self._text[self._at + 1 : self._at + 2]
        return self._at + 1 + (mark != b"." and sign in {b"+", b"-"})

    def _whole(self, digits: bytes, start: int) -> int | float:
        if len(digits) <= 20:
            value = int(digits)
            return value if -(2**63) <= value < 2**64 else float(value)
        # Digit after digit is added to a double until it is too large.
        if len(digits) > 400 or math.isinf(float(digits)):
            raise ParseError(TOO_BIG, start)
        return float(digits)

    def _not_finite(self) -> float:
        minus = self._text[self._at : self._at + 1] == b"-"
        self._at += minus
        for word, value in ((b"NaN", math.nan), (b"Infinity", math.inf), (b"Inf", math.inf)):
            if self._text.startswith(word, self._at) and (word != b"Inf" or not self._goes_on()):
                self._at += len(word)
                return -value if minus else value
        self._at += self._common()
        raise ParseError(INVALID, self._at)

    def _goes_on(self) -> bool:
        return self._text.startswith(b"i", self._at + 3)

    def _common(self) -> int:
        """How much of `NaN` or `Infinity` stands here."""
        rest = self._text[self._at : self._at + 8]
        best = 0
        for word in (b"NaN", b"Infinity"):
            same = next(
                (n for n, (a, b) in enumerate(zip(rest, word, strict=False)) if a != b), min(len(rest), len(word))
            )
            best = max(best, same)
        return best


def _places(whole: bytes, fraction: bytes) -> int:
    """Digits after the point that RapidJSON reads into a number's significand: as many as 53 bits hold, then up to 17."""
    value, significant, places = int(whole[:20]), max(0, len(whole) - 1), 0
    for digit in fraction[1:]:
        if value > 2**53 - 1 and significant >= 17:
            break
        value = value * 10 + digit - ord("0")
        places += 1
        significant += value != 0
    return places
