"""The child process that plays the device: run one `.tflite` on device tensors with LiteRT, without TensorFlow.

    python -m ferryman.steps.convert.device MODEL TENSORS OUT ENDPOINT

A process of its own, because a kernel that crashes takes its process along, and so that the latency is that of a
runtime that shares its memory with nothing else.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ferryman.artifacts.evidence import Evidence
from ferryman.errors import StepError
from ferryman.process import child_main
from ferryman.steps.convert.rung import ENDPOINT
from ferryman.steps.convert.tensors import Tensors, read_tensors, write_tensors

BATCH = 256
"""Rows of one invocation: enough to hide the cost of the call, small enough for large images."""

CHECKED = 16
"""Rows answered one by one as well, as a device does, before a batch is believed."""


class DeviceReport(Evidence):
    """What a run of one `.tflite` showed beside its answers."""

    inputs: dict[str, str]
    """Input name -> dtype (numpy name)."""

    ops: dict[str, int]
    """Op name -> how often it stands in the graph; an op that is no builtin is named `custom:NAME`."""

    latency: float
    """Median seconds of one row on one thread."""

    batched: bool
    """Whether the rows could be answered in batches."""


class LiteModel:
    """One `.tflite` file, run by its signature."""

    def __init__(self, content: bytes, endpoint: str = ENDPOINT) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._content, self._endpoint = content, endpoint
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        # The signature's own names: tensor indexes and their order differ from one conversion to the next.
        runner = self._interpreter.get_signature_runner(self._endpoint)
        self._inputs = {
            name: (detail["index"], np.dtype(detail["dtype"])) for name, detail in runner.get_input_details().items()
        }
        self._outputs = {name: detail["index"] for name, detail in runner.get_output_details().items()}

    @property
    def inputs(self) -> dict[str, str]:
        """Input name -> dtype (numpy name)."""
        return {name: dtype.name for name, (_, dtype) in self._inputs.items()}

    def row(self, tensors: Tensors) -> Tensors:
        """The outputs [1, ...] of one row of device tensors [1, ...]."""
        for name, (index, _) in self._inputs.items():
            self._interpreter.set_tensor(index, tensors[name])
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def rows(self, tensors: Tensors) -> Tensors:
        """The outputs [n, ...] of n rows, one by one."""
        return _join([self.row(_slice(tensors, row, 1)) for row in range(_length(tensors))])

    def batches(self, tensors: Tensors, size: int = BATCH) -> Tensors | None:
        """The outputs [n, ...] of n rows in batches; None where this graph has its batch size built in.

        A graph that answers a batch otherwise than its rows one by one counts as such too: a device sends one row.
        """
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(model_content=self._content, num_threads=None).get_signature_runner(self._endpoint)
        try:
            parts = [runner(**_slice(tensors, start, size)) for start in range(0, _length(tensors), size)]
        except (RuntimeError, ValueError):
            return None
        answers = _join(parts)
        alone = self.rows(_slice(tensors, 0, CHECKED))
        return answers if all(_alike(answers[name], alone[name], _length(tensors)) for name in alone) else None

    def latency(self, tensors: Tensors, seconds: float = 1.0, warm_up: int = 5) -> float:
        """Median seconds of one row on one thread, measured for `seconds` or over 200 rows, whatever ends first."""
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < warm_up + 200 and (len(times) < warm_up + 3 or time.perf_counter() < end):
            row = _slice(tensors, len(times) % _length(tensors), 1)
            started = time.perf_counter()
            self.row(row)
            times.append(time.perf_counter() - started)
        return statistics.median(times[warm_up:])


def operators(content: bytes) -> dict[str, int]:
    """Op name -> count over all subgraphs of a `.tflite`; a custom op (Flex among them) is named `custom:NAME`."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = schema.Model.GetRootAs(content, 0)
    counts: Counter[str] = Counter()
    for graph in (model.Subgraphs(number) for number in range(model.SubgraphsLength())):
        for operator in (graph.Operators(number) for number in range(graph.OperatorsLength())):
            code = model.OperatorCodes(operator.OpcodeIndex())
            custom = code.CustomCode()
            # Codes above 127 do not fit the deprecated field; the larger one is right (schema.fbs, OperatorCode).
            name = names.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
            counts[f"custom:{custom.decode()}" if custom else name] += 1
    return dict(sorted(counts.items()))


def run_device(content: bytes, tensors: Tensors, endpoint: str = ENDPOINT) -> tuple[Tensors, DeviceReport]:
    """The answers [n, ...] of a `.tflite` to n rows of device tensors, and what else there is to say of it.

    Raises:
        StepError: an op that only some devices have (custom, Flex).
        RuntimeError, ValueError: LiteRT cannot run it.
    """
    ops = operators(content)
    foreign = [name for name in ops if name.startswith("custom:")]
    if foreign:
        raise StepError(f"needs ops that the plain runtime does not have: {', '.join(foreign)}")
    model = LiteModel(content, endpoint)
    missing = model.inputs.keys() ^ tensors.keys()
    if missing:
        raise StepError(
            f"received inputs {sorted(model.inputs)}, expected {sorted(tensors)}: the conversion changed them"
        )
    answers = model.batches(tensors)
    batched = answers is not None
    answers = answers if answers is not None else model.rows(tensors)
    return answers, DeviceReport(inputs=model.inputs, ops=ops, latency=model.latency(tensors), batched=batched)


def main() -> None:
    """Run as the arguments say; writes `OUT/answers/*.npy` and `OUT/report.json`."""
    model, tensors, out = (Path(argument) for argument in sys.argv[1:4])
    answers, report = run_device(model.read_bytes(), read_tensors(tensors), sys.argv[4])
    write_tensors(out / "answers", answers)
    report.write(out / "report.json")


def _slice(tensors: Tensors, start: int, size: int) -> Tensors:
    return {name: np.ascontiguousarray(tensor[start : start + size]) for name, tensor in tensors.items()}


def _length(tensors: Tensors) -> int:
    return len(next(iter(tensors.values())))


def _join(parts: list[Tensors]) -> Tensors:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _alike(batch: np.ndarray, alone: Any, rows: int) -> bool:
    """Whether a batch's answers are those of its rows: one step of 8 bits apart at most, and one answer a row."""
    if len(batch) != rows or batch.shape[1:] != alone.shape[1:]:
        return False
    largest = float(np.max(np.abs(alone), initial=0.0))
    return bool(np.allclose(batch[: len(alone)], alone, rtol=0.0, atol=max(largest, 1.0) / 128, equal_nan=True))


if __name__ == "__main__":
    child_main(main)
