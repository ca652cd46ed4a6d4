"""Vertex AI Pipelines takes the portable form. Its SDK (300 MB) comes into an environment of its own, so this is slow."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path

import golden_pipelines
import pytest

from ferryman_pipelines.compile.forms import Form

BUILD = """
import json, sys
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
job = aiplatform.PipelineJob(
    display_name="digits", template_path=sys.argv[1], pipeline_root="gs://shop/root", parameter_values={"train_epochs": 3},
    project="shop", location="europe-west4", credentials=AnonymousCredentials(), enable_caching=False,
)
print(json.dumps(job.to_dict()))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with Vertex AI's SDK."""
    folder = tmp_path_factory.mktemp("vertex")
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "pip", "install", "-q", "google-cloud-aiplatform>=2,<3", "pyyaml"]
    subprocess.run(command, check=True)
    return folder / "bin" / "python"


def built(python: Path, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "pipeline.yaml"
    file.write_text(text)
    return subprocess.run([python, "-c", BUILD, file], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_vertex_builds_a_job_of_the_portable_form_and_of_no_other(python: Path, tmp_path: Path) -> None:
    compilation = golden_pipelines.compilation("digits", "full")
    said = built(python, compilation.text(Form.portable), tmp_path)
    assert said.returncode == 0, said.stderr
    job = json.loads(said.stdout)
    assert job["runtimeConfig"]["parameterValues"]["train_epochs"] == 3
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    assert executors["exec-train"]["container"]["image"] == golden_pipelines.IMAGES["train"]
    said = built(python, compilation.text(Form.kfp), tmp_path)
    assert (said.returncode, "expected a single document" in said.stderr) == (1, True), said.stderr
