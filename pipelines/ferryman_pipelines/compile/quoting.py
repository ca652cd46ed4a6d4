"""Text that looks like a number to some readers of YAML, in quotes.

KFP's compiler writes by the rules of YAML 1.1 as PyYAML has them: there `1e3`, `08` and `y` are text and stand bare. KFP's
backend and kubectl (Go) and readers of YAML 1.2 take them for numbers and truth, and refuse a label or a name that is one.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

import yaml

LIKE_A_NUMBER: Final = re.compile(
    r"(?:[yYnN]|0o[0-7]+|[-+]?0b[01_]+|[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$"
)
"""What is text for PyYAML and something else for others."""


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Quotes what another reader would not read as text."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", LIKE_A_NUMBER, list("yYnN+-.0123456789"))


def quoted(text: str) -> str:
    """KFP's documents with all text read as text by everybody; else the same bytes, with the comments on top."""
    comments = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    return comments + str(yaml.dump_all(yaml.safe_load_all(text), Dumper=_Dumper, sort_keys=True))
