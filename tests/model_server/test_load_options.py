"""How versions are loaded: by the flags, or by --platform_config_file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import saved_models

from ferryman.model_server.core import INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, Refusal
from ferryman.model_server.flags import Flags
from ferryman.model_server.load_options import load_options
from ferryman.model_server.loading import LoadOptions, loader

ADAPTER = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"

WHOLE = """
session_config { intra_op_parallelism_threads: 3 inter_op_parallelism_threads: 2 allow_soft_placement: true }
batching_parameters { max_batch_size { value: 2 } num_batch_threads { value: 5 } }
saved_model_tags: "serve" saved_model_tags: "gpu"
enable_model_warmup: true
model_warmup_options { num_request_iterations { value: 4 } }
prefer_tflite_model: true
num_tflite_interpreters: 6
num_tflite_interpreters_per_pool: 7
enable_per_model_batching_params: true
mixed_precision: "bfloat16"
"""


def written(folder: Path, config: str, platform: str = "tensorflow", adapter: str = ADAPTER, **more: object) -> Flags:
    """Flags that name a file with one platform."""
    file = folder / "platforms"
    inside = f"legacy_config {{ {config} }}" if adapter == ADAPTER else config
    file.write_text(
        f'platform_configs {{ key: "{platform}" value {{ source_adapter_config {{ [{adapter}] {{ {inside} }} }} }} }}'
    )
    return Flags(platform_config_file=str(file), **more)  # type: ignore[arg-type]


def refused(flags: Flags) -> str:
    with pytest.raises(Refusal) as caught:
        load_options(flags)
    assert caught.value.code == INVALID_ARGUMENT
    return caught.value.text.replace(flags.platform_config_file or "?", "FILE")


def test_a_platforms_file_says_all_that_flags_say_otherwise(tmp_path: Path) -> None:
    options = load_options(written(tmp_path, WHOLE))
    assert options.session_config.allow_soft_placement
    assert (options.intra_op_parallelism, options.inter_op_parallelism) == (3, 2)
    assert (options.batching.max_batch_size.value, options.batching.num_batch_threads.value) == (2, 5)
    assert options.saved_model_tags == "serve,gpu"
    assert (options.enable_model_warmup, options.num_request_iterations_for_warmup) == (True, 4)
    assert (options.prefer_tflite_model, options.num_tflite_pools) == (True, 6)
    assert options.num_tflite_interpreters_per_pool == 7
    assert options.enable_per_model_batching_parameters
    assert options.mixed_precision == "bfloat16"


def test_what_the_file_leaves_out_is_not_taken_from_the_flags(tmp_path: Path) -> None:
    contradiction = {
        "batching_parameters_file": "/none",
        "tensorflow_session_config_file": "/none",
        "tensorflow_session_parallelism": 1,
        "tensorflow_intra_op_parallelism": 1,
        "tensorflow_inter_op_parallelism": 1,
        "saved_model_tags": "gpu",
        "mixed_precision": "bfloat16",
        "prefer_tflite_model": True,
    }
    options = load_options(written(tmp_path, "", **contradiction))
    assert (options.batching, options.intra_op_parallelism, options.mixed_precision) == (None, 0, "")
    assert (options.saved_model_tags, options.enable_model_warmup) == ("serve", False)
    assert (options.prefer_tflite_model, options.num_tflite_pools) == (False, 0)
    with pytest.raises(Refusal):
        load_options(Flags(**contradiction))  # type: ignore[arg-type]


def test_the_options_of_the_file_load_a_model_and_batch_its_requests(tmp_path: Path) -> None:
    folder = saved_models.line(tmp_path / "1", 0.5, 2.0)
    config = "batching_parameters { max_batch_size { value: 2 } }"
    model = loader(load_options(written(tmp_path, config)))(folder)
    assert model.run("", {"x": np.array([1, 2], np.float32)})["y"].tolist() == [2.5, 3.0]
    with pytest.raises(Refusal, match=r"^Task size 3 is larger than maximum input batch size 2$"):
        model.run("", {"x": np.zeros(3, np.float32)})
    model.close()
    alone = loader(load_options(written(tmp_path, f"{config} wrap_session_with_no_threading_params: true")))(folder)
    assert len(alone.run("", {"x": np.zeros(3, np.float32)})["y"]) == 3


def test_what_the_original_only_knows_by_name_is_unimplemented(tmp_path: Path) -> None:
    folder = saved_models.line(tmp_path / "1", 0.5, 2.0)
    load = loader(load_options(written(tmp_path, "enable_saved_model_config: true")))
    with pytest.raises(Refusal, match=r"^Saved model config functionality is not implemented.$") as caught:
        load(folder)
    assert caught.value.code == UNIMPLEMENTED


def test_a_file_that_says_nothing_of_tensorflow_is_refused(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "", "other")) == "FILE: received platforms other; expected tensorflow alone"
    file = Path(written(tmp_path, "").platform_config_file)
    flags = Flags(platform_config_file=str(file))
    file.write_text("# nothing")
    assert refused(flags) == "FILE: received platforms none; expected tensorflow alone"
    file.write_text("platform_configs { key: 'tensorflow' }")
    assert refused(flags).startswith("FILE: received no source_adapter_config; expected tensorflow.serving.SavedModelB")
    file.write_text("platform_configs { key: 'tensorflow' value { nonsense: 1 } }")
    assert refused(flags) == "Invalid protobuf file: 'FILE'"


def test_an_adapter_of_another_kind_or_damaged_is_refused(tmp_path: Path) -> None:
    other = written(
        tmp_path, "session_target: 'x'", adapter="type.googleapis.com/tensorflow.serving.SessionBundleConfig"
    )
    assert refused(other).startswith(
        "FILE: received type.googleapis.com/tensorflow.serving.SessionBundleConfig; expected tensorflow.serving.Saved"
    )
    assert refused(written(tmp_path, "", adapter="type.googleapis.com/none.Such")) == "Invalid protobuf file: 'FILE'"
    packed = f"type_url: '{ADAPTER}' value: '\\xff'"
    Path(other.platform_config_file).write_text(
        f"platform_configs {{ key: 'tensorflow' value {{ source_adapter_config {{ {packed} }} }} }}"
    )
    assert refused(other) == f"Malformed content of Any: {ADAPTER}"


def test_fields_that_change_nothing_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_options(written(tmp_path, "enable_session_metadata: true prefer_tflite_model: true"))
    assert "without effect here: enable_session_metadata" in caplog.text
    assert "prefer_tflite_model" not in caplog.text


def test_files_are_read_before_the_threads_are_compared() -> None:
    threads = {
        "tensorflow_session_parallelism": 1,
        "tensorflow_intra_op_parallelism": 1,
        "tensorflow_inter_op_parallelism": 1,
    }
    assert refused(Flags(**threads)).startswith("Either configure server_options.tensorflow_session_parallelism or ")
    with pytest.raises(Refusal, match=r"^/none; No such file or directory$") as caught:
        load_options(Flags(tensorflow_session_config_file="/none", **threads))
    assert caught.value.code == NOT_FOUND


def test_without_a_platforms_file_the_flags_say_it() -> None:
    options = load_options(
        Flags(saved_model_tags="a,b", enable_batching=True, num_tflite_pools=3, tensorflow_session_parallelism=2)
    )
    assert options.batching.thread_pool_name.value == "model_server_batch_threads"
    assert options == LoadOptions(
        saved_model_tags="a,b",
        batching=options.batching,
        num_tflite_pools=3,
        intra_op_parallelism=2,
        inter_op_parallelism=2,
    )
