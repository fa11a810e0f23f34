"""What the printer and the parser of MIL text agree on."""

from __future__ import annotations

import re

OPSETS = {
    "CoreML5": "ios15",
    "CoreML6": "ios16",
    "CoreML7": "ios17",
    "CoreML8": "ios18",
    "CoreML9": "ios19",
}
"""The protobuf's opset names, and the text's. Others stand as they are."""

OPSET_OF_TAG = {tag: opset for opset, tag in OPSETS.items()}

DIALECTS = ("1.0", "1.1", "1.2", "1.3")

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_@]*")
