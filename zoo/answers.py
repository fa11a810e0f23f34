"""What a model's outputs say, and what they must say."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable

import onnxruntime as ort

from zoo.inputs import NOTES, Arrays
from zoo.models import MAGIKA, ROOT, TEXT

ZOO = ROOT / "out" / "zoo"


def notes(outputs: Arrays) -> list[int]:
    """MIDI numbers of keys that are struck for certain, in the order of time."""
    onset = outputs["onset"][0]
    struck = [int(k) for k in range(onset.shape[1]) if onset[:, k].max() > 0.9]
    return [k + 21 for k in sorted(struck, key=lambda k: int(onset[:, k].argmax()))]


def letters(outputs: Arrays) -> str:
    """The text that PP-OCR reads; its alphabet is in the ONNX file."""
    path = ZOO / "files" / "rapidocr-onnxruntime-ch_PP-OCRv4_rec_infer.onnx"
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    alphabet = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    best = outputs["letters"][0].argmax(-1)
    kept = [int(b) for i, b in enumerate(best) if b and (i == 0 or b != best[i - 1])]
    return "".join([*alphabet, " "][b - 1] for b in kept)


def kind(outputs: Arrays) -> str:
    """Magika's name for a kind of file."""
    wheel = next((ZOO / "packages").glob("magika-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        config = json.loads(archive.read(MAGIKA.file.path.replace("model.onnx", "config.min.json")))
    return str(config["target_labels_space"][int(outputs["kind"].argmax())])


RIGHT: dict[str, tuple[Callable[[Arrays], object], object]] = {
    "basic-pitch": (notes, [number for _, _, number in NOTES]),
    "silero": (lambda o: bool(o["speech"][0, 0] > 0.5), True),
    "magika": (kind, "python"),
    "ocr-recogniser": (lambda o: letters(o).replace(" ", "").upper(), TEXT.replace(" ", "")),
    "ocr-direction": (lambda o: int(o["direction"].argmax()), 0),
}


def check(name: str, outputs: Arrays) -> None:
    """An error if a model answers something else."""
    if name in RIGHT:
        answer, right = RIGHT[name]
        found = answer(outputs)
        if found != right:
            raise AssertionError(f"{name} says {found!r}, not {right!r}")
