"""Wheels for the base's Python, by pip and through a cache; what does not match its hash is never installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from wheels import Index, locked

from ferryman.errors import ArtifactError, DataError
from ferryman_pipelines.images.base import Base
from ferryman_pipelines.images.pins import Pin, read_pins
from ferryman_pipelines.images.wheelhouse import wheelhouse

BASE = Base("my/base", "3.12.1", "x86_64", (2, 36))
"""Another Python than the one that runs these tests may be."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    found = Index(tmp_path / "index ö")
    for name, value in found.settings.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def pins(folder: Path, text: str) -> list[Pin]:
    (folder / "x.lock").write_text(text)
    return read_pins(folder / "x.lock")


def said(lines: list[str]) -> str:
    return " ".join(lines)


def test_the_wheel_for_the_bases_python_is_taken_whatever_python_asks_and_whatever_else_is_cached(
    tmp_path: Path, index: Index, cache: Path
) -> None:
    # 3.13 first: what fits only there must not be taken for 3.12, nor the other way round.
    tags = ("cp313-cp313-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-win_amd64")
    wheels = [index.publish("tulips", "1.0", {"tulips.py": tag.encode()}, tag) for tag in tags]
    text = locked(wheels[0]).strip() + "".join(" " + locked(wheel).split()[-1] for wheel in wheels[1:])
    (pin,) = pins(tmp_path, text)
    for version, wheel in [("3.13.0", wheels[0]), ("3.12.1", wheels[1]), ("3.13.0", wheels[0])]:
        assert wheelhouse([pin], replace(BASE, version=version), cache, print)[pin].name == wheel.name


def test_what_lies_in_the_cache_is_not_fetched_again_and_only_what_is_new_is(
    tmp_path: Path, index: Index, cache: Path
) -> None:
    tulips, roses = (index.publish(name, "1.0", {f"{name}.py": b""}) for name in ("tulips", "roses"))
    wheelhouse(pins(tmp_path, locked(tulips)), BASE, cache, print)
    tulips.unlink()
    told: list[str] = []
    found = wheelhouse(both := pins(tmp_path, locked(roses) + _of_cache(cache, "tulips")), BASE, cache, told.append)
    assert {pin.name for pin in found} == {"tulips", "roses"}
    assert "1 of 2 wheels" in said(told)
    told.clear()
    assert (wheelhouse(both, BASE, cache, told.append), told) == (found, [])


def test_a_wheel_that_was_damaged_in_the_cache_is_fetched_again(tmp_path: Path, index: Index, cache: Path) -> None:
    wanted = pins(tmp_path, locked(index.publish("tulips", "1.0", {"tulips.py": b"whole"})))
    (wheel,) = wheelhouse(wanted, BASE, cache, print).values()
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1] + b"x")
    assert next(iter(wheelhouse(wanted, BASE, cache, print).values())).read_bytes() == whole


def test_one_that_does_not_match_its_hash_is_refused_by_name(tmp_path: Path, index: Index, cache: Path) -> None:
    text = locked(index.publish("tulips", "1.0", {"tulips.py": b"as locked"}))
    index.publish("tulips", "1.0", {"tulips.py": b"as given today"})
    digest = text.split("sha256:")[1].strip()
    with pytest.raises(
        ArtifactError, match=rf"tulips==1\.0: expected sha256 {digest}, received [0-9a-f]{{64}}$"
    ) as refused:
        wheelhouse(pins(tmp_path, text), BASE, cache, print)
    assert "file:" not in str(refused.value)
    assert list((cache / "wheels").iterdir()) == []


def test_a_package_without_a_wheel_for_this_python_is_said(tmp_path: Path, index: Index, cache: Path) -> None:
    wheel = index.publish("tulips", "1.0", {}, "cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(DataError, match=r"tulips@1\.0.*no wheel"):
        wheelhouse(pins(tmp_path, locked(wheel)), BASE, cache, print)


def _of_cache(cache: Path, name: str) -> str:
    (wheel,) = cache.glob(f"wheels/*/{name}-*.whl")
    return locked(wheel)
