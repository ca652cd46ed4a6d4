"""The lines of a `.proto` file that are read, and those that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from ferryman.serving.protocol import POOL
from ferryman.serving.protocol.schema import load, read

BIRDS = """
// A comment; and one behind a statement.
syntax = "proto3";
package birds;

message Nest {
  enum Place {
    NOWHERE = 0;
    TREE = 7;  // the usual one
  }
  message Egg {
    double grams = 2;
  }
  message Nothing {}
  oneof owner {
    string name = 1;
    Nothing nobody = 4;
  }
  Place place = 3;
  repeated Egg eggs = 5;
  map<string, Egg> by_colour_name = 12;
}

service Nests {
  rpc Find(Nest) returns (Nest.Egg);
}
"""


@pytest.fixture
def pool(tmp_path: Path) -> Any:
    path = tmp_path / "birds.proto"
    path.write_text(BIRDS, encoding="utf-8")
    return load(path)


def test_a_message_is_written_as_its_file_says(pool: Any) -> None:
    nest = GetMessageClass(pool.FindMessageTypeByName("birds.Nest"))()
    nest.name = "ö"
    nest.place = 7
    nest.eggs.add(grams=1.5)
    nest.by_colour_name["red"].grams = 0.5
    assert (
        nest.SerializeToString()
        == (
            b"\x0a\x02\xc3\xb6"  # field 1, two bytes
            b"\x18\x07"  # field 3, the number 7
            b"\x2a\x09\x11" + bytes(6) + b"\xf8\x3f"  # field 5: field 2, 1.5
            b"\x62\x10\x0a\x03red\x12\x09\x11" + bytes(6) + b"\xe0\x3f"  # field 12: key 1, value 2
        )
    )
    nest.nobody.SetInParent()
    assert (nest.WhichOneof("owner"), nest.name) == ("nobody", "")


def test_a_call_has_the_messages_that_its_line_names(pool: Any) -> None:
    (call,) = pool.FindServiceByName("birds.Nests").methods
    assert (call.name, call.input_type.full_name, call.output_type.full_name) == (
        "Find",
        "birds.Nest",
        "birds.Nest.Egg",
    )


def test_two_pools_may_hold_the_same_name_and_ours_is_not_the_one_of_everybody(pool: Any) -> None:
    from google.protobuf import descriptor_pool

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("birds.Nest")
    with pytest.raises(KeyError):
        POOL.FindMessageTypeByName("birds.Nest")


@pytest.mark.parametrize(
    "line",
    ['syntax = "proto2";', "string name = 1", "optional string name = 1;", "string name = 1; string place = 2;",
     "string name = -1;", "int32 a = 1 [packed = false];", "reserved 3;", "message Nest", "/* nothing */",
     "rpc Find(streams Nest) returns (Nest);"],
)  # fmt: skip
def test_a_line_that_is_not_known_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"birds\.proto, line 3: received") as caught:
        read("birds.proto", f"message Nest {{\n  string song = 9;\n{line}\n}}")
    assert line in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"), [("message Nest {\n", "1 braces are open at its end"), ("message Nest {}\n}", "line 2")]
)
def test_braces_that_do_not_match_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read("birds.proto", text)
