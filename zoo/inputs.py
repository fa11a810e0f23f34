"""What the models of the zoo are run on: sounds, pictures and texts, always the same."""

from __future__ import annotations

import re
from collections.abc import Container
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Array: TypeAlias = "npt.NDArray[Any]"
Arrays: TypeAlias = "dict[str, Array]"

NOTES = ((0.10, 0.55, 60), (0.65, 0.55, 64), (1.25, 0.65, 67))  # begin and length in s, MIDI number
RATE = 22050


def tune() -> Array:
    """C4, E4, G4 one after the other, on something like a struck string, with a little noise.

    Without noise the logarithm of next to nothing would blow up rounding errors. 43844 samples.
    """
    time = np.arange(43844) / RATE
    sound = 0.003 * np.random.default_rng(0).standard_normal(time.shape)
    for begin, length, number in NOTES:
        here = time - begin
        on = (here >= 0) & (here < length)
        pitch = 440 * 2 ** ((number - 69) / 12)
        tone = sum(np.sin(2 * np.pi * pitch * k * here) / k**1.5 for k in range(1, 7))
        sound += np.where(on, 0.3 * tone * np.exp(-3 * here) * np.minimum(1, here / 0.01), 0)
    return sound.astype(np.float32).reshape(1, -1, 1)


def vowel() -> Array:
    """36 ms of a sung vowel at 16 kHz: a buzz of 120 Hz through two formants, [1, 576]."""
    time = np.arange(576) / 16000
    sound = np.zeros_like(time)
    for k in range(1, 40):
        pitch = 120 * k
        loud = 1 / (1 + ((pitch - 700) / 120) ** 2) + 0.6 / (1 + ((pitch - 1200) / 150) ** 2)
        sound += (loud + 0.01) * np.sin(2 * np.pi * pitch * time)
    return (0.2 * sound / np.abs(sound).max()).astype(np.float32).reshape(1, -1)


GLYPHS = {  # 5x7, a row of bits each
    "C": (14, 17, 16, 16, 16, 17, 14), "D": (28, 18, 17, 17, 17, 18, 28),
    "E": (31, 16, 16, 30, 16, 16, 31), "G": (14, 17, 16, 23, 17, 17, 15),
    "L": (16, 16, 16, 16, 16, 16, 31), "M": (17, 27, 21, 21, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14), "R": (30, 17, 17, 30, 20, 18, 17),
    "X": (17, 17, 10, 4, 10, 17, 17), "0": (14, 17, 19, 21, 25, 17, 14),
    "2": (14, 17, 1, 2, 4, 8, 31), "6": (6, 8, 16, 30, 17, 17, 14), " ": (0,) * 7,
}  # fmt: skip


def lettering(text: str, scale: int) -> Array:
    """Black letters on white, with soft edges; values 0 to 1."""
    rows = np.zeros((9, 6 * len(text) + 2))
    for i, letter in enumerate(text):
        for y, bits in enumerate(GLYPHS[letter]):
            for x in range(5):
                rows[1 + y, 2 + 6 * i + x] = bits >> (4 - x) & 1
    ink = np.kron(rows, np.ones((scale, scale)))
    soft = np.hanning(scale + 2)[1:-1]
    soft /= soft.sum()
    for axis in (0, 1):
        ink = np.apply_along_axis(lambda line: np.convolve(line, soft, "same"), axis, ink)
    return 1 - 0.9 * ink


def picture(text: str, height: int, width: int, scale: int) -> Array:
    """Lettering in the middle of a white picture: [1, 3, height, width], -1 to 1."""
    page = np.ones((height, width))
    letters = lettering(text, scale)[:height, :width]
    top, left = (height - letters.shape[0]) // 2, (width - letters.shape[1]) // 2
    page[top : top + letters.shape[0], left : left + letters.shape[1]] = letters
    return np.repeat(2 * page.astype(np.float32)[None, None] - 1, 3, 1)


def file_bytes(path: Path) -> Array:
    """Beginning and end of a file as Magika wants them: i32[1, 2048], 256 where nothing is."""
    content = path.read_bytes()
    begin, end = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
    row = np.full(2048, 256, np.int32)
    row[: len(begin)] = list(begin)
    row[2048 - len(end) :] = list(end)
    return row[None]


def random(seed: int, *shape: int) -> Array:
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


SENTENCES = (
    "A man is eating food.",
    "Someone is having a meal in the kitchen right now.",
    "The stock market fell sharply on Monday.",
)


def sentences(vocabulary: Path) -> Arrays:
    """The sentences as BERT's word pieces, padded to 24."""
    ids = {word: i for i, word in enumerate(vocabulary.read_text("utf-8").splitlines())}
    tokens = np.zeros((len(SENTENCES), 24), np.int32)
    lengths = np.zeros(len(SENTENCES), np.int32)
    for row, sentence in enumerate(SENTENCES):
        words = re.findall(r"\w+|[^\w\s]", sentence.lower())
        pieces = ["[CLS]", *(p for word in words for p in word_pieces(word, ids)), "[SEP]"]
        tokens[row, : len(pieces)] = [ids[p] for p in pieces]
        lengths[row] = len(pieces)
    return {"tokens": tokens, "lengths": lengths}


def word_pieces(word: str, known: Container[str]) -> list[str]:
    """The longest known beginning, then of the rest the longest known continuation."""
    pieces, begin = [], 0
    while begin < len(word):
        mark = "##" if begin else ""
        ends = (e for e in range(len(word), begin, -1) if mark + word[begin:e] in known)
        end = next(ends, None)
        if end is None:
            return ["[UNK]"]
        pieces.append(mark + word[begin:end])
        begin = end
    return pieces


WORDS = ("activationist", "coreml", "gopher", "compiler")


def spellings() -> Arrays:
    """Words as letters of g2p_en (pad, unknown, end, a to z), 16 of them."""
    letters = np.zeros((len(WORDS), 16), np.int32)
    for row, word in enumerate(WORDS):
        letters[row, : len(word) + 1] = [*(ord(c) - ord("a") + 3 for c in word), 2]
    return {"letters": letters, "lengths": np.array([len(w) + 1 for w in WORDS], np.int32)}


def photographs(*paths: Path) -> Array:
    """The middles of photographs as EfficientNet-Lite wants them: f32[n, 224, 224, 3], -1 to 1."""
    return np.stack([_middle(Image.open(path)) for path in paths])


def _middle(picture: Image.Image, side: int = 224, whole: int = 256) -> Array:
    scale = whole / min(picture.size)
    width, height = (round(n * scale) for n in picture.size)
    left, top = (width - side) // 2, (height - side) // 2
    small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    part = small.crop((left, top, left + side, top + side))
    return (np.asarray(part, np.float32) - 127) / 128


PROMPT = (504, 3575, 282, 4649, 314)  # "The capital of France is"


def prompt(layers: int, tokens: int) -> Arrays:
    """The last tokens of the prompt; what came before is in made-up caches."""
    begin = len(PROMPT) - tokens
    arrays: Arrays = {
        "tokens": np.array([PROMPT[begin:]], np.int32),
        "position": np.array(begin, np.int32),
    }
    for i in range(layers):
        for seed, name in enumerate(("keys", "values")):
            cache = np.zeros((1, 3, 64, 64), np.float32)
            cache[:, :, :begin] = random(10 * i + seed, 1, 3, begin, 64) / 2
            arrays[f"{name}{i}"] = cache
    return arrays
