"""A shop's orders that nobody made for any ready spec, and the checks on them in this process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ferryman.checks.finding import Finding, exit_code_of
from ferryman.checks.ground import Ground, Request
from ferryman.checks.stage import Told, run_stages
from ferryman.checks.stages import STAGES

DATA_STAGES = tuple(
    stage for stage in STAGES if stage.name not in {"server", "training", "export", "conversion", "serving", "cost"}
)
"""All that need no TensorFlow."""


@dataclass
class Checked:
    """What the checks said."""

    ground: Ground
    told: list[Told]
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.findings = [finding for news in self.told for finding in news.findings]

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.findings)

    def of(self, kind: str) -> list[str]:
        """`where: what -> try` of all findings of a kind."""
        return [f"{one.where}: {one.what} -> {one.advice}" for one in self.findings if one.kind == kind]

    def headline(self, stage: str) -> str:
        return next(news.headline for news in self.told if news.stage == stage and news.state != "begins")


def orders(rows: int = 400, seed: int = 3) -> list[dict[str, Any]]:
    """Whether an order was sent back: prices, weights, a shop, a channel; about a third was."""
    draw = random.Random(seed)
    found = []
    for _ in range(rows):
        price, weight = round(draw.uniform(5, 90), 2), round(draw.gauss(3, 0.6), 3)
        shop, channel = draw.choice(["north", "south", "web"]), draw.choice(["card", "cash"])
        back = draw.random() < (0.7 if price > 60 else 0.15)
        found.append(
            {"price": price, "weight": weight, "shop": shop, "channel": channel, "sent": "back" if back else "kept"}
        )
    return found


class Shop:
    """A folder with a spec and its data; both can be spoiled before they are checked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.checks = folder, 0
        self.ground: Ground | None = None
        self.rows = orders()
        self.spec: dict[str, Any] = {
            "spec": 1,
            "name": "orders",
            "data": {
                "source": "orders.csv",
                "features": {
                    "price": {"kind": "number"},
                    "weight": {"kind": "number"},
                    "shop": {"kind": "category"},
                    "channel": {"kind": "category"},
                },
                "label": {"kind": "class", "column": "sent"},
                "split": {"kind": "exact", "validation": 0.15, "test": 0.3, "seed": 1},
            },
            "model": {"kind": "mlp", "hidden": [8]},
            "train": {"epochs": 3, "batch_size": 16},
            "convert": {"try": ["float32"]},
            "gate": {
                "require": [{"metric": "accuracy", "at_least": 0.75}],
                "champion": {"metric": "accuracy", "may_lose": 0.2},
            },
        }

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def write(self) -> Path:
        """The files as they are now; the spec's path."""
        names = list(self.rows[0])
        lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in self.rows)]
        (self.folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        path = self.folder / "orders.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(self.spec, file)
        return path

    def check(self, stages: Any = DATA_STAGES, **request: Any) -> Checked:
        """The checks on the files as they are now."""
        self.checks += 1
        work = self.folder / f"work-{self.checks}"
        work.mkdir()
        group = str(self.home / "groups" / "local")
        self.ground = ground = Ground(
            Request(spec=str(self.write()), home=str(self.home), group=group, **request), work
        )
        return Checked(ground, list(run_stages(stages, ground)))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop in which nothing is wrong."""
    shop = Shop(tmp_path)
    yield shop
    if shop.ground:
        shop.ground.exits.close()
