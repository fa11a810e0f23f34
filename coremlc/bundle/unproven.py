"""What of a bundle we write is not proven to be Apple's bytes, for `coremlc inspect`."""

from __future__ import annotations

from collections.abc import Iterator

from coremlc.bundle.histogram import literals, op_name
from coremlc.mil.description import Feature
from coremlc.mil.model import Model
from coremlc.mil.program import Function, Literal, Op, walk

_SEEN = {
    "CoreML5": """Add Cast Clip Concat Conv ExpandDims Lstm Mul Pad Pow Relu Sigmoid SliceByIndex
        Sqrt Squeeze Sub Transpose""",
    "CoreML6": """Ios16.add Ios16.cast Ios16.clip Ios16.constexprAffineDequantize
        Ios16.constexprLutToDense Ios16.constexprSparseToDense Ios16.conv Ios16.lstm Ios16.mul
        Ios16.pow Ios16.reduceArgmax Ios16.reduceMax Ios16.reduceSum Ios16.relu Ios16.sigmoid
        Ios16.silu Ios16.softmax Ios16.sqrt Ios16.sub Concat ExpandDims Pad SliceByIndex Squeeze
        Transpose""",
    "CoreML7": """Ios16.reduceSum Ios16.relu Ios16.sigmoid Ios16.silu Ios16.softmax Ios17.add
        Ios17.cast Ios17.clip Ios17.concat Ios17.conv Ios17.expandDims Ios17.floor Ios17.floorDiv
        Ios17.gather Ios17.gatherAlongAxis Ios17.greaterEqual Ios17.layerNorm Ios17.less
        Ios17.linear Ios17.log Ios17.logicalAnd Ios17.logicalNot Ios17.lstm Ios17.matmul
        Ios17.maximum Ios17.minimum Ios17.mul Ios17.pow Ios17.reduceArgmax Ios17.reshape
        Ios17.sliceByIndex Ios17.squeeze Ios17.sub Ios17.topk Ios17.transpose Identity Pad Range1d
        Select Shape Split Stack Tile""",
    "CoreML8": "Ios18.relu Ios18.matmul",
    "CoreML9": "Ios19.dequantize Ios18.matmul",
}
"""The names of ops in real bundles, by opset."""


def unproven(model: Model) -> list[str]:
    """Sentences, one for each kind of thing in this model for which there was no sample."""
    features = list(_features(model))
    ops = [
        (function, op)
        for function in model.program.functions.values()
        for op in walk(function.block)
    ]
    facts = {
        "nested block text: unproven on a device": any(op.blocks for _, op in ops),
        "state entries of metadata.json: no sample": any(f.kind == "state" for f in features),
        "image, sequence and dictionary entries of metadata.json: no sample": any(
            f.kind not in ("multiArray", "state") for f in features
        ),
        "keys of enumerated shapes: Apple's hash is not known": any(
            f.enumerated is not None for f in features
        ),
        "ranges without an upper bound: no sample": any(
            high < 0 for f in features for _, high in f.ranges or ()
        ),
        "strings with a backslash or a control character: no sample": any(
            _is_odd(literal) for _, op in ops for _, literal in literals(op)
        ),
        "several functions: the trailer of coremldata.bin is by report only": len(
            model.description.functions
        )
        > 1,
        "format number of coremldata.bin for specification 8: expected, no sample": (
            model.specification_version == 8
        ),
        "specification 10: as one third party's bundle has it": model.specification_version == 10,
    }
    guessed = sorted({op.kind for function, op in ops if _is_guessed(function, op)})
    names = f"names in metadata.json's count of ops are guessed for {', '.join(guessed)}"
    return [what for what, holds in facts.items() if holds] + ([names] if guessed else [])


def _features(model: Model) -> Iterator[Feature]:
    description = model.description
    for function in description.functions or (description.default,):
        yield from (*function.inputs, *function.outputs, *function.states)


def _is_odd(literal: Literal) -> bool:
    data = literal.data
    return isinstance(data, str) and any(char == "\\" or not char.isprintable() for char in data)


def _is_guessed(function: Function, op: Op) -> bool:
    seen = _SEEN.get(function.opset, "").split()
    return op.kind != "const" and op_name(op.kind, function.opset) not in seen
