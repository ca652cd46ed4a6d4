"""What the README shows can be typed."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from newcomer import SPECS, User, ends_well, eventually

from ferryman.spec import load_targets
from ferryman_pipelines.images.lock import Image, ImageLock, ImageName, write_lock

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"(?:`|^)ferryman ((?:runs |spec |images )?[a-z]+)", README, re.M)))


def blocks(language: str, word: str) -> list[str]:
    """The code blocks of a language in which a word stands."""
    return [found for found in re.findall(rf"```{language}\n(.*?)```", README, re.S) if word in found]


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
    (block,) = blocks("sh", "ferryman init")
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


@pytest.mark.parametrize("block", blocks("yaml", "targets: 1"), ids=["cluster", "here"])
def test_every_targets_file_of_the_readme_is_one(tmp_path: Path, block: str) -> None:
    (tmp_path / "targets.yaml").write_text(block)
    assert set(load_targets(tmp_path / "targets.yaml").root) >= {"local", "docker"}


def test_a_pipeline_is_compiled_for_a_cluster_as_the_readme_says(tmp_path: Path) -> None:
    (targets,) = blocks("yaml", "kind: kubeflow")
    volume = tmp_path / "volume"
    volume.mkdir()
    # Neither a bucket nor a volume of a cluster is here; a folder is.
    targets = targets.replace("gs://shop-ferryman/inputs", "/ferryman/inputs").replace("/ferryman", str(volume))
    (tmp_path / "targets.yaml").write_text(targets)
    reference = f"registry.example.com/team/x@sha256:{'1' * 64}"
    built = {name: Image(id=f"sha256:{'2' * 64}", reference=reference) for name in get_args(ImageName)}
    write_lock(tmp_path / "images.lock.json", ImageLock(built=built))
    (block,) = blocks("sh", "--push")
    build, *lines = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert build[:3] == ["images", "build", "--push"]
    user = User(tmp_path)
    for words in lines:
        said = user.types(*(str(SPECS / Path(word).name) if "specs/" in word else word for word in words))
        assert said.returncode == 0, said.stderr
    assert said.stdout == "digits.pipeline.yaml: nothing found\n"
    assert sorted(path.name for path in tmp_path.glob("digits.*")) == ["digits.objects.yaml", "digits.pipeline.yaml"]
