"""The start-up file: what TensorFlow Serving's own messages read out of it, and what we take it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from ferryman.serving.config import ModelConfig, reload_request, render
from ferryman.serving.protocol import ModelServerConfig
from ferryman.serving.startup import model_config, read_startup, write_startup


def parsed(text: str) -> Any:
    return text_format.Parse(text, ModelServerConfig())


@pytest.mark.parametrize(
    "path", ["/store/birds", "/an ö group/birds", '/a "quoted" one', "/a'b", "/back\\slash", "/new\nline", "/tab\t#"]
)
def test_the_text_of_a_start_up_file_is_read_back_by_protobufs_own_parser(path: str) -> None:
    text = render(
        [
            ModelConfig("birds", path, (7, 3), {"stable": 3, "canary": 7}),
            ModelConfig("fish", "/store/fish", (9_007_199_254_740_993,)),
        ]
    )
    birds, fish = parsed(text).model_config_list.config
    assert (birds.name, birds.base_path, birds.model_platform) == ("birds", path, "tensorflow")
    assert list(birds.model_version_policy.specific.versions) == [3, 7]
    assert dict(birds.version_labels) == {"stable": 3, "canary": 7}
    assert (fish.name, fish.base_path) == ("fish", "/store/fish")
    assert list(fish.model_version_policy.specific.versions) == [9_007_199_254_740_993]
    assert dict(fish.version_labels) == {}
    assert all(entry.model_version_policy.WhichOneof("policy_choice") == "specific" for entry in (birds, fish))


def test_the_file_and_the_reload_of_the_same_models_say_the_same() -> None:
    models = [ModelConfig("birds", "/b", (2,), {"stable": 2}), ModelConfig("fish", "/f", (5, 4))]
    assert parsed(render(models)) == reload_request(models).config


def test_no_models_is_an_empty_list_and_not_a_missing_one() -> None:
    # A config without either kind of list is refused by the server.
    assert parsed(render([])).WhichOneof("config") == "model_config_list"
    assert reload_request([]).config.WhichOneof("config") == "model_config_list"


def test_a_start_up_file_names_one_version_a_model_under_the_label_stable(tmp_path: Path) -> None:
    path, group = tmp_path / "models.config", tmp_path / "an ö group"
    write_startup(path, group, {"fish": 4, "birds": 12})
    birds, fish = parsed(path.read_text(encoding="utf-8")).model_config_list.config
    assert (birds.name, list(birds.model_version_policy.specific.versions)) == ("birds", [12])
    assert (fish.name, list(fish.model_version_policy.specific.versions)) == ("fish", [4])
    assert (dict(birds.version_labels), dict(fish.version_labels)) == ({"stable": 12}, {"stable": 4})
    assert birds.base_path == str((group / "store" / "birds").resolve())
    assert read_startup(path, group) == {"birds": 12, "fish": 4}
    assert read_startup(path, tmp_path / "moved") is None, "its folders are another group's, or this one's old place"
    write_startup(path, group, {})
    assert read_startup(path, group) == {}
    assert [found.name for found in tmp_path.iterdir()] == ["models.config"]


@pytest.mark.parametrize(
    "versions",
    [
        ((3, 4), {"stable": 3}),
        ((3,), {}),
        ((3,), {"stable": 4}),
        ((3,), {"canary": 3}),
        ((3,), {"stable": 3, "canary": 3}),
        ((), {}),
    ],
)
def test_a_start_up_file_that_is_not_one_of_ours_says_nothing(
    versions: tuple[tuple[int, ...], dict[str, int]], tmp_path: Path
) -> None:
    path = tmp_path / "models.config"
    fish, birds = (str(tmp_path.resolve() / "store" / name) for name in ("fish", "birds"))
    ours = ModelConfig("fish", fish, (5,), {"stable": 5})
    path.write_text(render([ours, ModelConfig("birds", birds, *versions)]))
    assert read_startup(path, tmp_path) is None
    path.write_text(render([ours]))
    assert read_startup(path, tmp_path) == {"fish": 5}


def test_a_start_up_file_that_is_absent_torn_or_no_text_says_nothing_and_an_empty_one_names_no_model(
    tmp_path: Path,
) -> None:
    path = tmp_path / "models.config"
    assert read_startup(path, tmp_path) is None
    write_startup(path, tmp_path, {"birds": 12})
    path.write_bytes(path.read_bytes()[:-3])
    assert read_startup(path, tmp_path) is None
    path.write_bytes(b"\xff\xfe{")
    assert read_startup(path, tmp_path) is None
    path.write_bytes(b"")
    assert read_startup(path, tmp_path) == {}


def test_the_part_of_a_model_has_its_versions_in_order_and_no_label_before_the_first_commit(tmp_path: Path) -> None:
    place = str((tmp_path / "store" / "birds").resolve())
    assert model_config(tmp_path, "birds", frozenset({12, 3}), None) == ModelConfig("birds", place, (3, 12), {})
    assert model_config(tmp_path, "birds", frozenset({12, 3}), 3) == ModelConfig("birds", place, (3, 12), {"stable": 3})
