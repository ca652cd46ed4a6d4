"""The compiled pipelines of every ready spec, for every kind of place and in every form, as they lie in the golden files.

Two are stored whole and all others as differences from them, so that a reader sees what a place or a spec changes.
After a change that is meant: python tests/support/golden_pipelines.py, and read what git says of tests/compile/golden.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferryman.spec import Spec, load_spec
from ferryman.spec.cluster import ClusterTarget
from ferryman.spec.targets import targets_from
from ferryman.storage.inputs import PinnedSource
from ferryman_pipelines.compile.compiling import compile_spec
from ferryman_pipelines.compile.for_cluster import Compilation
from ferryman_pipelines.compile.forms import Form
from ferryman_pipelines.images.lock import IMAGE_OF_STEP

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "pipelines" / "specs"
GOLDEN = ROOT / "tests" / "compile" / "golden"

IMAGES = {
    step: f"registry.example/ferryman/{image}@sha256:{format(number, 'x') * 64}"
    for number, (step, image) in enumerate(IMAGE_OF_STEP.items())
}
"""An example of a lock: each step's image has a digest of its own, so that a swap shows."""

PLACES: dict[str, dict[str, Any]] = {
    "plain": {
        "volumes": [{"claim": "ferryman", "path": "/mnt/ferryman"}],
        "run_root": "/mnt/ferryman/runs",
        "inputs": "/mnt/ferryman/inputs",
        "group": "/mnt/ferryman/groups/local",
    },
    "full": {
        "host": "https://kfp.shop.example",
        "run_root": "gs://shop-ferryman/runs",
        "inputs": "gs://shop-ferryman/inputs",
        "group": "gs://shop-ferryman/groups/shop",
        "namespace": "shop",
        "steps": {
            "train": {
                "limit": "4h",
                "cpu": {"request": 4, "limit": 8},
                "memory": {"request": "12Gi", "limit": "16Gi"},
                "gpu": {"count": 2},
                "nodes": {
                    "selector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                },
                "spot": {
                    "selector": {"cloud.google.com/gke-spot": "true"},
                    "tolerations": [{"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NoSchedule"}],
                    "retries": 4,
                    "backoff": "1m",
                },
            },
            "prepare": {"cpu": {"limit": "1500m"}, "memory": {"limit": "3Gi"}},
        },
        "nodes": {"selector": {"pool": "pipelines"}},
        "secrets": [
            {"name": "lake", "env": {"LAKE_USER": "user", "LAKE_PASSWORD": "password", "PGPASSWORD": "password"}},
            {"name": "certificates", "mount": "/etc/certificates", "optional": True},
        ],
        "labels": {"team": "shop"},
        "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        "pull_policy": "Always",
        "pull_secrets": ["registry"],
        "security": {"user": 20001, "group": 0},
        "ttl": "2d",
    },
}


def place(name: str) -> ClusterTarget:
    """The cluster target `name` of the examples."""
    found = targets_from({"targets": 1, name: {"kind": "kubeflow", **PLACES[name]}}).named(name)
    assert isinstance(found, ClusterTarget)
    return found


def spec_named(name: str) -> Spec:
    """A ready spec, its source pinned to a place that is the same everywhere."""
    spec = load_spec(SPECS / f"{name}.yaml")
    source = PinnedSource(name=str(spec.data.source), uri=f"file:///inputs/sha256/{'0' * 64}", sha256="0" * 64)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"source": source})})


def compilation(spec: str, where: str) -> Compilation:
    """A ready spec for an example of a cluster."""
    return Compilation(spec_named(spec), f"{spec}.yaml", where, place(where), IMAGES)


def compiled() -> Iterator[tuple[str, str]]:
    """Name and text of each: SPEC.here, SPEC.PLACE.FORM; without what differs between patches of KFP."""
    for path in sorted(SPECS.glob("*.yaml")):
        spec = path.stem
        yield f"{spec}.here", here(spec)
        for where in PLACES:
            for form in Form:
                yield f"{spec}.{where}.{form}", neutral(compilation(spec, where).text(form))


def here(spec: str) -> str:
    """The pipeline of a ready spec for this machine."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        compile_spec(spec_named(spec), file, f"{spec}.yaml")
        return neutral(file.read_text(encoding="utf-8"))


def neutral(text: str) -> str:
    """Without the SDK's version, and without the content hashes that it goes into."""
    text = re.sub(r"sdkVersion: kfp-[\d.]+", "sdkVersion: kfp-ANY", text)
    return re.sub(r"(name: [a-z-]+-|displayName: \S+ )[0-9a-f]{12}\n", r"\1CONTENT\n", text)


WHOLE = ("digits.full.kfp", "digits.full.k8s")


def base_of(name: str) -> str:
    """What a compiled pipeline is compared with: the same of the digits, or the digits on the cluster with everything."""
    spec, _, rest = name.partition(".")
    if spec != "digits":
        return f"digits.{rest}"
    return "digits.full.k8s" if rest == "plain.k8s" else "digits.full.kfp"


def golden_files() -> dict[str, str]:
    """Name of a golden file -> its content."""
    texts = dict(compiled())
    files = {f"{name}.yaml": texts[name] for name in WHOLE}
    for name, text in texts.items():
        if name in WHOLE:
            continue
        base, file = base_of(name), f"{name.partition('.')[0]}.diff"
        lines = difflib.unified_diff(texts[base].splitlines(), text.splitlines(), base, name, n=0, lineterm="")
        files[file] = files.get(file, "") + "\n".join(lines) + "\n"
    return files


def main() -> None:
    """Write the golden files anew."""
    for path in GOLDEN.iterdir():
        path.unlink()
    for name, content in golden_files().items():
        (GOLDEN / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
