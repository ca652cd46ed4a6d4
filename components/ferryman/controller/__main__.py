"""`python -m ferryman.controller FOLDER`: the group process as a child of a command that waits for it."""

from __future__ import annotations

import sys
from pathlib import Path

from ferryman.controller.group import GroupProcess, serve_until_stopped
from ferryman.process import child_main


def main() -> None:
    """Run the group in the folder named on the command line, on free ports."""
    serve_until_stopped(GroupProcess(Path(sys.argv[1]), told=lambda text: print(text, flush=True)))


if __name__ == "__main__":
    child_main(main)
