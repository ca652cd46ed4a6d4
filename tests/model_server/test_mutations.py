"""The faults that `behaviour/mutations.py` plants are still faults that can be planted; the script itself takes long."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).parent / "behaviour"
SERVER = Path(__file__).parents[2] / "components" / "ferryman" / "model_server"
MUTATIONS = runpy.run_path(str(SUITE / "mutants.py"), run_name="mutants")["MUTATIONS"]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_changes_one_place_of_the_server_into_other_python(mutation: Any) -> None:
    text = (SERVER / mutation.file).read_text()
    assert text.count(mutation.find) == 1
    compile(text.replace(mutation.find, mutation.replace), mutation.file, "exec")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_cases_that_a_mutation_names_are_there(mutation: Any) -> None:
    for case in mutation.cases:
        file, _, name = case.partition("::")
        assert re.search(rf"^def {name}\(", (SUITE / file).read_text(), re.M)


def test_there_are_at_least_twenty_and_no_two_are_called_the_same() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names) >= 20
