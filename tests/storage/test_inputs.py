from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ferryman.data.options import PinnedSource as FromOptions
from ferryman.errors import ArtifactError, DataError, UnavailableError, UsageError
from ferryman.storage.inputs import PinnedSource, forget, local_digest, open_pinned, pin, pin_folder
from ferryman.storage.lock import share

CONTENT = b"a,b\n1,2\n"


def stored(pinned: PinnedSource, home: Path) -> Path:
    return home / "inputs" / "sha256" / pinned.sha256


def test_a_local_file_is_kept_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    home = tmp_path / "ein heim, größer"
    pinned = pin("rows.csv", tmp_path, home)
    assert pinned.name == "rows.csv"
    assert pinned.sha256 == hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / "rows.csv").write_bytes(b"changed since")
    with open_pinned(pinned) as stream:
        assert stream.read() == CONTENT


def test_relative_paths_start_at_the_spec_and_absolute_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "spec").mkdir()
    (tmp_path / "spec" / "rows.csv").write_bytes(b"beside the spec")
    (tmp_path / "rows.csv").write_bytes(b"elsewhere")
    relative = pin("rows.csv", tmp_path / "spec", tmp_path / "home")
    absolute = pin((tmp_path / "rows.csv").as_uri(), tmp_path / "spec", tmp_path / "home")
    assert stored(relative, tmp_path / "home").read_bytes() == b"beside the spec"
    assert stored(absolute, tmp_path / "home").read_bytes() == b"elsewhere"


def test_pinning_again_gives_the_same_copies_nothing_and_makes_it_young_again(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    first = pin("rows.csv", tmp_path, tmp_path / "home")
    os.utime(stored(first, tmp_path / "home"), (1000, 1000))
    before = stored(first, tmp_path / "home").stat()
    assert pin("rows.csv", tmp_path, tmp_path / "home") == first
    after = stored(first, tmp_path / "home").stat()
    assert (before.st_ino, before.st_mtime) == (after.st_ino, 1000)
    assert after.st_mtime > 1000
    assert os.listdir(tmp_path / "home" / "inputs" / "sha256") == [first.sha256]


def test_only_what_nobody_has_pinned_since_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    home = tmp_path / "home"
    pinned = pin("rows.csv", tmp_path, home)
    os.utime(stored(pinned, home), (1000, 1000))
    assert pin("rows.csv", tmp_path, home) == pinned
    assert not forget(home, pinned.sha256, before=2000)
    assert stored(pinned, home).is_file()
    os.utime(stored(pinned, home), (1000, 1000))
    assert not forget(home, pinned.sha256, before=1000)
    assert forget(home, pinned.sha256, before=1001)
    assert not stored(pinned, home).exists()
    assert pin("rows.csv", tmp_path, home) == pinned
    assert stored(pinned, home).read_bytes() == CONTENT


def test_nothing_is_forgotten_while_somebody_pins(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    home = tmp_path / "home"
    pinned = pin("rows.csv", tmp_path, home)
    with share(home / "inputs" / "lock"), pytest.raises(UnavailableError, match="in use"):
        forget(home, pinned.sha256, before=float("inf"))
    assert stored(pinned, home).is_file()


def test_a_file_of_a_package_is_pinned_under_its_uri(
    tmp_path: Path, installed: Callable[[str, str, dict[str, bytes]], Path]
) -> None:
    installed("tulips", "1.2", {"tulips/rows.csv": CONTENT})
    pinned = pin("package://tulips@1.2/tulips/rows.csv", tmp_path, tmp_path / "home")
    assert pinned.name == "package://tulips@1.2/tulips/rows.csv"
    assert stored(pinned, tmp_path / "home").read_bytes() == CONTENT


def test_a_flipped_byte_is_refused_with_the_file_named_and_pinning_again_repairs_it(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    pinned = pin("rows.csv", tmp_path, tmp_path / "home")
    file = stored(pinned, tmp_path / "home")
    file.write_bytes(b"a,b\n1,3\n")
    with pytest.raises(ArtifactError, match=rf"rows\.csv: its copy file://.*{pinned.sha256} is altered") as caught:
        open_pinned(pinned).__enter__()
    assert caught.value.file == pinned.uri
    assert pin("rows.csv", tmp_path, tmp_path / "home") == pinned
    with open_pinned(pinned) as stream:
        assert stream.read() == CONTENT


def test_a_lost_input_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    pinned = pin("rows.csv", tmp_path, tmp_path / "home")
    stored(pinned, tmp_path / "home").unlink()
    with pytest.raises(ArtifactError, match=r"rows\.csv: its copy .* is missing"):
        open_pinned(pinned).__enter__()


def test_a_missing_file_says_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CONTENT)
    with pytest.raises(DataError, match=rf"^row\.csv: there is no file row\.csv in {tmp_path}; there is rows\.csv$"):
        pin("row.csv", tmp_path, tmp_path / "home")
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "older.csv.gz").write_text("x")
    with pytest.raises(DataError, match=r"; there is older\.csv\.gz, rows\.csv$"):
        pin("row.csv", tmp_path, tmp_path / "home")
    with pytest.raises(DataError, match="there is no folder"):
        pin("data/row.csv", tmp_path, tmp_path / "home")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a folder"):
        pin(".", tmp_path, tmp_path / "home")
    with pytest.raises(DataError, match="pipe, expected a file"):
        pin("pipe", tmp_path, tmp_path / "home")


def test_an_unknown_scheme_says_which_are_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"s3://b/rows\.csv: received scheme 's3'.*file://, gs://, package://"):
        pin("s3://b/rows.csv", tmp_path, tmp_path / "home")


def test_the_spec_and_the_store_mean_the_same_pinned_source() -> None:
    assert FromOptions is PinnedSource


def test_what_lies_here_has_the_digest_that_it_would_be_pinned_by_and_nothing_is_kept(tmp_path: Path) -> None:
    base, home = tmp_path / "base", tmp_path / "home"
    (base / "model" / "variables").mkdir(parents=True)
    (base / "model" / "saved_model.pb").write_bytes(b"a graph")
    (base / "model" / "variables" / "data").write_bytes(b"numbers")
    (base / "rows.csv").write_bytes(b"a,b\n")
    before = sorted(tmp_path.rglob("*"))
    file, folder = local_digest("rows.csv", base), local_digest("model", base)
    assert sorted(tmp_path.rglob("*")) == before
    assert file == pin("rows.csv", base, home).sha256
    assert folder == pin_folder("model", base, home, ["saved_model.pb", "variables/data"]).sha256
    assert local_digest("gs://lake/rows.csv", base) is None
