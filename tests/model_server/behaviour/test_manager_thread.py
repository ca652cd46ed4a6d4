"""The default --num_load_threads=0: loads run in the manager's loop, and a failing one blocks everything else."""

from __future__ import annotations

import shutil
from pathlib import Path

from rests_on import rests_on
from serving_client import Client, Model, code, never, until

FLAGS = ("--num_load_threads=0", "--max_num_load_retries=2", "--load_retry_interval_micros=1500000")

INLINE = "core/basic_manager.cc:BasicManager::LoadOrUnloadServable"
EXECUTOR = "util/inline_executor.cc:InlineExecutor::Schedule"


@rests_on(INLINE, EXECUTOR, "core/aspired_versions_manager.cc:AspiredVersionsManager::InvokePolicyAndExecuteAction")
def test_a_failing_load_blocks_other_loads_and_unloads_and_its_own_withdrawal_until_its_last_try(
    own_process: None, server: Client, m: Model, models: Path, scratch: Path
) -> None:
    base = scratch / "b"
    shutil.copytree(models / "m" / "1", base / "2")
    server.reload(m, Model("r", base, (2,)))
    (base / "3").mkdir()
    server.reload(m, Model("r", base, (2, 3)))
    server.await_states("r", {3: "LOADING"})
    # The way back, another model, and the end of a version: all wait for it.
    fresh = Model("fresh", models / "m", (1,))
    assert code(lambda: server.reload(Model("m", models / "m", (2,)), Model("r", base, (2,)), fresh, limit=1)) == (
        "DEADLINE_EXCEEDED"
    )
    never(lambda: server.states("m")[1] != "AVAILABLE" or server.states("fresh") != {}, 0.5)
    assert server.predict({"x": 2.0}, name="m", version=1).outputs["y"].float_val[:] == [3.0]
    until(lambda: server.states("r")[3] == "END")
    server.await_states("m", {1: "END", 2: "AVAILABLE"})
    server.await_states("fresh", {1: "AVAILABLE"})
