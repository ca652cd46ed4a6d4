"""The process that does the checks: it has TensorFlow, and the command that started it does not.

    python -m ferryman.checks FOLDER

`FOLDER/request.json` says what to check; what is found goes to `FOLDER/told.jsonl`, a line as each stage begins and ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ferryman.checks.ground import Ground, Request
from ferryman.checks.stage import run_stages
from ferryman.checks.stages import STAGES
from ferryman.models.runtime import quiet_tensorflow
from ferryman.process import child_main

REQUEST, TOLD = "request.json", "told.jsonl"


def main() -> None:
    """Run all stages for the request in the folder named on the command line."""
    quiet_tensorflow()
    folder = Path(sys.argv[1])
    ground = Ground(Request.read(folder / REQUEST), folder)
    try:
        with (folder / TOLD).open("a", encoding="utf-8") as told:
            for news in run_stages(STAGES, ground):
                told.write(news.model_dump_json(by_alias=True) + "\n")
                told.flush()
    finally:
        ground.exits.close()


if __name__ == "__main__":
    child_main(main)
