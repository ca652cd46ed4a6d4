"""A model of one's own: the package that is written beside the spec, and the words by which the spec names it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import own_data
import pytest

from ferryman.errors import UsageError
from ferryman.spec.proposing.user_model import package_files, user_model
from ferryman.spec.proposing.writing import spec_text
from ferryman.spec.yaml import read_yaml


def test_the_spec_names_the_class_and_the_folder(look: Callable[..., Any], tmp_path: Path) -> None:
    found = look(own_data.letters(tmp_path), "class")
    document = read_yaml(spec_text(found.proposal, "mine", "letters.tsv", "ferryman init", user_model("deep_letters")))
    assert document["code"] == {"path": "deep_letters"}
    assert document["model"] == {"kind": "deep_letters.model:DeepLetters", "units": 64}
    assert document["gate"] == read_yaml(found.text)["gate"]


def test_the_package_has_a_model_with_options_and_a_test_that_checks_the_spec() -> None:
    files = package_files("my_model", "plants.yaml")
    assert set(files) == {"__init__.py", "model.py", "test_my_model.py"}
    (kind,) = (node for node in ast.parse(files["model.py"]).body if isinstance(node, ast.ClassDef))
    assert (kind.name, ast.unparse(kind.bases[0])) == ("MyModel", "ferryman.Model")
    inside = {node.name: node for node in kind.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert [argument.arg for argument in inside["build"].args.args] == ["self", "inputs", "context"]
    assert "units: int" in ast.unparse(inside["Options"])


def test_the_packages_test_checks_the_spec_that_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, int]] = []
    testing = ModuleType("ferryman.testing")
    vars(testing)["check"] = lambda spec, rows: asked.append((spec, rows))
    monkeypatch.setitem(sys.modules, "ferryman.testing", testing)
    scope: dict[str, Any] = {"__file__": str(tmp_path / "my_model" / "test_my_model.py"), "__name__": "test_my_model"}
    exec(package_files("my_model", "plants.yaml")["test_my_model.py"], scope)
    scope["test_the_model_goes_the_whole_road"]()
    assert asked == [(tmp_path / "plants.yaml", 200)]


@pytest.mark.parametrize("classes", [("a", "b", "c"), ()])
def test_the_model_builds_a_network_for_classes_and_for_numbers(classes: tuple[str, ...]) -> None:
    pytest.importorskip("ferryman.models.user", reason="the base of user models is not there yet")
    import keras

    scope: dict[str, Any] = {"__name__": "my_model.model"}
    exec(package_files("my_model", "plants.yaml")["model.py"], scope)
    kind = scope["MyModel"]
    inputs = {"size": keras.Input((), name="size"), "image": keras.Input((4, 4, 1), name="image")}
    encoded = {"size": keras.ops.expand_dims(inputs["size"], -1), "image": inputs["image"]}
    context = type("Context", (), {"encoded": encoded, "classes": classes})
    network = kind(kind.Options(units=5)).build(inputs, context)
    assert network.output_shape == (None, len(classes) or 1)
    assert network.layers[-2].units == 5


@pytest.mark.parametrize(
    "name", ["My Model", "my-model", "../up", "class", "Upper", "1st", "", "json", "numpy", "ferryman"]
)
def test_a_name_that_python_cannot_import_or_knows_already_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"--model received"):
        user_model(name)
