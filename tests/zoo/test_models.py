"""The models that `make zoo` made: both engines give GoMLX's numbers and the right answer."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.bundle import read_bundle
from coremlc.compare import difference
from coremlc.engine import load
from coremlc.signature import Signature
from zoo import answers
from zoo.models import MODELS, ROOT

pytestmark = pytest.mark.zoo
ZOO = ROOT / "out" / "zoo"
ENGINES = ("reference", "onnxruntime")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [m.name for m in MODELS])
def test_a_model_is_what_gomlx_computed(name, engine):
    folder = ZOO / name
    if not (folder / "bundle.mlmodelc").exists():
        pytest.skip(f"make zoo has not made {name}")
    with np.load(folder / "vectors.npz") as file:
        arrays = dict(file)

    def of(kind):
        return {k.split(".", 1)[1]: v for k, v in arrays.items() if k.startswith(kind + ".")}

    bundle = read_bundle(folder / "bundle.mlmodelc")
    signature = Signature.of_bundle(bundle)
    with load(bundle, engine=engine, compute_units="cpu-only") as executable:
        got = signature.decode(executable.run(signature.encode(of("in"))))
    wider = {k: (float(v[0]), float(v[1])) for k, v in of("tolerance").items()}
    found = [difference(k, got[k], want, wider.get(k)) for k, want in of("out").items()]
    assert not [f for f in found if f.mismatched]
    answers.check(name, got)
