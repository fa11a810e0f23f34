"""Philox: the known answers of its authors (Random123, kat_vectors: philox4x32 10)."""

from __future__ import annotations

import numpy as np
import pytest

from coremlc.ops.rng_bit_generator import philox

ANSWERS = {
    (0, 0): (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    (2**64 - 1, 2**128 - 1): (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    (0x299F31D0A4093822, 0x0370734413198A2E85A308D3243F6A88): (
        *(0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
}


@pytest.mark.parametrize("given", ANSWERS)
def test_known_answers(given: tuple[int, int]) -> None:
    assert tuple(philox(*given, 1)[0]) == ANSWERS[given]


def test_the_counter_carries_into_every_word_and_wraps() -> None:
    for start in (2**32 - 2, 2**64 - 1, 2**96 - 3, 2**128 - 1):
        alone = [philox(7, (start + i) % 2**128, 1)[0] for i in range(5)]
        np.testing.assert_array_equal(philox(7, start, 5), alone)
