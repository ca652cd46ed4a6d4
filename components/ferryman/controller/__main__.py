"""`python -m ferryman.controller FOLDER`: the group process as a child of a command that waits for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ferryman.controller.group import GroupProcess, serve_until_stopped
from ferryman.process import child_main


def main() -> None:
    """Run the group in the folder named on the command line until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m ferryman.controller", description=__doc__)
    parser.add_argument("folder", type=Path, help="the group's folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; the server has no authentication")
    parser.add_argument("--grpc-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--rest-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds that the previous version stays loaded")
    given = parser.parse_args()
    serve_until_stopped(
        GroupProcess(
            given.folder,
            host=given.host,
            grpc_port=given.grpc_port,
            rest_port=given.rest_port,
            soak_seconds=given.soak,
            told=lambda text: print(text, flush=True),
        )
    )


if __name__ == "__main__":
    child_main(main)
