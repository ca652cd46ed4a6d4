"""Models whose files are damaged end with an error; those whose files vanish serve on."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import saved_models
from golden_requests import BODY, X, clean
from rests_on import rests_on
from serving_client import Client, Model, refusal

LOAD = "core/loader_harness.cc:LoaderHarness::Load"


pytestmark = pytest.mark.usefixtures("alive")


def truncated(folder: Path) -> None:
    pb = folder / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:-200])


def noise(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(os.urandom(5000))


def nothing(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def a_folder(folder: Path) -> None:
    nothing(folder)
    (folder / "saved_model.pb").mkdir()


def half_an_index(folder: Path) -> None:
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:20])


def no_data(folder: Path) -> None:
    next((folder / "variables").glob("variables.data*")).unlink()


@rests_on("model_servers/server_core.cc:ServerCore::ReloadConfig", LOAD)
@pytest.mark.parametrize("damage", [truncated, noise, nothing, a_folder, half_an_index, no_data])
def test_a_damaged_model_ends_with_an_error_and_the_others_serve_on(
    served: Client, held: list[Model], scratch: Path, damage: Any
) -> None:
    # A name of its own: where an earlier END is known, the reload does not wait for the new one.
    name = f"bad_{damage.__name__}"
    damage(saved_models.line(scratch / name / "4", 0.5, 2.0))
    seen, text = refusal(lambda: served.reload(*held, Model(name, scratch / name, (4,))))
    assert seen == "UNKNOWN"
    assert f"{{{{{{name: {name} version: 4}} due to error: " in text
    clean(text.encode())
    (listed,) = served.status(name=name).model_version_status
    assert (listed.state, listed.version) == (50, 4)
    assert listed.status.error_code != 0
    clean(listed.status.error_message.encode())
    served.hold(*held)


@rests_on(
    "sources/storage_path/file_system_storage_path_source.cc:FileSystemStoragePathSource::PollFileSystemAndInvokeCallback"
)
def test_a_model_whose_files_vanish_serves_on(served: Client, held: list[Model], scratch: Path) -> None:
    saved_models.line(scratch / "gone" / "6", 0.5, 2.0)
    served.hold(*held, Model("gone", scratch / "gone", (6,)))
    (scratch / "gone").rename(scratch / "away")
    try:
        time.sleep(1.5)
        assert list(served.predict({"x": X}, name="gone").outputs["y"].float_val) == [2.75]
        assert served.http("POST", "/v1/models/gone:predict", BODY).body == {"predictions": [2.75]}
    finally:
        (scratch / "away").rename(scratch / "gone")
    shutil.rmtree(scratch / "gone" / "6" / "variables")
    assert list(served.predict({"x": X}, name="gone").outputs["y"].float_val) == [2.75]
    served.hold(*held)
