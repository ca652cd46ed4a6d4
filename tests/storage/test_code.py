"""The user's package in the input store: packed by content, refused when it holds what must not travel, unpacked safely."""

from __future__ import annotations

import importlib
import io
import os
import stat
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from ferryman.errors import ArtifactError, UsageError
from ferryman.storage.code import MAX_BYTES, PinnedCode, pin_code, pinned_code, unpack
from ferryman.storage.inputs import keep


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "author" / "fraud"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "deep" / "model.py").write_text("WIDTH = 12\n")
    (folder / "names.csv").write_text("a,b\n")
    return folder


def test_equal_files_give_one_digest_whatever_their_times_modes_and_company(package: Path, tmp_path: Path) -> None:
    first = pin_code(package, None, tmp_path / "home")
    os.utime(package / "names.csv", (1, 1))
    (package / "deep" / "model.py").chmod(0o755)
    for left_out in ("__pycache__/model.cpython-311.pyc", ".git/config", "deep/.hidden", "deep/old.pyc"):
        path = package / left_out
        path.parent.mkdir(exist_ok=True)
        path.write_text("noise")
    assert pin_code(package, None, tmp_path / "home") == first
    (package / "names.csv").write_text("a,c\n")
    assert pin_code(package, None, tmp_path / "home").sha256 != first.sha256


def test_a_pinned_package_is_imported_for_a_while_and_then_forgotten(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fraud", importlib.import_module("json"))
    path = list(sys.path)
    with pinned_code(pin_code(package, None, tmp_path / "home"), tmp_path / "work"):
        module = importlib.import_module("fraud.deep.model")
        assert (module.WIDTH, sys.path[1:]) == (12, path)
        assert Path(str(module.__file__)).is_relative_to(tmp_path / "work")
    assert "fraud.deep.model" not in sys.modules
    assert sys.modules["fraud"].__name__ == "json"
    assert sys.path == path


@pytest.mark.parametrize("target", ["names.csv", "/etc/hostname", "nowhere"])
def test_a_link_is_refused_with_its_name(package: Path, tmp_path: Path, target: str) -> None:
    (package / "deep" / "link.py").symlink_to(target)
    with pytest.raises(UsageError, match=r"deep/link.py is a link, expected plain files only"):
        pin_code(package, None, tmp_path / "home")


def test_a_package_that_holds_data_is_refused_with_the_file_that_is_too_much(package: Path, tmp_path: Path) -> None:
    with (package / "weights.bin").open("wb") as file:
        file.truncate(MAX_BYTES)
    with pytest.raises(UsageError, match=r"holds more than 20 MB \(up to weights.bin\), expected code"):
        pin_code(package, None, tmp_path / "home")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json", "would shadow the module 'json' of Python itself"),
        ("numpy", "would shadow the module 'numpy' that is installed in"),
        ("ferryman", "would shadow the module 'ferryman' of ferryman itself"),
        ("my-fraud", "received a folder called 'my-fraud', expected a name that Python can import"),
        ("class", "received a folder called 'class'"),
    ],
)
def test_a_package_that_would_shadow_another_is_refused(package: Path, tmp_path: Path, name: str, message: str) -> None:
    renamed = package.rename(package.parent / name)
    with pytest.raises(UsageError, match=message):
        pin_code(renamed, None, tmp_path / "home")


def test_what_is_no_package_is_refused(package: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"fruad is not there, expected the folder of a Python package"):
        pin_code(package.parent / "fruad", None, tmp_path)
    with pytest.raises(UsageError, match=r"model.py is a file, expected the folder"):
        pin_code(package / "deep" / "model.py", None, tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="holds no Python file"):
        pin_code(tmp_path / "data", None, tmp_path)


def archive(*entries: tuple[str, int]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, kind in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            file.writestr(entry, "x = 1")
    return packed.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive(("fraud/../../outside.py", stat.S_IFREG)),
        archive(("/outside.py", stat.S_IFREG)),
        archive(("json.py", stat.S_IFREG)),
        archive(("fraud/link.py", stat.S_IFLNK)),
        archive(("fraud/model.py", stat.S_IFREG))[:-30],
        b"no zip at all",
    ],
    ids=["upwards", "absolute", "beside the package", "link", "torn", "foreign"],
)
def test_an_archive_that_we_would_never_pack_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    uri, digest = keep(io.BytesIO(content), tmp_path / "home")
    with pytest.raises(ArtifactError):
        unpack(PinnedCode(package="fraud", uri=uri, sha256=digest), tmp_path / "work")
    assert not list((tmp_path / "work").rglob("*"))
    assert not (tmp_path / "outside.py").exists()


def test_an_altered_archive_is_refused_before_anything_in_it_is_read(package: Path, tmp_path: Path) -> None:
    code = pin_code(package, None, tmp_path / "home")
    (kept,) = (tmp_path / "home" / "inputs" / "sha256").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"WIDTH = 12", b"WIDTH = 13"))
    with pytest.raises(ArtifactError, match=r"the package fraud: its copy .* is altered"):
        unpack(code, tmp_path / "work")


def test_an_environment_that_is_not_what_the_lock_says_is_refused_with_every_difference(
    package: Path, tmp_path: Path
) -> None:
    here = metadata.version("numpy")
    lock = package.parent / "requirements.lock"
    hashed = f"numpy=={here} \\\n    --hash=sha256:{'0' * 64}\n"
    lock.write_text(f"# ours\n{hashed}\nPydantic[email]=={metadata.version('pydantic')}\n")
    code = pin_code(package, lock, tmp_path / "home")
    assert code.sha256 != pin_code(package, None, tmp_path / "home").sha256
    with pinned_code(code, tmp_path / "work"):
        pass
    lock.write_text("numpy==1.0\nno-such-package==3.2\n")
    with pytest.raises(UsageError) as caught:
        pin_code(package, lock, tmp_path / "home")
    differences = f"numpy is {here}, expected 1.0; no-such-package is not installed, expected 3.2"
    assert f"{differences}. Try: pip install -r {lock}" in str(caught.value)
    lock.write_text("numpy>=1.0\n")
    with pytest.raises(UsageError, match=r"received the line 'numpy>=1.0', expected NAME==VERSION"):
        pin_code(package, lock, tmp_path / "home")
