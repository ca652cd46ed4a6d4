"""The one spawner: every process that Ferryman starts is started here.

A spawned process has its own session (Ctrl-C reaches only us, and we decide), no standard input, its output in a log
file, `PYTHONSAFEPATH=1`, and it dies when we die, however we die. What it used and how it ended comes back as
`Finished`; a Python child that calls `child_main` also hands back the kind and the text of its error by file.

A child comes fresh, or *warm*: forked from a process that has imported TensorFlow already (`warm_children`). Whoever
spawns sees no difference but the seconds.
"""

from ferryman.process.child import ERROR_FILE, child_main, one_line, report_error
from ferryman.process.finished import ChildError, Finished, last_line
from ferryman.process.running import Process
from ferryman.process.spawning import run, spawn, warm_children

__all__ = [
    "ERROR_FILE",
    "ChildError",
    "Finished",
    "Process",
    "child_main",
    "last_line",
    "one_line",
    "report_error",
    "run",
    "spawn",
    "warm_children",
]
