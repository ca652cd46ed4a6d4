"""What the README shows can be typed."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path

import pytest
from newcomer import User, ends_well, eventually

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`(?:ferryman )((?:runs |spec )?[a-z]+)", README)))


def test_the_readme_names_commands_at_all() -> None:
    assert {"init", "check", "run", "serve", "predict", "promote", "rollback", "runs", "doctor"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists(tmp_path: Path, command: str) -> None:
    assert User(tmp_path).types(*command.split(), "--help").returncode == 0


@pytest.mark.slow
def test_the_walk_with_own_data_can_be_typed_as_it_stands(tmp_path: Path) -> None:
    draw = random.Random(4)
    rows = ["area;district;price"]
    for _ in range(400):
        area, district = draw.uniform(20, 300), draw.choice(["centre", "north", "south"])
        price = 900 * area + (60000 if district == "centre" else 0) + draw.gauss(0, 9000)
        rows.append(f"{area:.1f};{district};{price:.0f}".replace(".", ","))
    (tmp_path / "houses.csv").write_text("\n".join(rows) + "\n")
    (block,) = [found for found in re.findall(r"```sh\n(.*?)```", README, re.S) if "ferryman init" in found]
    user = User(tmp_path)
    for line in block.splitlines():
        words = shlex.split(line, comments=True)[1:]
        if words == ["serve"]:
            server = user.starts(*words, "--port", "0", "--rest-port", "0", log=tmp_path / "serve.log")
            continue
        if words[0] == "predict":
            said = eventually(lambda words=words: (s := user.types(*words)).returncode == 0 and s)
        else:
            said = user.types(*words)
        assert said.returncode == 0, f"{line}\n{said.stdout}{said.stderr}"
    assert ends_well(server) == 0
    assert len(said.stdout.splitlines()) == 401
