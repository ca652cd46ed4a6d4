"""Which versions a look at a base path finds, with file systems that are dictionaries."""

from __future__ import annotations

import logging

import pytest

from ferryman.model_server.core import Model, Policy
from ferryman.model_server.discovery import DiscoveryError, choose, discover, join, version_number


class Tree:
    """Folders by path; counts what is asked of it."""

    def __init__(self, folders: dict[str, list[str]]) -> None:
        self.folders = folders
        self.listed: list[str] = []

    def exists(self, path: str) -> bool:
        base, _, name = path.rpartition("/")
        return path in self.folders or name in self.folders.get(base, [])

    def children(self, path: str) -> list[str]:
        self.listed.append(path)
        if path not in self.folders:
            raise NotADirectoryError(f"{path} is a file")
        return self.folders[path]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("7", 7),
        ("0007", 7),
        ("+7", 7),
        ("-7", -7),
        (" 7\t", 7),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", None),
        ("", None),
        ("+", None),
        ("--7", None),
        ("- 7", None),
        ("7.0", None),
        ("1_0", None),
        ("0x7", None),
        ("٧", None),
        ("\u00a07", None),
        ("tmp.7", None),
        ("7" * 255, None),
    ],
)
def test_a_version_is_a_name_that_reads_as_an_int64(name: str, number: int | None) -> None:
    assert version_number(name) == number


def test_the_latest_policy_takes_the_highest_numbers_not_the_longest_names() -> None:
    assert choose(Policy(), ["9", "10", "2"]) == ((10, "10"),)
    assert choose(Policy("latest", count=2), ["9", "10", "2"]) == ((9, "9"), (10, "10"))
    assert choose(Policy("latest", count=0), ["9", "10"]) == ((10, "10"),)
    assert choose(Policy("latest", count=5), ["9", "10", "x"]) == ((9, "9"), (10, "10"))


def test_of_two_names_of_one_number_the_last_wins_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert choose(Policy(), ["1", "01"]) == ((1, "1"),)
    assert "Version 1 will be loaded from 1, 01 will be ignored." in caplog.text


def test_the_policy_for_all_gives_both_names_of_one_number() -> None:
    assert choose(Policy("all"), ["1", "01", "2"]) == ((1, "01"), (1, "1"), (2, "2"))


def test_specific_versions_are_asked_for_by_their_plain_names_and_nothing_is_listed() -> None:
    tree = Tree({"/m": ["41", "42", "43"]})
    wanted = Model("m", "/m", Policy("specific", versions=(41, 42)))
    assert discover([wanted], tree) == {"m": ((41, "/m/41"), (42, "/m/42"))}
    assert tree.listed == []


def test_one_specific_version_under_another_name_makes_it_list(caplog: pytest.LogCaptureFixture) -> None:
    tree = Tree({"/m": ["41", "0042", "43"]})
    wanted = Model("m", "/m/", Policy("specific", versions=(42, 44)))
    assert discover([wanted._replace(base_path="/m")], tree) == {"m": ((42, "/m/0042"),)}
    assert tree.listed == ["/m"]
    assert "Version 44 of servable m, which was requested to be served as a 'specific' version" in caplog.text


def test_no_specific_version_at_all_aspires_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert discover([Model("m", "/m", Policy("specific"))], Tree({"/m": ["1"]})) == {"m": ()}
    assert "No specific versions requested for servable m." in caplog.text


def test_an_emptied_base_path_aspires_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert discover([Model("m", "/m")], Tree({"/m": ["latest"]})) == {"m": ()}
    assert "No versions of servable m found under base path /m. Did you forget" in caplog.text


def test_a_file_whose_name_is_a_number_is_a_version_too() -> None:
    assert discover([Model("m", "/m")], Tree({"/m": ["12"]})) == {"m": ((12, "/m/12"),)}


def test_deeper_names_of_an_object_store_count_by_their_first_part() -> None:
    tree = Tree({"gs://b/m": ["1/saved_model.pb", "1/variables/v", "2"]})
    assert discover([Model("m", "gs://b/m", Policy("all"))], tree) == {"m": ((1, "gs://b/m/1"), (2, "gs://b/m/2"))}


def test_the_first_missing_base_path_ends_the_look_for_all(caplog: pytest.LogCaptureFixture) -> None:
    tree = Tree({"/a": ["1"], "/c": ["1"]})
    models = [Model("a", "/a"), Model("b", "/b"), Model("c", "/c")]
    with pytest.raises(DiscoveryError) as caught:
        discover(models, tree)
    assert str(caught.value) == "Could not find base path /b for servable b with error NOT_FOUND: /b not found"
    assert tree.listed == ["/a"]


def test_a_base_path_that_cannot_be_listed_ends_the_look_too() -> None:
    with pytest.raises(DiscoveryError, match="/a/1 is a file"):
        discover([Model("m", "/a/1")], Tree({"/a": ["1"]}))


def test_paths_are_joined_by_one_slash() -> None:
    assert [join("/m", "1"), join("/m/", "1"), join("gs://b", "1")] == ["/m/1", "/m/1", "gs://b/1"]
