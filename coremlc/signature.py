"""The model's inputs and outputs as the GoMLX user knows them, and their form in a bundle."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast, get_args

from coremlc import dtypes
from coremlc.dtypes import DType
from coremlc.errors import FormatError, InputError
from coremlc.foreign import ports
from coremlc.port import Array, Port, Range, Role

if TYPE_CHECKING:
    from coremlc.bundle import Bundle
    from coremlc.ir.graph import Graph, Input, Output, Value
    from coremlc.ir.types import TensorType
    from coremlc.targets import Target


KEY = "coremlc"
"""The one key of ours in a bundle's user-defined metadata."""
VERSION = 1

_WORDS = """
any bool program func tensor list dict tuple true false string state bf16 fp16 fp32 fp64
int8 int16 int32 int64 uint8 uint16 uint32 uint64 tensor_buffer pixel_buffer circular_buffer
"""
_RESERVED = frozenset(_WORDS.split())
"""Words of MIL text that Core ML's tools don't accept as names."""
_FOREIGN = ("default_shape", "fill")
_FEATURE_DTYPES = ("fp16", "fp32", "int32")


@dataclass(frozen=True, slots=True)
class Signature:
    """All inputs and outputs, in the user's order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @staticmethod
    def of_graph(graph: Graph, target: Target, legal: Graph | None = None) -> Signature:
        """Of the graph as its author built it: before any pass changes dtypes.

        legal: the same graph after the passes, which says what integers are two words.
        """
        taken: set[str] = set()
        wide_inputs = _wide(graph.main.parameters, None if legal is None else legal.inputs)
        wide_outputs = _wide(graph.main.results, None if legal is None else legal.outputs)
        inputs = tuple(
            _port(known.name, value.type, known.role, known.range, target, taken, wide=wide)
            for known, value, wide in zip(
                graph.inputs, graph.main.parameters, wide_inputs, strict=True
            )
        )
        outputs = tuple(
            _port(known.name, value.type, known.role, None, target, taken, wide=wide)
            for known, value, wide in zip(
                graph.outputs, graph.main.results, wide_outputs, strict=True
            )
        )
        if outputs and not any(port.features for port in outputs):
            stand_in = feature_name(outputs[0].name, taken)
            outputs = (replace(outputs[0], features=(stand_in,)), *outputs[1:])
        return Signature(inputs, outputs)

    @staticmethod
    def of_bundle(bundle: Bundle, function: str | None = None) -> Signature:
        """The one written in the bundle; for other makers' bundles, that of the function."""
        stored = bundle.user_defined.get(KEY)
        if stored is not None and function in (None, "main"):
            return Signature.from_json(stored)
        return Signature(*ports(bundle, function))

    @staticmethod
    def from_json(text: str) -> Signature:
        """What `to_json` wrote; FormatError if it did not."""
        try:
            content = json.loads(text)
            version = content["version"]
            if version != VERSION:
                raise FormatError(
                    f"the bundle's signature has version {version}, this coremlc reads {VERSION}",
                    fix="use the coremlc that made the bundle, or compile the graph again",
                )
            return Signature(
                tuple(_from_row(row) for row in content["inputs"]),
                tuple(_from_row(row) for row in content["outputs"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise FormatError(
                f"the bundle's metadata {KEY!r} hold no signature", fix="compile the graph again"
            ) from None

    def to_json(self) -> str:
        """One line; equal signatures give equal text."""
        content = {
            "version": VERSION,
            "inputs": [_to_row(port) for port in self.inputs],
            "outputs": [_to_row(port) for port in self.outputs],
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    def encode(self, arrays: Mapping[str, object]) -> dict[str, Array]:
        """The features of arrays that are given by the inputs' names.

        Raises:
            InputError: an array is missing, unknown, or of a wrong dtype, shape or value.
        """
        self._check_names(arrays)
        features: dict[str, Array] = {}
        for port in self.inputs:
            given = arrays[port.name] if port.name in arrays else port.filled()
            features.update(port.encode(given))
        return features

    def decode(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, in their GoMLX dtypes."""
        return {port.name: port.decode(features) for port in self.outputs}

    def _check_names(self, arrays: Mapping[str, object]) -> None:
        known = [port.name for port in self.inputs]
        missing = [p.name for p in self.inputs if p.name not in arrays and p.fill is None]
        extra = [name for name in arrays if name not in set(known)]
        if not missing and not extra:
            return
        facts = [f"input {name!r} is missing" for name in missing]
        facts += [_unknown(name, missing if missing else known) for name in extra]
        wanted = ", ".join(f"{port.name!r} {port}" for port in self.inputs)
        raise InputError("; ".join(facts), fix=f"give {wanted}" if wanted else "give no inputs")


def feature_name(name: str, taken: set[str], suffix: str = "") -> str:
    """A Core ML name like the user's that nothing else has; it joins `taken`."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not plain or plain[0].isdigit():
        plain = f"_{plain}"
    plain += suffix
    if plain in _RESERVED:
        plain += "_"
    unique, count = plain, 0
    while unique in taken:
        count += 1
        unique = f"{plain}_{count}"
    taken.add(unique)
    return unique


def feature_dtype(dtype: DType, target: Target) -> str:
    """The dtype of the feature that carries a GoMLX dtype."""
    if dtype.kind in ("bool", "int", "uint"):
        return "int32"
    return "fp16" if dtype is dtypes.F16 and target.float16_io else "fp32"


def _wide(values: Sequence[Value], legal: Sequence[Input | Output] | None) -> list[bool]:
    """Which of the author's values are two words each in the legalized graph."""
    if legal is None:
        return [False] * len(values)
    rest = iter(legal)
    found = []
    for value in values:
        if not value.type.size:
            found.append(False)
            continue
        wide = next(rest).word == "high"
        found.append(wide)
        if wide or value.type.dtype.is_complex:
            next(rest)
    return found


def _port(
    name: str,
    type_: TensorType,
    role: Role,
    stated: Range | None,
    target: Target,
    taken: set[str],
    *,
    wide: bool,
) -> Port:
    dtype = type_.dtype
    suffixes: tuple[str, ...] = ("_re", "_im") if dtype.is_complex else ("",)
    if wide:
        suffixes = ("_high", "_low")
    if not type_.size:
        suffixes = ()
    features = tuple(feature_name(name, taken, suffix) for suffix in suffixes)
    return Port(name, dtype, type_.shape, features, feature_dtype(dtype, target), role, stated)


def _to_row(port: Port) -> dict[str, Any]:
    row = asdict(port) | {"dtype": port.dtype.name}
    return {key: value for key, value in row.items() if key not in _FOREIGN}


def _from_row(row: Mapping[str, Any]) -> Port:
    stated = row["range"]
    if row["feature_dtype"] not in _FEATURE_DTYPES or row["role"] not in get_args(Role):
        raise ValueError(row)
    dtype = dtypes.BY_NAME[row["dtype"]]
    shape = tuple(int(dim) for dim in row["shape"])
    features = tuple(str(name) for name in row["features"])
    if len(features) not in _feature_counts(dtype, shape):
        raise ValueError(row)
    return Port(
        str(row["name"]),
        dtype,
        shape,
        features,
        row["feature_dtype"],
        cast("Role", row["role"]),
        None if stated is None else (int(stated[0]), int(stated[1])),
    )


def _feature_counts(dtype: DType, shape: tuple[int, ...]) -> set[int]:
    if 0 in shape:
        return {0, 1}
    if dtype.is_complex:
        return {2}
    return {1, 2} if dtype.is_integer and dtype.bits == 64 else {1}


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no input {name!r}{hint}"
