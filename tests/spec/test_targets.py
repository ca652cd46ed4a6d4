"""The targets file: what exists without one, what it says, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import SpecError, UsageError
from ferryman.spec.targets import DockerTarget, Targets, load_targets, targets_from
from ferryman.spec.units import parse_duration, parse_memory, written_memory


def written(folder: Path, text: str) -> Targets:
    path = folder / "targets.yaml"
    path.write_text(text)
    return load_targets(path)


def test_local_and_docker_exist_without_a_file() -> None:
    targets = load_targets(None)
    assert [targets.named(name).kind for name in ("local", "docker")] == ["local", "docker"]
    assert targets.named("local").group == "local"
    assert targets.named("local").limits["train"] == 6 * 3600


def test_a_file_adds_targets_and_changes_the_built_in_ones(tmp_path: Path) -> None:
    text = "targets: 1\nlocal: {steps: {train: {limit: 90m}}}\nnight: {kind: local, group: nightly}\n"
    targets = written(tmp_path, text)
    assert (targets.named("local").limits["train"], targets.named("local").limits["convert"]) == (5400, 6 * 3600)
    assert targets.named("night").group == "nightly"
    assert targets.named("docker").kind == "docker"


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("local: {}\n", "targets", "received nothing; this ferryman reads `targets: 1`"),
        ("targets: 2\n", "targets", "received 2"),
        ("targets: true\n", "targets", "received True"),
        ("targets: 1\nlocal: {grup: a}\n", "local.grup", "did you mean 'group'"),
        ("targets: 1\nlocal: {steps: {trian: {limit: 1h}}}\n", "local.steps.trian", "expected 'resolve', 'prepare'"),
        ("targets: 1\nlocal: {steps: {train: {limit: 60}}}\n", "local.steps.train.limit", "90s, 30m, 4h, 28d"),
        ("targets: 1\nlocal: {steps: {train: {limit: 0s}}}\n", "local.steps.train.limit", "greater than 0"),
        ("targets: 1\nnight: {group: a}\n", "night.kind", "expected a mapping with the field `kind`"),
        ("targets: 1\nnight: {kind: slurm}\n", "night.kind", "'slurm', expected one of 'local', 'docker'"),
        ("targets: 1\nlocal: 3\n", "local", "received 3"),
        ("targets: 1\nNight: {kind: local}\n", "Night", "expected text of the form"),
        ("targets: 1\nlocal: {}\nlocal: {}\n", "", "stands already in line 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(tmp_path: Path, text: str, path: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        written(tmp_path, text)
    assert message in str(refused.value)
    assert refused.value.path == path


def test_a_misspelt_target_gets_a_near_name() -> None:
    with pytest.raises(UsageError, match="--on lokal: no such target; did you mean 'local'"):
        load_targets(None).named("lokal")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("4h", 14_400), ("28d", 2_419_200)])
def test_a_duration_is_read_by_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["4", "h", "-4h", "4 h", "4H", "1e3s", "4h\n", 4, None, "٤h"])
def test_a_duration_without_a_plain_number_and_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration with its unit"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("512Mi", 512 * 2**20), ("1.5Gi", 3 * 2**29), ("2Ti", 2**41)])
def test_memory_has_its_unit(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["512", "512M", "512 Mi", "-1Gi", "Gi", 512])
def test_memory_without_its_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="512Mi, 32Gi"):
        parse_memory(text)


def test_a_container_has_its_own_memory_limit(tmp_path: Path) -> None:
    text = "targets: 1\ndocker: {steps: {train: {memory: 8Gi}, gate: {limit: 1h}}}\n"
    docker = written(tmp_path, text).root["docker"]
    assert isinstance(docker, DockerTarget)
    assert (docker.options("train").memory, docker.options("convert").memory) == (8 * 2**30, 6 * 2**30)
    assert (docker.options("gate").memory, docker.options("gate").limit) == (512 * 2**20, 3600)


def test_a_process_has_no_memory_limit_that_would_be_ignored(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="memory"):
        written(tmp_path, "targets: 1\nlocal: {steps: {train: {memory: 8Gi}}}\n")


@pytest.mark.parametrize(("size", "text"), [(512 << 20, "512Mi"), (3 << 29, "1.5Gi"), (6 << 30, "6Gi"), (2048, "2Ki")])
def test_memory_is_written_as_people_write_it(size: int, text: str) -> None:
    assert (written_memory(size), parse_memory(text)) == (text, size)


def test_each_step_of_a_docker_target_has_a_time_limit() -> None:
    target = targets_from({"targets": 1, "docker": {"steps": {"train": {"limit": "2h"}}}}).named("docker")
    assert (target.limits["train"], target.limits["gate"]) == (7200.0, 21600.0)
