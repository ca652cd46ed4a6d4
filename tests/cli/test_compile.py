"""`ferryman compile`: what is reviewed and uploaded is the same bytes whenever it is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from newcomer import User, flowers

from ferryman_pipelines.images.lock import IMAGES, Image, ImageLock, write_lock


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


def cluster(folder: Path, *, pushed: bool = True) -> None:
    """A targets file with a cluster whose stores lie in a volume, and a lock of example images."""
    there = f"{folder}/there"
    place = f'{{kind: kubeflow, volumes: [{{claim: ferryman, path: "{there}"}}], run_root: "{there}/runs"'
    place += f', inputs: "{there}/inputs", group: "{there}/groups/a"}}'
    Path(there).mkdir()
    (folder / "targets.yaml").write_text(f"targets: 1\nprod: {place}\n")
    built = {
        name: Image(id=f"sha256:{'1' * 64}", reference=f"registry.example/{name}@sha256:{'2' * 64}" if pushed else None)
        for name in IMAGES
    }
    write_lock(folder / "images.lock.json", ImageLock(built=built))


def test_a_clusters_file_names_nothing_of_this_machine(tmp_path: Path) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path)
    said = user.types("compile", spec, "--on", "prod", "-o", "p.yaml")
    assert said.returncode == 2
    assert "data.source (flowers.csv): not in the input store" in said.stderr
    assert not (tmp_path / "p.yaml").exists()
    said = user.types("compile", spec, "--on", "prod", "--upload", "-o", "p.yaml")
    assert said.returncode == 0, said.stderr
    text = (tmp_path / "p.yaml").read_text()
    assert f"registry.example/train@sha256:{'2' * 64}" in text
    assert (tmp_path / "there" / "inputs").as_uri() in text
    assert ".ferryman" not in text
    said = user.types("compile", spec, "--on", "prod", "--format", "k8s", "-o", "objects.yaml")
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "objects.yaml").read_text().count("\nkind: Pipeline") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--on", "prd"), "--on prd: no such target; did you mean 'prod'"),
        (("--on", "local"), "received a target of kind local, expected one of kind kubeflow"),
        (("--upload",), "try: --on TARGET"),
        (("--format", "k8s"), "try: --on TARGET"),
        (("--on", "prod", "--images", "other.json"), "there is no other.json"),
        (("--on", "prod"), "has no registry's digest; try: ferryman images build --push REGISTRY"),
    ],
)
def test_what_cannot_be_compiled_is_refused_and_nothing_is_written(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path, pushed=False)
    said = user.types("compile", spec, "-o", "p.yaml", *words)
    assert (said.returncode, message in said.stderr) == (2, True), said.stderr
    assert not (tmp_path / "p.yaml").exists()
    assert not list((tmp_path / "there").iterdir())


def test_what_a_pipeline_is_made_from_is_never_written_over(tmp_path: Path) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path)
    (tmp_path / "link.yaml").symlink_to("targets.yaml")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for out in (spec, "link.yaml", "./images.lock.json"):
        said = user.types("compile", spec, "--on", "prod", "--upload", "-o", out)
        assert (said.returncode, f"-o {Path(out)}: the pipeline is made from this file" in said.stderr) == (2, True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_cluster_whose_steps_could_not_keep_their_runs_is_refused(tmp_path: Path) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path)
    place = "prod: {kind: kubeflow, run_root: gs://shop/runs, inputs: gs://shop/inputs, group: gs://shop/groups/a}"
    (tmp_path / "bucket.yaml").write_text(f"targets: 1\n{place}\n")
    said = user.types("compile", spec, "--on", "prod", "--targets", "bucket.yaml", "-o", "p.yaml")
    assert (said.returncode, "prod.run_root: received gs://shop/runs" in said.stderr) == (2, True), said.stderr


def test_an_upload_into_a_volume_that_is_not_mounted_here_is_refused(tmp_path: Path) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path)
    (tmp_path / "there").rmdir()
    said = user.types("compile", spec, "--on", "prod", "--upload", "-o", "p.yaml")
    assert (said.returncode, "not mounted here" in said.stderr) == (2, True), said.stderr
    assert not (tmp_path / "there").exists()


def test_what_a_target_accepts_is_not_told_again(tmp_path: Path) -> None:
    user, spec = User(tmp_path), flowers(tmp_path)
    cluster(tmp_path)
    targets = (tmp_path / "targets.yaml").read_text()
    (tmp_path / "targets.yaml").write_text(
        targets.replace("}\n", ", lint: {waive: {image-digset: our proxy pins them}}}\n")
    )
    said = user.types("compile", spec, "--on", "prod", "--upload", "-o", "p.yaml")
    assert (said.returncode, "waive image-digset: no such rule; did you mean 'image-digest'" in said.stderr) == (
        2,
        True,
    )
    assert not (tmp_path / "p.yaml").exists()
    (tmp_path / "targets.yaml").write_text(
        targets.replace("}\n", ", lint: {waive: {image-digest: our proxy pins them}}}\n")
    )
    assert user.types("compile", spec, "--on", "prod", "--upload", "-o", "p.yaml").returncode == 0
    said = user.types("lint", "p.yaml", "--on", "prod")
    assert (said.returncode, "the waiver of image-digest waives nothing here" in said.stderr) == (0, True), said.stderr
