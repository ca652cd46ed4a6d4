"""If, Elif and Else."""

from __future__ import annotations

import re
from typing import Final

from ferryman_pipelines.lint.pipeline import Pipeline, Task
from ferryman_pipelines.lint.rule import Places, rule
from ferryman_pipelines.lint.values import short

READ: Final = re.compile(r"inputs\.parameter_values\['([^']*)'\]")
TEXT: Final = re.compile(r"'(\\.|[^'\\])*'|\"(\\.|[^\"\\])*\"")
NEGATED: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
SYNTAX: Final = re.compile(
    r"(int\(|double\(|string\(|true|false|null|[-+]?[0-9.]+([eE][-+]?[0-9]+)?|&&|\|\||[=!<>]=|[<>!()]|\s)*"
)


@rule(
    "if-without-else",
    "warning",
    Pipeline,
    reason="when the condition does not hold, nothing runs and nobody is told: a held run looks like a successful one",
    fix="add `with dsl.Else():` with a step that says so",
)
def if_without_else(pipeline: Pipeline) -> Places:
    """Choices that may choose nothing."""
    for dag in pipeline.dags:
        conditional = [task for task in dag.tasks.values() if task.condition]
        if not dag.is_branches:
            said = {_comparison(task.condition) for task in conditional}
            for task in conditional:
                if _negated(_comparison(task.condition)) not in said:
                    yield task.where, f"nothing runs unless {short(task.condition)}"
        elif conditional and not any(_is_else(task.condition) for task in conditional):
            yield dag.where, f"{len(conditional)} conditions and no Else"


def _comparison(condition: str) -> tuple[str, ...]:
    """Left side, operator and right side."""
    found = re.fullmatch(r"(.+?) (==|!=|<=|>=|<|>) (.+)", " ".join(condition.split()))
    return found.groups() if found else (condition,)


def _negated(comparison: tuple[str, ...]) -> tuple[str, ...]:
    """The comparison that holds when the other does not: two Ifs can be each other's Else."""
    if len(comparison) != 3:
        return ()
    left, operator, right = comparison
    return left, NEGATED[operator], right


def _is_else(condition: str) -> bool:
    """Whether it holds when no other does: KFP writes an Else as `!(A) && !(B)` and an Elif as `!(A) && B`."""
    return all(term.strip().startswith("!(") for term in condition.split(" && "))


@rule(
    "named-output-condition",
    "warning",
    Pipeline,
    reason="kfp.local silently skips a bare If on a named output, and calls the run successful",
    fix="let a step with one unnamed output decide (`-> bool`), or add `dsl.Else`",
)
def named_output_condition(pipeline: Pipeline) -> Places:
    """Bare Ifs on an output that has a name."""
    for dag in pipeline.dags:
        for task in dag.tasks.values():
            for name in _read(task):
                output = task.spec.inputs.parameters[name].task_output_parameter
                if output.output_parameter_key not in ("", "Output"):
                    yield task.where, f"the condition reads {output.output_parameter_key!r} of {output.producer_task!r}"


def _read(task: Task) -> list[str]:
    """The arguments that a condition reads and the task has."""
    return [name for name in dict.fromkeys(READ.findall(task.condition)) if name in task.spec.inputs.parameters]


@rule(
    "condition-syntax",
    "error",
    Pipeline,
    reason="a condition that cannot be read fails the run on a cluster, and counts as false in kfp.local",
    fix="compare with a text without quotes, or let a step decide (`-> bool`)",
)
def condition_syntax(pipeline: Pipeline) -> Places:
    """Conditions that are not comparisons of inputs and literals, and that read what the task does not have."""
    for task in pipeline.tasks:
        rest = TEXT.sub("0", READ.sub("0", task.condition))
        if not SYNTAX.fullmatch(rest):
            yield f"{task.where}.triggerPolicy.condition", f"received {short(task.condition)}"
        for name in dict.fromkeys(READ.findall(task.condition)):
            if name not in task.spec.inputs.parameters:
                yield f"{task.where}.triggerPolicy.condition", f"it reads {name!r}, which is no input of the task"
