"""What a model's outputs say, and what they must say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import onnxruntime as ort

from zoo.inputs import NOTES, Arrays
from zoo.models import CLASSES, MAGIKA, OCR_RECOGNISER, ROOT, TEXT

ZOO = ROOT / "out" / "zoo"


def notes(outputs: Arrays) -> list[int]:
    """MIDI numbers of keys that are struck for certain, in the order of time."""
    onset = outputs["onset"][0]
    struck = [int(k) for k in range(onset.shape[1]) if onset[:, k].max() > 0.9]
    return [k + 21 for k in sorted(struck, key=lambda k: int(onset[:, k].argmax()))]


def letters(outputs: Arrays) -> str:
    """The text that PP-OCR reads; its alphabet is in the ONNX file."""
    path = OCR_RECOGNISER.file.within(ZOO)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    alphabet = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    best = outputs["letters"][0].argmax(-1)
    kept = [int(b) for i, b in enumerate(best) if b and (i == 0 or b != best[i - 1])]
    return "".join([*alphabet, " "][b - 1] for b in kept)


def kind(outputs: Arrays) -> str:
    """Magika's name for a kind of file."""
    config = json.loads((MAGIKA.file.within(ZOO).parent / "config.min.json").read_text("utf-8"))
    return str(config["target_labels_space"][int(outputs["kind"].argmax())])


def classes(outputs: Arrays) -> list[str]:
    """What EfficientNet sees in each photograph, by ImageNet's words."""
    ids = CLASSES.within(ZOO).read_text("utf-8").split()
    lemmas = CLASSES.within(ZOO).with_name("imagenet_synset_to_lemma.txt").read_text("utf-8")
    words = dict(line.split("\t") for line in lemmas.splitlines())
    return [words[ids[best]] for best in outputs["scores"].argmax(-1)]


PHONEMES = re.findall(  # of g2p_en
    r"\S+",
    "<pad> <unk> <s> </s> AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 "
    "B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG "
    "OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH UH0 UH1 UH2 UW UW0 UW1 UW2 V W Y Z ZH",
)


def pronunciations(outputs: Arrays) -> list[str]:
    """Phonemes of each word, by the names of CMUdict."""
    return [" ".join(PHONEMES[p] for p in row if p > 3) for row in outputs["phonemes"]]


def nearest(outputs: Arrays) -> int:
    """Which sentence is nearest to the first."""
    e = outputs["embeddings"]
    return 1 + int((e[1:] @ e[0]).argmax())


RIGHT: dict[str, tuple[Callable[[Arrays], object], object]] = {
    "basic-pitch": (notes, [number for _, _, number in NOTES]),
    "silero": (lambda o: bool(o["speech"][0, 0] > 0.5), True),
    "magika": (kind, "python"),
    "ocr-recogniser": (lambda o: letters(o).replace(" ", "").upper(), TEXT.replace(" ", "")),
    "g2p": (lambda o: pronunciations(o)[2], "G OW1 F ER0"),
    "minilm": (nearest, 1),
    "efficientnet": (classes, ["daisy", "palace"]),
    "ocr-direction": (lambda o: int(o["direction"].argmax()), 0),
}


def check(name: str, outputs: Arrays) -> None:
    """An error if a model answers something else."""
    if name in RIGHT:
        answer, right = RIGHT[name]
        found = answer(outputs)
        if found != right:
            raise AssertionError(f"{name} says {found!r}, not {right!r}")
