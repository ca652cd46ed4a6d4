"""Reading locks with hashes: what they pin, where it is wanted, and lines that nothing may be installed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman.errors import UsageError
from ferryman_pipelines.images.pins import check_agreement, read_pins, wanted_pins

FIRST, SECOND = "1" * 64, "2" * 64


def read(folder: Path, text: str) -> list[str]:
    file = folder / "some.lock"
    file.write_text(text)
    return [str(pin) for pin in read_pins(file)]


def test_a_lock_as_uv_writes_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    file.write_text(
        f"# a word before\nTyping_Extensions==4.1 \\\n    --hash=sha256:{FIRST} \\\n    --hash=sha256:{SECOND}\n"
        f"    # via somebody\ncffi==2.0 ; python_full_version < '3.12' \\\n    --hash=sha256:{SECOND}\n"
    )
    one, other = read_pins(file)
    assert (one.name, one.version, one.hashes, one.marker) == ("typing-extensions", "4.1", {FIRST, SECOND}, None)
    assert (str(other), other.hashes) == ("cffi==2.0", {SECOND})


def test_only_what_the_base_wants_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "x.lock"
    file.write_text(
        f"old==1 ; python_version < '3.12' --hash=sha256:{FIRST}\nnew==2 ; python_version >= '3.12' --hash=sha256:{FIRST}\n"
        f"every==3 --hash=sha256:{FIRST}\n"
    )
    assert [str(pin) for pin in wanted_pins(read_pins(file), {"python_version": "3.12"})] == ["new==2", "every==3"]


@pytest.mark.parametrize(
    "line",
    [
        f"numpy>=2 --hash=sha256:{FIRST}",
        f"numpy==2.* --hash=sha256:{FIRST}",
        f"numpy==2,!=2.1 --hash=sha256:{FIRST}",
        f"numpy @ https://example.com/numpy.whl --hash=sha256:{FIRST}",
        "-r other.lock",
        "--index-url https://example.com",
        "./numpy.whl",
    ],
)
def test_what_is_no_exact_version_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"some\.lock: received the line .*expected NAME==VERSION --hash"):
        read(tmp_path, line)


def test_a_refused_line_keeps_its_password(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'--index-url https://\.\.\.@pypi\.example/simple', expected"):
        read(tmp_path, "--index-url https://me:hunter2@pypi.example/simple")


@pytest.mark.parametrize("line", ["numpy==2", "numpy==2 --hash=md5:12", f"numpy==2 --hash=sha256:{FIRST[:-1]}"])
def test_nothing_is_installed_without_a_hash_to_check(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"some\.lock: .*hash"):
        read(tmp_path, line)


def test_a_lock_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.lock cannot be read: No such file.*--generate-hashes"):
        read_pins(tmp_path / "none.lock")


def test_a_users_lock_may_not_change_what_an_image_holds(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "train.lock", tmp_path / "mine.lock"
    ours.write_text(f"numpy==2.1 --hash=sha256:{FIRST}\nscipy==1.5 --hash=sha256:{FIRST}\n")
    theirs.write_text(
        f"numpy==2.0 --hash=sha256:{FIRST}\nscipy==1.5 --hash=sha256:{FIRST}\nmine==3 --hash=sha256:{FIRST}\n"
    )
    with pytest.raises(
        UsageError, match=r"mine\.lock wants other versions than .*: numpy==2.0 against 2.1; .*-c "
    ) as said:
        check_agreement(read_pins(theirs), read_pins(ours), theirs, ours)
    assert "scipy" not in str(said.value)
