"""XLA, which shares no code with the oracle, agrees with it on every sample of an op."""

from __future__ import annotations

import re

import numpy as np
import pytest

from coremlc.compare import difference
from coremlc.ir import evaluate
from tests.ops import catalogue
from tests.ops.samples import Sample, graph_of

pytestmark = pytest.mark.xla

_HALVES = "GoMLX computes it in halves on XLA; coremlc in float32, rounded once"
_POWERS = "XLA takes the low 6 bits of an exponent, and 0 for a negative one"
_NAN_BITS = "XLA keeps the bits of a NaN; coremlc has one NaN, as MIL has"
_UNORDERED = "NaN under a comparator that does not order it: XLA and coremlc each do as they like"
_COMPLEX = "XLA and C99 part at huge numbers, infinities and NaN"
_TIES = "XLA goes through a window of two axes in another order, if it is padded"
DIFFERENT = {
    r"BatchNormForTraining\(f16.*-squares": _HALVES,
    r"ReduceWindow\(f16\[6\]\)-(Sum|Product)huge": _HALVES,
    r"FusedLayerNorm\(f16\[2,3,4\].*-\(0,\)": _HALVES,
    r"Pow\([iu](8|16|32|64)\[.*-edges|Pow\(i32\[15,12\]": _POWERS,
    r"Bitcast\(f16\[(203\]\)-[iu](8|16)|101,2\]\)-|50,4\]\)-)": _NAN_BITS,
    r"Sort\(f(16|32|64)\[28\]\)$": _UNORDERED,
    r"Sort\(f32\[(3,)?7\],i32\[(3,)?7\]\)"
    r"-((Less|Greater)(Than|OrEqual)|places|magnitude)$": _UNORDERED,
    r"(Log1p|Sqrt)\(c64\[196\]\)-edges|(Abs|Sqrt|Exp)\(c64\[49\]\)-special": _COMPLEX,
    r"(Sign\(c64\[25\]|Div\(c64\[25,9\].*)\)-far": _COMPLEX,
    r"Pow\(c64\[25,25\],": _COMPLEX,
    r"SelectAndScatter(Max|Min)\(f32.*-ties": _TIES,
    r"Atan2\(f32\[28,28\],": "XLA's atan2 of two subnormal numbers is NaN",
    r"ConvGeneral.*-cuttonothing": "jax, not XLA, refuses a crop of more than there is",
}
"""Names of samples on which XLA differs, and why."""
DEADLY = {r"(Div|Rem)\([iu][24]\[.*-packed": "XLA divides packed integers by 0: SIGFPE"}
"""Those that end the process."""


def _case(sample: Sample):
    marks = [
        pytest.mark.xfail(reason=why)
        for name, why in DIFFERENT.items()
        if re.match(name, sample.name)
    ]
    marks += [pytest.mark.skip(why) for name, why in DEADLY.items() if re.match(name, sample.name)]
    return pytest.param(sample, id=sample.name, marks=marks)


def flushed(x: np.ndarray) -> np.ndarray:
    """Subnormal numbers as zeros, as XLA's arithmetic on a CPU takes and gives them."""
    if x.dtype.kind == "c":
        out = x.copy()
        out.real, out.imag = flushed(x.real), flushed(x.imag)
        return out
    if x.dtype.kind != "f" or x.dtype == np.float16:  # which is computed in float32
        return x
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


@pytest.mark.parametrize("sample", [_case(s) for s in catalogue.SAMPLES if s.op.gomlx])
def test_xla_agrees(sample: Sample) -> None:
    from coremlc.baseline import xla

    graph, given = graph_of(sample)
    types = tuple(r.type for r in graph.main.results)
    got = xla.evaluate(graph.main, list(given.values()))
    exact = evaluate.apply(sample.op, sample.operands, types)
    without = evaluate.apply(sample.op, [flushed(x) for x in sample.operands], types)
    for i, (x, y, z) in enumerate(zip(got, exact, without, strict=True)):
        found = difference(f"result {i}", x, y, sample.tolerance)
        if found.mismatched:
            found = difference(f"result {i}", x, flushed(z), sample.tolerance)
        assert not found.mismatched, (found, x, y)
