"""The stages of a check in their order: cheap and certain ones first, the model's own last."""

from __future__ import annotations

from typing import Final

from ferryman.checks.champion import check_champion
from ferryman.checks.code import check_code
from ferryman.checks.conversion import check_conversion
from ferryman.checks.estimate import check_cost, check_disk, check_ports
from ferryman.checks.features import check_features
from ferryman.checks.gate import check_power, check_requirements
from ferryman.checks.labels import check_label
from ferryman.checks.model import check_export, check_sample, check_serving, check_training, start_beside
from ferryman.checks.reading import check_source, check_spec
from ferryman.checks.sides import check_sides
from ferryman.checks.stage import Stage

STAGES: Final = (
    Stage("spec", check_spec),
    Stage("data", check_source, ("data",)),
    Stage("features", check_features, ("scan",)),
    Stage("label", check_label, ("scan",)),
    Stage("split", check_sides, ("scan",)),
    Stage("champion", check_champion, ("spec", "scan")),
    Stage("requirements", check_requirements, ("spec", "divided")),
    Stage("power", check_power, ("spec", "divided")),
    Stage("code", check_code, ("spec",)),
    Stage("sample", check_sample, ("spec", "scan", "code")),
    Stage("server", start_beside, ("examples",)),
    Stage("training", check_training, ("examples",)),
    Stage("export", check_export, ("training",)),
    Stage("conversion", check_conversion, ("model",)),
    Stage("serving", check_serving, ("model", "server")),
    Stage("cost", check_cost, ("training",)),
    Stage("disk", check_disk, ("scan",)),
    Stage("ports", check_ports),
)
