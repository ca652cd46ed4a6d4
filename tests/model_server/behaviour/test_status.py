"""GetModelStatus: what is listed, in which state, and what is refused."""

from __future__ import annotations

import pytest
from rests_on import rests_on
from serving_client import Client, refusal

STATUS = "model_servers/get_model_status_impl.cc:GetModelStatusImpl::GetModelStatus"


@rests_on(STATUS)
def test_a_status_without_a_model_spec_is_refused(server: Client) -> None:
    assert refusal(server.status) == ("INVALID_ARGUMENT", "Missing ModelSpec")


@rests_on(STATUS)
@pytest.mark.parametrize("name", ["nobody", ""])
def test_a_name_that_was_never_seen_is_not_found(server: Client, name: str) -> None:
    text = f"Could not find any versions of model {name}"
    assert refusal(lambda: server.status(name=name)) == ("NOT_FOUND", text)
