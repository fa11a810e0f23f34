"""SmolLM2-135M, all 30 layers: both engines go on as GoMLX does, token by token."""

from __future__ import annotations

import numpy as np
import pytest

import coremlc
from zoo.inputs import PROMPT
from zoo.models import ZOO

BUNDLE = ZOO / "smollm2" / "bundle.mlmodelc"
# By GoMLX's Go backend from the same model, greedily: " Paris.\n\nThe ..."
GOMLX = [7042, 30, 198, 198, 504, 2988, 314, 42, 216, 34, 32, 33, 40, 29, 32, 33, 29, 34, 34, 216]


@pytest.mark.zoo
@pytest.mark.skipif(not BUNDLE.exists(), reason="make zoo LARGE=1 has not made smollm2")
@pytest.mark.parametrize("engine", ["onnxruntime", "reference"])
def test_the_same_twenty_tokens(engine):
    text = list(PROMPT)
    names = [f"{kind}{i}" for i in range(30) for kind in ("keys", "values")]
    caches = dict.fromkeys(names, np.zeros((1, 3, 64, 64), np.float32))
    with coremlc.load(BUNDLE, engine=engine) as model:
        for position in range(len(PROMPT) + len(GOMLX) - 1):
            token = np.array([[text[position]]], np.int32)
            out = model(tokens=token, position=np.array(position, np.int32), **caches)
            caches = {name: out[f"new_{name}"] for name in caches}
            if position >= len(PROMPT) - 1:
                text.append(int(out["logits"][0].argmax()))
    assert text[len(PROMPT) :] == GOMLX
