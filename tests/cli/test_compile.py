"""`ferryman compile`: what is reviewed and uploaded is the same bytes whenever it is made."""

from __future__ import annotations

from pathlib import Path

from newcomer import User, flowers


def test_the_same_spec_compiles_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    spec = flowers(tmp_path)
    for seed in ("1", "2"):
        # Names and sets come in another order with another seed.
        user = User(tmp_path, settings={"PYTHONHASHSEED": seed})
        said = user.types("compile", spec, "-o", f"{seed}.yaml")
        assert said.returncode == 0, said.stderr
    first, second = ((tmp_path / f"{seed}.yaml").read_bytes() for seed in ("1", "2"))
    assert b"pipelineInfo:\n  " in first
    assert first == second
