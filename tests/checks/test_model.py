"""The model on a sample: what two steps, an export, a conversion and a server show before anything long runs."""

from __future__ import annotations

import functools
import re
import shlex
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from ferryman.artifacts.evidence import Rung
from ferryman.checks import model as checks
from ferryman.checks.conversion import conversion_findings
from ferryman.checks.stages import STAGES
from ferryman.errors import SpecError
from ferryman.golden.golden_set import GoldenSet
from ferryman.spec import load_spec
from ferryman.spec.proposing.user_model import package_files


def upto(name: str) -> tuple[Any, ...]:
    """All stages up to this one, without the server's."""
    names = [stage.name for stage in STAGES]
    return tuple(stage for stage in STAGES[: names.index(name) + 1] if stage.name not in {"server", "serving"})


def test_a_learning_rate_that_makes_the_loss_nan_in_two_steps_is_told(shop: Any) -> None:
    shop.spec["train"]["optimizer"] = {"kind": "sgd", "learning_rate": 1e30}
    checked = shop.check(upto("export"))
    (found,) = checked.of("error")
    assert found.startswith("train.optimizer.learning_rate: ")
    assert "1e+29 or less" in found
    assert checked.exit_code == 5
    assert checked.headline("export") == "it needs a fitted model"


def test_a_learning_rate_that_lets_the_loss_grow_is_a_warning(shop: Any) -> None:
    shop.spec["train"]["optimizer"] = {"kind": "sgd", "learning_rate": 3000.0}
    assert any("the loss grew from" in text for text in shop.check(upto("training")).of("warning"))


def test_a_model_that_answers_otherwise_once_it_is_loaded_is_told_with_the_loader(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = checks.write_model

    def spoilt(spec: Any, examples: Any, training: Any, folder: Path) -> Any:
        card = write(spec, examples, training, folder)
        golden = GoldenSet.read(folder / "golden")
        golden.answers["probabilities"] = golden.answers["probabilities"] + np.float32(0.01)
        golden.write(folder / "golden")
        return card

    monkeypatch.setattr(checks, "write_model", spoilt)
    (found,) = shop.check(upto("export")).of("error")
    assert found.startswith("model: exported, and loaded by TensorFlow 2, the model answers otherwise: probabilities: ")


def test_a_rung_that_cannot_convert_is_told_and_what_the_rest_would_lose_is_not(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ferryman.steps.convert import convert
    from ferryman.steps.convert.converters import Converters

    script = shop.folder / "converter.py"
    script.write_text(
        "import os, sys\n"
        "if sys.argv[2] == 'int8':\n    sys.exit('RuntimeError: no 8-bit kernel for ERF')\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ferryman.steps.convert.rung', *sys.argv[1:]])\n"
    )
    monkeypatch.setattr(convert, "Converters", functools.partial(Converters, converter=[sys.executable, str(script)]))
    shop.spec["convert"] = {"try": ["int8", "float32"], "required": True}
    checked = shop.check(upto("conversion"))
    assert checked.of("error") == []
    (found,) = [text for text in checked.of("warning") if "convert.try" in text]
    assert "convert.try, int8" in found
    assert "no 8-bit kernel for ERF" in found
    assert "float32 can be used" in found
    assert checked.headline("conversion").startswith("int8 failed, float32 ")


def rung(name: str, state: str, reason: str = "") -> Rung:
    return Rung.model_validate({"name": name, "state": state, "reason": reason})


def test_without_any_rung_a_required_conversion_holds_and_another_one_only_warns() -> None:
    rungs = [
        rung("int8", "failed", "conversion: killed by SIGSEGV"),
        rung("float32", "out_of_bounds", "3 of 9 rows NaN"),
    ]
    needed, free = list(conversion_findings(rungs, required=True)), list(conversion_findings(rungs, required=False))
    assert [(found.kind, found.exit_code) for found in needed] == [("error", 3)] * 2
    assert [found.kind for found in free] == ["warning"] * 2


def test_what_an_untrained_model_loses_in_conversion_is_no_finding() -> None:
    lost = [rung("int8", "out_of_bounds", "accuracy lost 0.1200, may lose 0.005"), rung("float32", "kept")]
    assert list(conversion_findings(lost, required=True)) == []


def test_columns_and_split_that_are_wrong_do_not_keep_the_model_from_being_tried(shop: Any) -> None:
    shop.rows = shop.rows[:30]
    shop.rows[3]["price"] = "free"
    shop.spec["data"]["split"] = {"kind": "hash", "validation": 0.01, "test": 0.3, "seed": 1}
    checked = shop.check(upto("training"))
    assert checked.exit_code == 4
    assert "weights, loss" in checked.headline("training")


def test_a_feature_that_cannot_be_read_does(shop: Any) -> None:
    shop.spec["data"]["features"]["colour"] = {"kind": "category"}
    checked = shop.check(upto("training"))
    assert checked.headline("sample") == "cannot be made: colour could not be read"
    assert checked.headline("training") == "it needs a sample of the rows"


def test_time_memory_and_disk_are_estimated(shop: Any) -> None:
    checked = shop.check((*upto("export"), *(stage for stage in STAGES if stage.name in {"cost", "disk"})))
    assert any("a run of this spec: about" in text and "of memory" in text for text in checked.of("note"))
    assert "needed" in checked.headline("disk")


def own_model(shop: Any, body: str) -> None:
    """A package of the shop's own, whose model is built by these lines."""
    package = shop.folder / "shopcode"
    package.mkdir()
    (package / "__init__.py").write_text("")
    lines = [
        "import keras",
        "import ferryman",
        "",
        "class Small(ferryman.Model):",
        "    def build(self, inputs, context):",
    ]
    (package / "model.py").write_text("\n".join([*lines, *(f"        {line}" for line in body.splitlines())]) + "\n")
    shop.spec["code"] = {"path": "shopcode"}
    shop.spec["model"] = {"kind": "shopcode.model:Small"}


def test_a_model_of_ones_own_goes_the_same_road(shop: Any) -> None:
    own_model(
        shop,
        "hidden = keras.layers.Concatenate()(list(context.encoded.values()))\n"
        "return keras.Model(inputs, keras.layers.Dense(len(context.classes), activation='softmax')(hidden))",
    )
    checked = shop.check(upto("export"))
    assert checked.of("error") == []
    assert checked.headline("code") == "the package shopcode"
    assert "both loaders" in checked.headline("export")


def test_a_mistake_in_code_of_ones_own_is_told_with_file_and_line(shop: Any) -> None:
    own_model(shop, "hidden = 1\nreturn keras.Model(inputs, hiden)")
    checked = shop.check(upto("export"))
    (found,) = checked.of("error")
    assert found.startswith("shopcode/model.py:7: ")
    assert "hiden" in found
    assert found.endswith(
        f"what your code printed is shown by: ferryman --debug check {shlex.quote(str(shop.folder / 'orders.yaml'))}"
    )
    assert checked.exit_code == 2
    assert checked.headline("power"), "what does not need the code is looked at all the same"


def test_a_package_that_is_not_there_stops_only_the_model(shop: Any) -> None:
    own_model(shop, "return 1")
    shop.spec["code"] = {"path": "elsewhere/shopcode"}
    checked = shop.check(upto("training"))
    assert "elsewhere" in checked.of("error")[0]
    assert checked.headline("sample") == "it needs a package that can be imported"


NETWORK = (
    "hidden = keras.layers.Concatenate()(list(context.encoded.values()))\n"
    "return keras.Model(inputs, keras.layers.Dense(len(context.classes), activation='softmax')(hidden))"
)


def own_fit(shop: Any, *lines: str) -> None:
    """A model of the shop's own with a `fit` of these lines."""
    own_model(shop, NETWORK)
    with (shop.folder / "shopcode" / "model.py").open("a") as file:
        file.write("\n    def fit(self, model, train, validation, context):\n")
        file.writelines(f"        {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "headline", "notes"),
    [
        (["context.report(epoch, {'huber': 3.0 - epoch})"], ", huber 3 then 2", 0),
        (["context.report(epoch, {'seen': 7.0, 'loss': 3.0 - epoch})"], ", loss 3 then 2", 0),
        (["context.report(epoch, {})"], ", no number of its own reported", 1),
        (["pass"], ", no number of its own reported", 1),
    ],
)
def test_a_loop_of_ones_own_may_report_by_any_name_or_not_at_all(
    shop: Any, lines: list[str], headline: str, notes: int
) -> None:
    own_fit(shop, "for epoch in range(context.epochs):", *(f"    {line}" for line in lines))
    checked = shop.check(upto("training"))
    assert checked.of("error") == []
    assert checked.headline("training").endswith(headline)
    assert sum("Small.fit reports no number" in text for text in checked.of("note")) == notes


def test_a_training_step_of_ones_own_need_give_no_loss(shop: Any) -> None:
    own_model(shop, NETWORK.replace("keras.Model(", "Stepped("))
    path = shop.folder / "shopcode" / "model.py"
    step = "class Stepped(keras.Model):\n    def train_step(self, data):\n        return {'penalty': 0.25}\n\n"
    path.write_text(path.read_text().replace("class Small", f"{step}class Small"))
    checked = shop.check(upto("training"))
    assert (checked.of("error"), checked.headline("training").partition(", ")[2]) == ([], "penalty 0.25 then 0.25")


def written_package(shop: Any, *wanted: str, task: Literal["class", "number"] = "class") -> None:
    """The package that `init --model` writes, with these of its examples uncommented; `shop` is a category of the data."""
    package = shop.folder / "my_model"
    package.mkdir()
    for file, content in package_files("my_model", "orders.yaml", task, category="shop", number="price").items():
        (package / file).write_text(uncommented(content, *wanted) if file == "model.py" else content)
    shop.spec["code"], shop.spec["model"] = {"path": "my_model"}, {"kind": "my_model.model:MyModel", "units": 5}


def uncommented(text: str, *wanted: str) -> str:
    """Each block of comments uncommented that begins with one of the words, which it must."""
    for words in wanted:
        block = re.search(rf"^ *# {re.escape(words)}.*\n(?: *#.*\n)*", text, re.MULTILINE)
        assert block, words
        text = text.replace(block[0], re.sub(r"^( *)# ?", r"\1", block[0], flags=re.MULTILINE))
    return text


def as_number(shop: Any) -> None:
    """The weight is to be predicted."""
    shop.spec["data"]["label"] = {"kind": "number", "column": "weight"}
    del shop.spec["data"]["features"]["weight"]
    shop.spec["gate"] = {"require": [{"metric": "rmse", "at_most": 0.8}]}


@pytest.mark.parametrize(
    "example", [(), ("columns.append(",), ("def fit(",), ("def metrics(", "class Sure("), ("class Log(",)]
)
def test_each_example_in_a_written_package_works_once_it_is_uncommented(shop: Any, example: tuple[str, ...]) -> None:
    written_package(shop, *example)
    if "class Log(" in example:
        shop.spec["data"]["features"]["price"] = {"kind": "my_model.model:Log", "reads": "number"}
    if "class Sure(" in example:
        shop.spec["gate"]["require"].append({"metric": "my_model.model:Sure", "at_least": 0.3})
    checked = shop.check(upto("export"))
    assert checked.of("error") == []
    weights = int(checked.headline("training").split()[0].replace(",", ""))
    # price and weight are two numbers, shop and channel are embedded (5 and 4 ids in 4 and 3 numbers), an own embedding
    # of the shop's 5 ids has 8.
    more = 5 * 8 + 8 * 5 if "columns.append(" in example else 0
    assert weights == more + 5 * 4 + 4 * 3 + (2 + 4 + 3) * 5 + 5 + 5 * 2 + 2


def test_the_example_of_a_metric_is_one_of_the_labels_task(shop: Any) -> None:
    as_number(shop)
    written_package(shop, "def metrics(", "class Typical(", task="number")
    shop.spec["gate"]["require"].append({"metric": "my_model.model:Typical", "at_most": 2.0})
    assert shop.check(upto("training")).of("error") == []


def test_an_id_beyond_an_embedding_is_told_with_the_sentence_that_matters(shop: Any) -> None:
    written_package(shop, "columns.append(")
    path = shop.folder / "my_model" / "model.py"
    path.write_text(path.read_text().replace('context.sizes["shop"]', "3"))
    (found,) = shop.check(upto("training")).of("error")
    assert re.search(r"indices\[\d+\] = [34] is not in \[0, 3\)", found), found


def test_a_folder_that_is_not_there_is_told_before_the_classes_that_are_not_in_it(shop: Any) -> None:
    own_model(shop, "return 1")
    shop.spec["code"] = {"path": "shopcod"}
    first, second = shop.check(upto("training")).of("error")
    assert first == (
        "code.path: the folder 'shopcod' is not there (paths start at the spec's folder) -> write 'shopcode'"
    )
    assert second.startswith("model.kind: received 'shopcode.model:Small'")
    with pytest.raises(SpecError, match=r"orders.yaml: code.path: the folder 'shopcod' is not there .* 'shopcode'\?"):
        load_spec(shop.folder / "orders.yaml")
