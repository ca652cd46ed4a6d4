"""Fuzz a model server: python fuzz.py --minutes 15 [--seed 1] [--folder FINDINGS] [--only NUMBER]

Sends requests near the valid ones (tests/support/fuzzed_*.py) to a server process, REST and gRPC by turns. After
each batch the process must live, answer golden requests right, and not have grown. No answer may show a traceback or the
name of a Python exception. Findings are printed with the bytes that reproduce them, and kept in FINDINGS. The last line of
the output is JSON: requests, codes seen, memory, findings; with findings the exit code is 1. Request NUMBER of a seed is
always the same bytes; `--only NUMBER` sends just that one. Another server: FERRYMAN_MODEL_SERVER_COMMAND.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--only", type=int, metavar="NUMBER", help="send this request only, and print what comes back")
    return parser.parse_args()


def main() -> int:
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "support")]
    from fuzzing import Report, fuzz, once, serve

    asked = arguments()
    report = Report(asked.folder / str(asked.seed))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started, client = serve(Path(folder))
        began = time.monotonic()
        try:
            if asked.only is None:
                fuzz(started, client, asked.seed, asked.minutes, report)
            else:
                once(started, client, asked.seed, asked.only, report)
        finally:
            started.stop()
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"seed": asked.seed, "seconds": seconds, **report.summary()}))
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
