"""A MIL function as an ONNX model: walks the ops, folds constants, applies recipes."""

from __future__ import annotations

from typing import Any

import numpy as np

from coremlc.engine.base import Model, raise_all, unknown_op, where_of
from coremlc.engine.literals import literal_of, plain
from coremlc.engine.ort import bounds, distinct
from coremlc.engine.ort.emitter import Emitter, declare
from coremlc.engine.ort.plan import Plan, output_name, state_names
from coremlc.engine.ort.recipes import RECIPES
from coremlc.engine.ort.tensor import ONNX_DTYPES, T
from coremlc.engine.reference import KERNELS
from coremlc.engine.reference.registry import VARIADIC
from coremlc.errors import CoremlcError, RefusedError, at
from coremlc.mil.arrays import STORAGE
from coremlc.mil.dialect import bindings_of
from coremlc.mil.program import Arg, BlobRef, Block, Op, Value
from coremlc.mil.types import StateType, TensorType

FOLD_BYTES = 1 << 20
"""Constant ops up to this many bytes of operands and results run in numpy, before ORT."""
NEVER_FOLDED = frozenset({"cond", "while_loop", "read_state", "write_state"})


def planned(model: Model) -> Plan:
    """The plan of a function of fixed shapes."""
    return Translator(model).plan()


class Translator:
    """One function's walk."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.g = Emitter()
        self.g.blob_file = self._blob_file
        self.known: dict[int, T] = {}
        self.states: dict[str, T] = {}
        self.state_of: dict[int, str] = {}
        self.refusals: list[CoremlcError] = []

    def plan(self) -> Plan:
        function, graph = self.model.function, self.g.model.graph
        states: dict[str, TensorType] = {}
        for value in function.inputs:
            if isinstance(value.type, StateType):
                states[value.name] = value.type.tensor
                self._state(value, value.type.tensor)
                continue
            self._check_dtype(value)
            declare(graph.input, value.name, value.tensor)
            self.known[id(value)] = T(value.tensor.dtype, value.tensor.shape, name=value.name)
        self.ops(function.block)
        if not self.refusals:
            for value in function.block.outputs:
                name = output_name(value.name)
                self.g.alias(self.operand(value), name)
                declare(graph.output, name, value.tensor)
            for name, kind in states.items():
                out = state_names(name)[1]
                self.g.alias(self.states[name], out)
                declare(graph.output, out, kind)
        raise_all(self.refusals)
        return Plan(
            self.g.model.SerializeToString(),
            self.model.inputs,
            self.model.outputs,
            states,
            self.g.one_thread,
            self.model.root,
            self.g.held,
        )

    def _state(self, value: Value, kind: TensorType) -> None:
        source = state_names(value.name)[0]
        declare(self.g.model.graph.input, source, kind)
        self.states[value.name] = T(kind.dtype, kind.shape, name=source)
        self.state_of[id(value)] = value.name

    def _check_dtype(self, value: Value) -> None:
        if isinstance(value.type, TensorType) and value.type.dtype not in ONNX_DTYPES:
            self.refusals.append(
                RefusedError(
                    f"ONNX Runtime has no dtype {value.type.dtype}, which %{value.name} has",
                    fix="run with --engine reference",
                )
            )

    def _blob_file(self, path: str) -> str | None:
        """A blob's file relative to the bundle, if there is one on disk."""
        if self.model.root is None:
            return None
        return path.removeprefix("@model_path/")

    # --- operands ---------------------------------------------------------------------------

    def operand(self, arg: Arg) -> T:
        known = self.known.get(id(arg))
        if known is not None:
            return known
        literal = literal_of(arg)
        assert literal is not None, f"value {getattr(arg, 'name', '?')} is used before its op"
        kind = literal.type
        if not isinstance(kind, TensorType):
            raise RefusedError(f"a {type(kind).__name__} operand", fix="use tensors")
        data, array = literal.data, self.model.array
        blob = data if isinstance(data, BlobRef) else None
        made = T(kind.dtype, kind.shape, value=lambda: plain(literal, array), blob=blob)
        self.known[id(arg)] = made
        return made

    def argument(self, arg: Arg) -> T | str:
        literal = literal_of(arg)
        if literal is not None and id(arg) not in self.known:
            kind = literal.type
            if isinstance(kind, TensorType) and kind.dtype == "string":
                return str(plain(literal, self.model.array))
        return self.operand(arg)

    def _arguments(self, op: Op) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, args in bindings_of(op).items():
            if name in VARIADIC:
                found[name] = [self.operand(arg) for arg in args]
            else:
                found[name] = self.argument(args[0])
        return found

    # --- ops --------------------------------------------------------------------------------

    def ops(self, block: Block) -> None:
        for op in block.ops:
            if op.kind == "const":
                continue
            try:
                with at(where_of(op)):
                    self.op(op)
            except RefusedError as error:
                self.refusals.append(error)
                for value in op.outputs:  # so that the walk can go on
                    self.known[id(value)] = T(*_type(value), name="%refused")

    def op(self, op: Op) -> None:
        match op.kind:
            case "read_state":
                self.known[id(op.outputs[0])] = self.states[self._state_name(op)]
                return
            case "write_state":
                data = self.operand(op.inputs["data"][0])
                self.states[self._state_name(op)] = data
                return
            case "cond" | "while_loop":
                from coremlc.engine.ort.control import cond, while_loop

                (cond if op.kind == "cond" else while_loop)(self, op)
                return
        arguments = self._arguments(op)
        if self._is_foldable(op, arguments):
            self._fold(op, arguments)
            return
        rule = RECIPES.get(op.kind)
        if rule is None:
            raise unknown_op(op, "ONNX Runtime", "reference")
        if rule.is_wide:
            arguments = {name: widen(x) for name, x in arguments.items()}
        if rule.is_typed:
            arguments["out"] = tuple(v.tensor for v in op.outputs)
        result = rule.call(self.g, **arguments)
        names = [result] if isinstance(result, str) else result
        for value, name in zip(op.outputs, names, strict=True):
            self.bind(value, name, wide=rule.is_wide)
        for known in (bounds, distinct):
            known.carry(op.kind, arguments, self.known[id(op.outputs[0])])

    def _state_name(self, op: Op) -> str:
        if len(self.g.scopes) > 1:
            raise RefusedError(
                "a state is read or written inside a branch or loop",
                fix="run with --engine reference",
            )
        return self.state_of[id(op.inputs["input"][0])]

    def bind(self, value: Value, name: str, *, wide: bool = False) -> None:
        """A value has this name; a wide fp16 result is rounded first."""
        self._check_dtype(value)
        kind = value.tensor
        if wide and kind.dtype == "fp16":
            name = self.g.cast(name, "fp16")
        self.known[id(value)] = T(kind.dtype, kind.shape, name=name)

    # --- folding ----------------------------------------------------------------------------

    def _is_foldable(self, op: Op, arguments: dict[str, Any]) -> bool:
        if op.kind not in KERNELS or op.kind in NEVER_FOLDED:
            return False
        if op.kind.startswith("constexpr_"):
            return True
        if op.kind == "shape":
            return bool(arguments["x"].is_static)
        total = 0
        for x in arguments.values():
            for item in x if isinstance(x, list) else [x]:
                if isinstance(item, str):
                    continue
                if not item.is_const:
                    return False
                total += item.size * STORAGE[item.dtype].numpy.itemsize
        for value in op.outputs:
            dims = [d if isinstance(d, int) else 1 for d in value.tensor.shape]
            total += int(np.prod(dims, dtype=np.int64)) * STORAGE[value.tensor.dtype].numpy.itemsize
        return total <= FOLD_BYTES

    def _fold(self, op: Op, arguments: dict[str, Any]) -> None:
        kernel = KERNELS[op.kind]
        if op.kind == "shape":
            inputs: dict[str, Any] = {"x": np.broadcast_to(np.int8(0), arguments["x"].dims)}
        else:
            inputs = {name: _plain(x) for name, x in arguments.items()}
        if kernel.is_typed:
            inputs["out"] = tuple(v.tensor for v in op.outputs)
        with np.errstate(all="ignore"):
            result = kernel(**inputs)
        arrays = result if isinstance(result, tuple) else (result,)
        for value, array in zip(op.outputs, arrays, strict=True):
            self.known[id(value)] = T(
                value.tensor.dtype, tuple(np.shape(array)), value=np.asarray(array)
            )


def _plain(x: Any) -> Any:
    if isinstance(x, list):
        return [item.value for item in x]
    return x if isinstance(x, str) else x.value


def _type(value: Value) -> tuple[str, Any]:
    kind = value.type
    return (kind.dtype, kind.shape) if isinstance(kind, TensorType) else ("fp32", ())


def widen(x: Any) -> Any:
    """An fp16 operand's float32 form; anything else unchanged."""
    if isinstance(x, list):
        return [widen(item) for item in x]
    if not isinstance(x, T) or x.dtype != "fp16":
        return x
    if x.wide is None:
        source = x
        value = (lambda: np.asarray(source.value).astype(np.float32)) if x.is_const else None
        x.wide = T("fp32", x.shape, narrow=x, value=value)
    return x.wide
