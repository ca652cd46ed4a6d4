"""The options of a load, and that a version which is closed is gone."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from ferryman.model_server.core import INVALID_ARGUMENT, Refusal
from ferryman.model_server.loading import LoadOptions, loader, session_config
from ferryman.model_server.runtime.batching import BatchedServable
from ferryman.model_server.runtime.saved_model import SavedModel
from ferryman.serving.protocol import BatchingParameters

X = np.array([[1], [2], [3]], np.float32)


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "half_plus_two", tmp_path / "1"))


def test_tags_are_separated_by_commas(folder: Path) -> None:
    assert list(loader(LoadOptions(saved_model_tags="small,serve"))(folder).signatures) == ["small"]


def test_batching_for_all_takes_the_common_parameters(folder: Path) -> None:
    model = loader(LoadOptions(batching=BatchingParameters(max_batch_size={"value": 2})))(folder)
    assert model.run("", {"x": X[:2]})["y"].tolist() == [[2.5], [3.0]]
    with pytest.raises(Refusal, match=r"^Task size 3 is larger than maximum input batch size 2$"):
        model.run("", {"x": X})


def test_batching_per_model_asks_the_versions_own_file_alone(folder: Path) -> None:
    common = BatchingParameters(max_batch_size={"value": 2})
    load = loader(LoadOptions(batching=common, enable_per_model_batching_parameters=True))
    assert isinstance(load(folder), SavedModel)
    (folder / "batching_params.pbtxt").write_text("max_batch_size { value: 1 }")
    own = load(folder)
    assert isinstance(own, BatchedServable)
    with pytest.raises(Refusal, match=r"^Task size 2 is larger than maximum input batch size 1$"):
        own.run("", {"x": X[:2]})
    (folder / "batching_params.pbtxt").write_text("max_batch_size: nonsense")
    with pytest.raises(Refusal) as caught:
        load(folder)
    path = folder / "batching_params.pbtxt"
    assert (caught.value.code, caught.value.text) == (INVALID_ARGUMENT, f"Invalid protobuf file: '{path}'")


def test_the_flags_of_threads_overwrite_those_of_the_sessions_file() -> None:
    from tensorflow.core.protobuf import config_pb2

    given = config_pb2.ConfigProto(intra_op_parallelism_threads=7, allow_soft_placement=True)
    config = session_config(LoadOptions(session_config=given, intra_op_parallelism=2, inter_op_parallelism=3))
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (2, 3)
    assert config.allow_soft_placement
    assert given.intra_op_parallelism_threads == 7


@pytest.mark.parametrize("inter", [0, 2])
def test_a_session_with_and_without_threads_of_its_own_answers(folder: Path, inter: int) -> None:
    model = loader(LoadOptions(inter_op_parallelism=inter, intra_op_parallelism=1))(folder)
    assert model.run("", {"x": X})["y"].tolist() == [[2.5], [3.0], [3.5]]


def test_a_closed_version_is_freed_at_once_without_a_collector(folder: Path) -> None:
    gc.disable()
    try:
        model = SavedModel(folder)
        model.run("", {"x": X})
        model.run("", {"x": X}, ["y"])
        session = weakref.ref(model._session)
        assert session() is not None
        model.close()
        assert session() is None
    finally:
        gc.enable()


def test_a_version_whose_warm_up_fails_is_freed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[SavedModel] = []
    monkeypatch.setattr(SavedModel, "close", lambda self: closed.extend([self]))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_text("no records at all")
    with pytest.raises(Refusal):
        loader(LoadOptions())(folder)
    assert len(closed) == 1


MEASURE = """
import sys
from pathlib import Path
import numpy as np
from ferryman.model_server.loading import LoadOptions, loader
load = loader(LoadOptions())
for cycle in range(101):
    model = load(Path(sys.argv[1]))
    model.run("", {"x": np.ones((1, 2), np.float32)})
    model.close()
    if cycle in (50, 100):
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        print(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")))
"""


@pytest.mark.slow
def test_memory_is_flat_over_a_hundred_loads(built: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(built / "module")], capture_output=True, text=True, check=True
    )
    half, whole = map(int, done.stdout.split())
    # 0.1 MB of graph and variables a version, and 20 MB for what the allocator keeps at times.
    assert whole < half + 20_000, f"{half} kB after 50 loads, {whole} kB after 100"
