"""Messages as protobuf's C++ library prints them."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from ferryman.model_server.rest.proto_json import printed
from ferryman.serving.protocol import GetModelStatusResponse, ModelSpec, SignatureDefMap, TensorProto


def test_a_status_has_every_field_on_a_line_of_its_own() -> None:
    response = GetModelStatusResponse()
    response.model_version_status.add(version=2**40, state=30).status.error_message = '<"\u00fc\x7f\n>'
    assert printed(response) == (
        '{\n "model_version_status": [\n  {\n   "version": "1099511627776",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": "\\u003c\\"\u00fc\\u007f\\n\\u003e"\n   }\n  }\n ]\n}'
    )
    assert printed(GetModelStatusResponse()) == '{\n "model_version_status": []\n}'


def test_only_the_choice_that_is_made_is_printed() -> None:
    spec = ModelSpec(name="m")
    spec.version.value = 3
    assert printed(spec) == '{\n "name": "m",\n "version": "3",\n "signature_name": ""\n}'
    assert printed(ModelSpec(version_label="l")) == '{\n "name": "",\n "signature_name": "",\n "version_label": "l"\n}'


def test_an_enum_that_is_not_known_is_its_number() -> None:
    response = GetModelStatusResponse()
    response.model_version_status.add(state=77)
    assert '"state": 77' in printed(response)


@given(
    st.dictionaries(st.text(), st.lists(st.text(), max_size=3), max_size=3),
    st.lists(st.floats(width=32).map(lambda value: value + 0.0), max_size=3),
)
def test_pythons_own_reader_reads_it_back(names: dict[str, list[str]], numbers: list[float]) -> None:
    signatures = SignatureDefMap()
    for key, aliases in names.items():
        for alias in aliases:
            info = signatures.signature_def[key].inputs[alias]
            info.name, info.dtype = alias, 9
            info.tensor_shape.dim.add(size=-1)
    tensor = TensorProto(float_val=numbers, string_val=[b"\xff"], bool_val=[True], int_val=[-1])
    for message in (signatures, tensor):
        assert repr(parsed(message)) == repr(message)


def parsed(message: Any) -> Any:
    text = printed(message)
    json.loads(text)
    return json_format.Parse(text, type(message)())
