"""GGML's formats as another reader has them: digests of what the package gguf 0.19.0 makes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from coremlc.ops.ggml import FORMATS, dequantize
from tests.ops.fused import blocks

DIGESTS = {
    "Q4_0": "7b291b1ce78d6f8bf7946cb8d63080a0",
    "Q8_0": "0cc065a62eef856cd24680a52d6b0036",
    "IQ4_NL": "ebfdf7dcef36a2ff60fd336c613f2666",
    "Q2_K": "3ca210ad313b8bc28e7db7b3ed332e06",
    "Q3_K": "ca018c5ea0df804a75e140b0b4acca4d",
    "Q4_K": "8a444e7258cbdb95535f278a459a568c",
    "Q5_K": "f47cf6cb564aa63d8c12cf2ade06bb86",
    "Q6_K": "ec8bd1c4f78724d1d327252e00f34706",
}


def test_every_format_has_a_digest() -> None:
    assert DIGESTS.keys() == FORMATS.keys()


@pytest.mark.parametrize("ggml_type", FORMATS)
def test_dequantized_bit_for_bit(ggml_type: str) -> None:
    values = dequantize(FORMATS[ggml_type], blocks(ggml_type, 3, 5, seed=1))
    assert values.dtype == np.float32
    assert values.shape == (3, 5 * FORMATS[ggml_type].values)
    assert hashlib.sha256(values.astype("<f4").tobytes()).hexdigest()[:32] == DIGESTS[ggml_type]
