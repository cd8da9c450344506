"""ONNX graphs, written as the arithmetic that they do (onnx.proto3, operators of opset 17).

    graph = Graph("doubled")
    x = graph.input("x", ("n", 3))
    graph.output("y", x * 2.0 + graph.constant(np.ones(3)))
    graph.model()                                               # bytes of a .onnx file

Written by hand, because tracing a network would need packages that nothing else here does, and what a tracer sees first
stays in caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

IR_VERSION, OPSET = 8, 17
KINDS = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.bool_): 9, np.dtype(np.float16): 10}
FLOAT, INT64 = 1, 7
Shape = Sequence[str | int]  # names for sizes that are not known


@dataclass(frozen=True)
class Value:
    """What a node makes. Arithmetic with it adds nodes."""

    graph: Graph
    name: str

    def __add__(self, other: Value | float) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self.graph.op("Sub", self, other)

    def __mul__(self, other: Value | float) -> Value:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.graph.op("Div", self, other)

    def __matmul__(self, other: Value) -> Value:
        return self.graph.op("MatMul", self, other)

    def __rsub__(self, other: float) -> Value:
        return self.graph.op("Sub", other, self)

    def do(self, kind: str, **attributes: Any) -> Value:
        """An operator of one input: "Exp", "Tanh" ..."""
        return self.graph.op(kind, self, **attributes)

    def unsqueeze(self, axis: int) -> Value:
        return self.graph.op("Unsqueeze", self, self.graph.whole([axis]))

    def squeeze(self, axis: int) -> Value:
        return self.graph.op("Squeeze", self, self.graph.whole([axis]))

    def clip(self, low: float, high: float = np.inf) -> Value:
        return self.graph.op("Min", self.graph.op("Max", self, low), high)

    def split(self, sizes: Sequence[int], axis: int = -1) -> list[Value]:
        return self.graph.ops("Split", [self, self.graph.whole(sizes)], len(sizes), axis=axis)


class Graph:
    """Nodes in the order in which they are added."""

    def __init__(self, name: str):
        self.name = name
        self._nodes, self._tensors, self._inputs, self._outputs = b"", b"", b"", b""
        self._count = 0
        self._scalars: dict[float, Value] = {}

    def input(self, name: str, shape: Shape, whole: bool = False) -> Value:
        """whole: whether it is of int64, not float32."""
        self._inputs += _part(11, _described(name, shape, INT64 if whole else FLOAT))
        return Value(self, name)

    def output(self, name: str, value: Value, shape: Shape) -> None:
        self._nodes += _part(1, _text(1, value.name) + _text(2, name) + _text(4, "Identity"))
        self._outputs += _part(12, _described(name, shape, FLOAT))

    def constant(self, array: np.ndarray | float) -> Value:
        """float32."""
        return self._tensor(np.asarray(array, np.float32))

    def weights(self, array: np.ndarray) -> Value:
        """float32, stored in half precision."""
        return self.op("Cast", self._tensor(np.asarray(array, np.float16)), to=FLOAT)

    def whole(self, array: Sequence[int]) -> Value:
        """int64."""
        return self._tensor(np.asarray(array, np.int64))

    def op(self, kind: str, *inputs: Value | float, **attributes: Any) -> Value:
        """The only output of an operator."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[Value | float], outputs: int, **attributes: Any) -> list[Value]:
        """All outputs of an operator."""
        known = [value if isinstance(value, Value) else self._scalar(float(value)) for value in inputs]
        made = [Value(self, self._new()) for _ in range(outputs)]
        node = b"".join(_text(1, value.name) for value in known) + b"".join(_text(2, value.name) for value in made)
        node += _text(4, kind) + b"".join(_part(5, _attribute(name, x)) for name, x in attributes.items())
        self._nodes += _part(1, node)
        return made

    def concat(self, values: Sequence[Value], axis: int = -1) -> Value:
        return self.op("Concat", *values, axis=axis)

    def model(self) -> bytes:
        """The file."""
        graph = self._nodes + _text(2, self.name) + self._tensors + self._inputs + self._outputs
        opset = _part(8, _text(1, "") + _number(2, OPSET))
        return _number(1, IR_VERSION) + _text(2, "antiphon") + _part(7, graph) + opset

    def _scalar(self, value: float) -> Value:
        if value not in self._scalars:
            self._scalars[value] = self.constant(value)
        return self._scalars[value]

    def _tensor(self, array: np.ndarray) -> Value:
        name = self._new()
        sizes = b"".join(_number(1, size) for size in array.shape)
        raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
        self._tensors += _part(5, sizes + _number(2, KINDS[array.dtype]) + _text(8, name) + _part(9, raw))
        return Value(self, name)

    def _new(self) -> str:
        self._count += 1
        return f"v{self._count}"


# ---- protocol buffers ------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode())


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    return _text(1, name) + b"".join(_number(8, x) for x in value) + _number(20, 7)


def _described(name: str, shape: Shape, kind: int) -> bytes:
    sizes = b"".join(_part(1, _text(2, s) if isinstance(s, str) else _number(1, s)) for s in shape)
    return _text(1, name) + _part(2, _part(1, _number(1, kind) + _part(2, sizes)))
