"""The built images: small, bare, harmless, and complete for whoever runs them, whatever was cut away."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from newcomer import flowers

from ferryman.spec.pinning import pin_spec
from ferryman_pipelines.images.budgets import measure, over, read_budgets
from ferryman_pipelines.images.docker import ask
from ferryman_pipelines.images.lock import FILE, IMAGES, ImageName, read_lock
from ferryman_pipelines.images.sbom import FILE as SBOM

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
HARD = ("--rm", "--network=none", "--read-only", "--tmpfs=/tmp", "--user=12345:12345", "--cap-drop=ALL")
"""As strict as a cluster may be: a read-only root, no network, a user that the image does not know."""


@pytest.fixture(scope="module")
def images() -> dict[ImageName, str]:
    """The IDs of the images that were built last, by name."""
    file = Path(os.environ.get("FERRYMAN_TEST_LOCK", ROOT / FILE))
    built = {name: image.id for name, image in read_lock(file).built.items()}
    assert set(built) == set(IMAGES)
    return built


def says(image: str, code: str, *options: str) -> str:
    """What a Python program prints in the image."""
    return ask("run", *HARD, *options, image, "python3", "-c", code, limit=600)


def config(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("image", "inspect", "--format={{json .Config}}", image))
    return found


def test_the_images_keep_their_budgets(images: dict[ImageName, str]) -> None:
    assert over(measure(images), read_budgets(ROOT)) == []


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_says_what_it_is_and_runs_nothing_of_its_own_as_nobody_special(
    images: dict[ImageName, str], name: ImageName
) -> None:
    found = config(images[name])
    labels = {key.rpartition(".")[2]: value for key, value in found["Labels"].items()}
    assert labels["title"] == f"ferryman {name}"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels["revision"])
    assert labels["code"] == says(images[name], "from ferryman.artifacts.code import code_digest; print(code_digest())")
    assert labels["version"] == says(images[name], "from importlib.metadata import version; print(version('ferryman'))")
    assert found.get("Entrypoint") is None
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", found["User"]), (
        "a number, or Kubernetes cannot tell that it is not root"
    )


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_what_its_lock_says_and_no_installer(images: dict[ImageName, str], name: ImageName) -> None:
    code = """
import json, shutil
from importlib import metadata, util
print(json.dumps({d.name.lower().replace("_", "-").replace(".", "-"): d.version for d in metadata.distributions()}))
print([word for word in ("pip", "pip3", "conda", "uv") if shutil.which(word)], util.find_spec("pip"))
"""
    packages, installers = says(images[name], code).splitlines()
    lock = (ROOT / "components" / "locks" / f"{name}.lock").read_text(encoding="utf-8")
    python = {"python_full_version < '3.12'", "platform_python_implementation != 'PyPy'"}
    wanted = {
        package: version
        for package, version, marker in re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; ([^\\\n]+?))? \\$", lock, re.MULTILINE)
        if not marker or any(text in marker for text in python)
    }
    assert {**json.loads(packages), "ferryman": ""} == {**wanted, "ferryman": ""}
    assert installers == "[] None"


@pytest.mark.parametrize("name", IMAGES)
def test_kfps_executor_and_our_code_start_from_compiled_code_and_write_nothing(
    images: dict[ImageName, str], name: ImageName
) -> None:
    code = """
import getpass, pathlib, sys
from kfp.dsl import executor_main
import ferryman.artifacts.step, numpy, pydantic
files = {m.__name__: m for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").endswith(".py")}
ours = [m for m in files.values() if "site-packages" in m.__file__]
print([m.__name__ for m in ours if not pathlib.Path(m.__cached__ or "/none").is_file()])
print(getpass.getuser(), sys.flags.safe_path, pathlib.Path.cwd(), pathlib.Path.home())
"""
    uncompiled, place = says(images[name], code).splitlines()
    assert (uncompiled, place) == ("[]", "ferryman True /tmp /tmp")


@pytest.mark.parametrize("name", IMAGES)
def test_the_bill_of_materials_names_the_packages_of_python_and_of_debian(
    images: dict[ImageName, str], name: ImageName
) -> None:
    document = json.loads(ask("run", *HARD, images[name], "cat", SBOM))
    purls = {part["purl"].partition("?")[0] for part in document["components"]}
    counted = says(images[name], "from importlib import metadata as m; print(len({d.name for d in m.distributions()}))")
    assert sum(purl.startswith("pkg:pypi/") for purl in purls) == int(counted)
    dpkg = ask("run", *HARD, images[name], "dpkg-query", "-W", "-f=${Package}\n").splitlines()
    assert {unquote(purl.partition("@")[0].rpartition("/")[2]) for purl in purls if purl.startswith("pkg:deb/")} == set(
        dpkg
    )


def test_deciding_has_neither_tensorflow_nor_arrow_and_four_images_share_one_tensorflow(
    images: dict[ImageName, str],
) -> None:
    code = "from importlib.util import find_spec as f; print([m for m in ('tensorflow', 'pyarrow', 'scipy') if f(m)])"
    assert says(images["control"], code) == "[]"
    layers = {
        name: json.loads(ask("image", "inspect", "--format={{json .RootFS.Layers}}", images[name])) for name in IMAGES
    }
    learning = [layers[name] for name in ("train", "evaluate", "convert", "serve")]
    shared = set(learning[0]).intersection(*learning[1:])
    assert len(shared - set(layers["control"])) == 1
    assert len(shared) >= 3


@pytest.fixture
def place(images: dict[ImageName, str], tmp_path: Path) -> Iterator[Path]:
    """A folder in which everybody may write, whatever user they are; it is empty afterwards."""
    folder = tmp_path / "place"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    # Who wrote there may not be who runs the tests.
    words = ("run", "--rm", "--network=none", "--user=0", f"--volume={folder}:{folder}", images["control"])
    ask(*words, "find", str(folder), "-mindepth", "1", "-delete")


STEPS: dict[str, tuple[ImageName, str]] = {
    "prepare.prepare.prepare_examples": ("prepare", "*ids, 'examples'"),
    "train.train.train_model": ("train", "*ids, 'examples', 'model', scores"),
    "evaluate.evaluate.evaluate_model": (
        "evaluate",
        "*ids, 'examples', 'model', 'evaluation', scores, scores, 'report.html'",
    ),
    "convert.convert.convert_model": ("convert", "*ids, 'examples', 'model', 'conversion', scores"),
    "serving_check.check.check_serving": ("serve", "*ids, 'model', 'check'"),
    "gate.gate.decide_release": ("control", "*ids, 'model', 'evaluation', 'conversion', 'check', 'verdict'"),
}
"""A step's function, the image that it runs in, and what it is called with."""


def test_what_was_cut_away_is_missed_nowhere_on_the_road_from_rows_to_a_verdict(
    images: dict[ImageName, str], place: Path
) -> None:
    pinned = pin_spec(flowers(place), place)
    for file in (place / "inputs").rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    (place / "spec.json").write_text(json.dumps(pinned.document()), encoding="utf-8")
    options = (f"--volume={place}:{place}", f"--workdir={place}")
    root = place / "runs"
    knobs = f"30, 16, 0.02, 0, '', '{root}', 'r1', ''"
    resolve = "from ferryman.steps.resolve.resolve import resolve_run\nfrom pathlib import Path\n"
    resolve += f"Path('resolved').write_text(resolve_run(Path('spec.json').read_text(), '', {knobs}))"
    said = [says(images["control"], resolve, *options).splitlines()[-1]]
    for step, (image, arguments) in STEPS.items():
        module, _, function = step.rpartition(".")
        code = "import pathlib, unittest.mock\nscores = unittest.mock.MagicMock()\n"
        code += f"ids = (pathlib.Path('resolved').read_text(), '{root}', 'r1', '')\n"
        code += f"from ferryman.steps.{module} import {function} as f\nf({arguments})"
        said += says(images[image], code, *options).splitlines()[-1:]
    assert said[1] == "prepare: 400 rows: 200 train, 80 validation, 120 test"
    assert re.match(r"convert: (int8|float32): \d+ kB of ", said[4]), said[4]
    assert "golden rows over gRPC and REST, largest difference 0," in said[5]
    assert re.fullmatch(r"gate: promote: \d of \d checks hold", said[6]), said
