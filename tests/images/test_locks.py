"""The locks: those of this checkout hold together and are up to date; made by the real uv from an index of ours."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from ferryman.errors import UnavailableError, UsageError
from ferryman_pipelines.images import locks
from ferryman_pipelines.images.locks import BOUNDS, CONSTRAINTS, FOLDER, lock_file, make_locks, stale
from ferryman_pipelines.images.requirements import LAYERS

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """
[project]
name = "ferryman"
dependencies = ["base>=1"]

[project.optional-dependencies]
pipelines = ["kfp>=2"]
tensorflow = ["tensorflow>=3"]
control = ["wire>=1"]
prepare = []
train = ["ferryman[tensorflow]"]
evaluate = ["ferryman[train]"]
convert = ["ferryman[train]"]
serve = ["ferryman[tensorflow,control]"]
gcs = []
local = ["ferryman[pipelines,control,prepare,train,evaluate,convert,serve,gcs]"]
"""


def pins(file: Path) -> dict[str, set[str]]:
    """Package -> versions with their markers."""
    found: dict[str, set[str]] = {}
    for name, rest in re.findall(r"^([a-z0-9-]+)==([^\\\n]+)", file.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(rest.strip())
    return found


class Checkout:
    """A small project and the index that it takes its packages from."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.index = folder, folder.parent / "index"
        (folder / FOLDER).mkdir(parents=True)
        self.index.mkdir()
        (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        self.bounds("")
        for name, version, *needs in [
            ("base", "1.5"),
            ("wire", "1.0", "tensorflow"),
            ("kfp", "2.1", "heavy"),
            ("heavy", "9"),
            ("libclang", "18"),
            ("tensorflow", "3.1", "libclang"),
            ("tensorflow_cpu", "3.1", "libclang"),
        ]:
            self.publish(name, version, *needs)

    def publish(self, name: str, version: str, *needs: str) -> None:
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {need}\n" for need in needs)
        with zipfile.ZipFile(self.index / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", metadata + ("Provides-Extra: and-cuda\n" if "tensor" in name else ""))
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")

    def bounds(self, text: str) -> None:
        (self.folder / FOLDER / BOUNDS).write_text(text, encoding="utf-8")

    def pins(self, name: str) -> dict[str, set[str]]:
        return pins(lock_file(self.folder, name))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    made = Checkout(tmp_path / "größe & co")
    # Nothing but that folder: not the network, nor what somebody fetched before.
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_FIND_LINKS", made.index.as_uri())
    return made


def test_the_locks_of_this_checkout_are_up_to_date() -> None:
    assert stale(ROOT) == [], "try: ferryman images lock"


def test_every_file_of_every_package_is_named_by_its_hash_and_no_address_stands_in_a_lock() -> None:
    for name in LAYERS:
        text = lock_file(ROOT, name).read_text(encoding="utf-8")
        blocks = re.findall(r"^[a-z0-9].*\n(?:    .*\n)*", text, re.MULTILINE)
        assert len(blocks) >= 20
        assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks), name
        assert "://" not in text
        assert "index" not in text


def test_no_lock_differs_from_what_was_resolved_together() -> None:
    together = pins(ROOT / FOLDER / CONSTRAINTS)
    for name in LAYERS:
        for package, versions in pins(lock_file(ROOT, name)).items():
            assert versions <= together[package], (name, package)


def test_a_layer_holds_all_that_the_layers_below_it_hold() -> None:
    for name, layer in LAYERS.items():
        below = pins(lock_file(ROOT, layer.parent)) if layer.parent else {}
        assert below.items() <= pins(lock_file(ROOT, name)).items(), name


def test_no_image_has_two_tensorflows_and_two_have_none() -> None:
    forms = {"tensorflow", "tensorflow-cpu"}
    found = {name: forms & set(pins(lock_file(ROOT, name))) for name in LAYERS}
    assert found.pop("train-gpu") == {"tensorflow"}
    assert {name for name, some in found.items() if not some} == {"common", "control", "prepare"}
    assert all(some <= {"tensorflow-cpu"} for some in found.values())
    assert "pyarrow" not in pins(lock_file(ROOT, "control"))


def test_made_locks_hold_what_each_image_asks_for_and_not_what_is_left_out(checkout: Checkout) -> None:
    make_locks(checkout.folder)
    assert set(checkout.pins("control")) == {"base", "kfp", "wire"}
    assert set(checkout.pins("serve")) == {"base", "kfp", "tensorflow-cpu", "wire"}
    assert set(checkout.pins("train-gpu")) == {"base", "kfp", "tensorflow"}
    assert "heavy" in pins(checkout.folder / FOLDER / CONSTRAINTS)
    assert stale(checkout.folder) == []


def test_versions_stay_until_an_upgrade_is_asked_for(checkout: Checkout) -> None:
    make_locks(checkout.folder)
    checkout.publish("base", "1.9")
    make_locks(checkout.folder)
    assert checkout.pins("train")["base"] == {"1.5"}
    make_locks(checkout.folder, upgrade=True)
    assert checkout.pins("train")["base"] == {"1.9"}


def test_what_the_resolver_cannot_know_bounds_it(checkout: Checkout) -> None:
    checkout.publish("base", "1.9")
    checkout.bounds("# a reason\nbase<1.9\n")
    make_locks(checkout.folder)
    assert checkout.pins("prepare")["base"] == {"1.5"}


def test_locks_are_stale_when_the_project_asks_for_something_else(checkout: Checkout) -> None:
    make_locks(checkout.folder)
    project = checkout.folder / "pyproject.toml"
    project.write_text(PROJECT.replace('"wire>=1"', '"wire>=2"'), encoding="utf-8")
    lock_file(checkout.folder, "prepare").unlink()
    control, prepare, serve = sorted(line for line in stale(checkout.folder) if CONSTRAINTS not in line)
    assert control == (
        "control.lock was made for other requirements than now: it asks for wire>=2; it no longer asks for wire>=1"
    )
    assert prepare == "prepare.lock is not made"
    assert serve.startswith("serve.lock was made for other")


def test_requirements_that_contradict_each_other_and_an_index_without_them_are_two_errors(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.bounds("base<1\n")
    with pytest.raises(UsageError, match=r"bounds.txt: nothing fits together[^$]*base"):
        make_locks(checkout.folder)
    assert not lock_file(checkout.folder, "control").exists()
    checkout.bounds("")
    shutil.rmtree(checkout.index)
    with pytest.raises(UnavailableError, match="does the package index answer"):
        make_locks(checkout.folder)
    monkeypatch.setattr(locks.sys, "executable", str(checkout.folder / "python"))
    monkeypatch.setenv("PATH", str(checkout.folder))
    with pytest.raises(UnavailableError, match="pip install uv"):
        make_locks(checkout.folder)
