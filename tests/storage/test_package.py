from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ferryman.errors import DataError, UnavailableError, UsageError
from ferryman.storage.package import PackageFile, normal_name, open_package_file

Put = Callable[[str, str, dict[str, bytes]], Path]
EXPLODES = b"raise SystemExit('a package must never be imported for its data')"


def read(uri: str, cache: Path) -> bytes:
    with open_package_file(uri, cache) as stream:
        return stream.read()


def test_a_file_of_an_installed_package_is_read_without_importing_it(tmp_path: Path, installed: Put) -> None:
    installed("tulips", "1.2", {"tulips/__init__.py": EXPLODES, "tulips/rows.csv": b"a,b\n"})
    assert read("package://tulips@1.2/tulips/rows.csv", tmp_path) == b"a,b\n"
    assert read("package://Tulips/tulips/rows.csv", tmp_path) == b"a,b\n"
    assert "tulips" not in sys.modules


def test_another_version_comes_from_the_wheel_and_stays_in_the_cache(
    tmp_path: Path, installed: Put, index: Put
) -> None:
    installed("tulips", "1.2", {"tulips/rows.csv": b"installed\n"})
    wheel = index("tulips", "1.3", {"tulips/__init__.py": EXPLODES, "tulips/rows.csv": b"from the wheel\n"})
    uri = "package://tulips@1.3/tulips/rows.csv"
    assert read(uri, tmp_path / "cache") == b"from the wheel\n"
    wheel.unlink()
    assert read(uri, tmp_path / "cache") == b"from the wheel\n"
    assert {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {wheel.name}


def test_data_that_a_wheel_keeps_apart_is_found_where_it_would_be_installed(tmp_path: Path, index: Put) -> None:
    index("tulips", "1.3", {"tulips-1.3.data/purelib/tulips/rows.csv": b"x"})
    assert read("package://tulips@1.3/tulips/rows.csv", tmp_path / "cache") == b"x"


def test_an_installed_file_that_somebody_changed_is_not_taken_for_the_package(
    tmp_path: Path, installed: Put, index: Put
) -> None:
    site = installed("tulips", "1.2", {"tulips/rows.csv": b"true\n"})
    (site / "tulips" / "rows.csv").write_bytes(b"fake\n")
    index("tulips", "1.2", {"tulips/rows.csv": b"true\n"})
    assert read("package://tulips@1.2/tulips/rows.csv", tmp_path / "cache") == b"true\n"
    with pytest.raises(DataError, match=r"installed tulips 1\.2 is damaged"):
        read("package://tulips/tulips/rows.csv", tmp_path / "cache")


def test_a_damaged_wheel_in_the_cache_is_fetched_again(tmp_path: Path, index: Put) -> None:
    index("tulips", "1.3", {"tulips/rows.csv": b"1,2\n" * 1000})
    uri = "package://tulips@1.3/tulips/rows.csv"
    whole = read(uri, tmp_path / "cache")
    cached = next((tmp_path / "cache").rglob("*.whl"))
    content = bytearray(cached.read_bytes())
    content[60] ^= 0xFF
    cached.write_bytes(content)
    assert read(uri, tmp_path / "cache") == whole
    cached.write_bytes(b"no zip at all")
    assert read(uri, tmp_path / "cache") == whole


def test_a_file_that_the_package_lacks_names_similar_ones(tmp_path: Path, installed: Put, index: Put) -> None:
    files = {"tulips/data/rows.csv": b"x", "tulips/data/other.txt": b"y", "tulips/rows.py": b""}
    installed("tulips", "1.2", files)
    index("roses", "2.0", {name.replace("tulips", "roses"): content for name, content in files.items()})
    with pytest.raises(DataError, match=r"tulips 1\.2 has no file rows\.csv; similar: tulips/data/rows\.csv$"):
        read("package://tulips@1.2/rows.csv", tmp_path / "cache")
    with pytest.raises(DataError, match=r"roses 2\.0 has no file roses/data/row\.csv; similar: roses/data/rows\.csv"):
        read("package://roses@2.0/roses/data/row.csv", tmp_path / "cache")


def test_an_unknown_package_or_version_is_a_fault_of_the_source(tmp_path: Path, index: Put) -> None:
    index("tulips", "1.3", {"tulips/rows.csv": b"x"})
    with pytest.raises(DataError, match=r"package://nettles@1\.0: .* no wheel of it \(is the name right\?\)"):
        read("package://nettles@1.0/nettles/rows.csv", tmp_path / "cache")
    with pytest.raises(DataError, match=r"no wheel of this version for this machine; it has 1\.3$"):
        read("package://tulips@9.9/tulips/rows.csv", tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_without_a_version_nothing_is_fetched(tmp_path: Path, index: Put) -> None:
    index("tulips", "1.3", {"tulips/rows.csv": b"x"})
    with pytest.raises(DataError, match=r"tulips is not installed here .* write package://tulips@VERSION/tulips/rows"):
        read("package://tulips/tulips/rows.csv", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_index_that_does_not_answer_is_no_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(UnavailableError, match=r"tulips==1\.3 cannot be fetched: .* is there a network\?"):
        read("package://tulips@1.3/tulips/rows.csv", tmp_path / "cache")


@pytest.mark.parametrize("spaces", ["", " "])
def test_an_editable_install_is_not_asked_for_its_files(
    tmp_path: Path, installed: Put, index: Put, spaces: str
) -> None:
    site = installed("tulips", "1.2", {"tulips.pth": b""})
    direct = site / "tulips-1.2.dist-info" / "direct_url.json"
    direct.write_text(f'{{"dir_info":{spaces}{{"editable":{spaces}true}},{spaces}"url":{spaces}"file:///src/tulips"}}')
    index("tulips", "1.2", {"tulips/rows.csv": b"released\n"})
    assert read("package://tulips@1.2/tulips/rows.csv", tmp_path / "cache") == b"released\n"
    with pytest.raises(DataError, match="from a folder, without a list of its files"):
        read("package://tulips/tulips/rows.csv", tmp_path / "cache")


@pytest.mark.parametrize(
    "uri",
    [
        "package://tulips@1.3/../../etc/passwd",
        "package://tulips@1.3//etc/passwd",
        "package://tulips@1.3/tulips/../../x",
        "package://tulips@1.3/a\\b",
        "package://tulips@1.3/",
        "package://tulips@1.3",
        "package://tulips@/rows.csv",
        "package://tulips@1.*/rows.csv",
        "package://tulips@>=1/rows.csv",
        "package://tulips@1.3 --index-url=http:x/rows.csv",
        "package://--pre@1.3/rows.csv",
        "package://@1.3/rows.csv",
        "package:///rows.csv",
    ],
)
def test_a_hostile_or_malformed_uri_is_refused_before_anything_runs(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(uri, tmp_path / "cache")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "cache").exists()


def test_names_have_one_spelling() -> None:
    assert normal_name("Zope.Interface__x-.y") == "zope-interface-x-y"
    assert PackageFile.parse("package://A_b@1/x").name == PackageFile.parse("package://a.B@1/x").name
