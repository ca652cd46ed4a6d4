"""The log: one event a line, whatever is in it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

from ferryman.model_server.logs import Json, Text


def record(message: str, *values: object, error: Exception | None = None) -> logging.LogRecord:
    caught = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("ferryman.model_server", logging.WARNING, __file__, 1, message, values, caught)
    made.created, made.msecs = 1_795_000_000.25, 250.0
    return made


def failed() -> ValueError:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        return error


def test_an_event_is_one_line_with_its_moment_and_its_level() -> None:
    line = Text().format(record("%(model)s serves version %(version)d", {"model": "m", "version": 3}))
    assert line[10] == " "
    assert line[19:] == ".250 WARNING m serves version 3"


def test_the_name_of_a_model_cannot_write_a_line_of_its_own() -> None:
    line = Text().format(record("Loaded %s version %d", "m\n2026-11-25 ERROR forged\x1b[2J\u2028", 3))
    assert line.endswith("Loaded m\\n2026-11-25 ERROR forged\\x1b[2J\\u2028 version 3")
    assert Text().format(record("Größe %s", "Küche und Bad")).endswith("Größe Küche und Bad")


def test_a_traceback_stands_in_the_same_line() -> None:
    line = Text().format(record("a bug while answering", error=failed()))
    assert "a bug while answering | Traceback" in line
    assert line.endswith("ValueError: first\\nsecond")
    assert len(line.splitlines()) == 1


def test_json_has_the_values_of_the_event_beside_its_words() -> None:
    told = json.loads(Json().format(record("%(model)s serves %(versions)s", {"model": "m\n", "versions": [1, 2]})))
    assert told == {
        "time": "2026-11-18T11:06:40.250Z",
        "level": "warning",
        "event": "m\n serves [1, 2]",
        "model": "m\n",
        "versions": [1, 2],
    }


def test_json_keeps_a_traceback_and_writes_as_text_what_is_no_json() -> None:
    line = Json().format(record("%(where)s", {"where": threading.Lock}, error=failed()))
    told = json.loads(line)
    assert "\n" not in line
    assert "Lock" in told["where"] or "lock" in told["where"]
    assert told["traceback"].endswith("ValueError: first\nsecond")


PROGRAM = """
import logging, threading, warnings
from ferryman.model_server.logs import configure, log
configure("text")
logging.getLogger("other").info("unheard")
logging.getLogger("other").warning("heard")
warnings.warn("careful\\nnow")
thread = threading.Thread(target=lambda: 1 / 0, name="worker")
thread.start(); thread.join()
log.info("last")
"""


def test_what_others_say_comes_out_in_one_line_each_too() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stderr
    lines = said.splitlines()
    assert [line.split(" ", 3)[2] for line in lines] == ["WARNING", "WARNING", "ERROR", "INFO"]
    assert "careful" in lines[1]
    assert "the thread worker ended | Traceback" in lines[2]
    assert lines[3].endswith("INFO last")


def test_a_log_that_nobody_reads_does_not_end_what_runs() -> None:
    program = PROGRAM + "\nimport sys; sys.stderr.close(); log.info('gone'); print('still here')"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "still here\n"
