"""A cluster's inputs: what is uploaded, what need not be, and what is refused."""

from __future__ import annotations

from pathlib import Path

import golden_pipelines
import pytest

from ferryman.errors import ArtifactError, UnavailableError, UsageError
from ferryman.spec import Spec
from ferryman.storage.code import pin_code
from ferryman.storage.inputs import PinnedSource, pin
from ferryman_pipelines.compile.inputs import inputs_there


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A spec with a data file and a package of its own, both pinned here."""
    home, code = tmp_path / "home", tmp_path / "fraud"
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    code.mkdir()
    (code / "__init__.py").write_text("WIDTH = 3\n")
    plain = golden_pipelines.spec_named("digits")
    data = plain.data.model_copy(update={"source": pin("rows.csv", tmp_path, home)})
    return plain.model_copy(update={"data": data, "code": pin_code(code, None, home)})


def lies(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_data_and_code_are_uploaded_by_content_and_named_where_they_lie(spec: Spec, tmp_path: Path) -> None:
    store = tmp_path / "größe & co"
    there = inputs_there(spec, str(store), upload=True)
    assert isinstance(there.data.source, PinnedSource)
    assert there.data.source.uri == f"{store.as_uri()}/sha256/{there.data.source.sha256}"
    assert there.code is not None
    assert there.code.uri.startswith(store.as_uri())  # type: ignore[union-attr]
    assert len(lies(store)) == 2
    assert lies(store)[f"sha256/{there.data.source.sha256}"] == b"a,b\n1,2\n"


def test_without_upload_what_lies_here_alone_is_refused_by_field_and_nothing_is_written(
    spec: Spec, tmp_path: Path
) -> None:
    with pytest.raises(
        UsageError, match=r"data\.source \(rows\.csv\), code \(fraud\): not in the input store .*--upload"
    ):
        inputs_there(spec, str(tmp_path / "store"), upload=False)
    assert not (tmp_path / "store").exists()


def test_what_lies_there_already_needs_no_upload_and_is_not_touched(spec: Spec, tmp_path: Path) -> None:
    store = tmp_path / "store"
    inputs_there(spec, str(store), upload=True)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    again = inputs_there(spec, str(store), upload=False)
    assert again == inputs_there(spec, str(store), upload=True)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


def test_an_altered_input_is_found_there_and_here(spec: Spec, tmp_path: Path) -> None:
    store = tmp_path / "store"
    there = inputs_there(spec, str(store), upload=True)
    assert isinstance(there.data.source, PinnedSource)
    (store / "sha256" / there.data.source.sha256).write_bytes(b"a,b\n1,3\n")
    with pytest.raises(ArtifactError, match=r"altered: received SHA-256 .* remove it"):
        inputs_there(spec, str(store), upload=True)
    assert isinstance(spec.data.source, PinnedSource)
    (tmp_path / "home" / "inputs" / "sha256" / spec.data.source.sha256).write_bytes(b"a,b\n1,4\n")
    with pytest.raises(ArtifactError, match="is altered"):
        inputs_there(spec, str(tmp_path / "other"), upload=True)
    assert not any(path.name == spec.data.source.sha256 for path in (tmp_path / "other").rglob("*"))


def test_a_store_that_takes_nothing_is_named_with_what_it_did_not_take(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(UnavailableError, match=r"rows\.csv could not be put into file://.*/store: Not a directory"):
        inputs_there(spec, str(tmp_path / "store"), upload=True)
