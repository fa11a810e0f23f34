#!/bin/sh
# The Silero VAD reference model and a minute of speech, for tests/bundle/test_silero.py. Run by `make silero`.
# Nothing of it is kept in git or installed: it lies in out/silero.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
OUT=out/silero
mkdir -p "$OUT"
if [ ! -f "$OUT/silero_vad.onnx" ]; then
  "$PYTHON" -m pip download --quiet --no-deps --disable-pip-version-check -d "$OUT" silero-vad==6.0.0
  "$PYTHON" - "$OUT" <<'PY'
import sys, zipfile
from pathlib import Path
out = Path(sys.argv[1])
(wheel,) = out.glob("silero_vad-*.whl")
with zipfile.ZipFile(wheel) as inside:
    data = inside.read("silero_vad/data/silero_vad_16k_op15.onnx")
(out / "silero_vad.onnx").write_bytes(data)
wheel.unlink()
PY
fi
if [ ! -f "$OUT/speech.wav" ]; then
  command -v espeak-ng >/dev/null || { echo "espeak-ng is missing: apt-get install espeak-ng" >&2; exit 1; }
  espeak-ng -v en -s 140 -g 20 -w "$OUT/speech.wav" "The compiled model is what users ship, so it must be beyond doubt. \
A voice activity detector listens to short frames of sound, and tells speech from silence. \
This text is read aloud by a synthesizer, with pauses between its sentences. Some are long. Some are not. \
Numbers such as one, two, three, and seventeen appear as well. Sphinx of black quartz, judge my vow. \
The quick brown fox jumps over the lazy dog, while five boxing wizards jump quickly. \
In the middle of the night, the wind blew through the trees, and nobody spoke for a long time. \
Then somebody laughed, and the door was closed. We measured every difference twice, and wrote down what we saw. \
Whether the numbers agree is not a matter of taste. That is all there is to say about it, for now. \
Come back tomorrow, and we shall read it again, a little faster, and a little louder."
fi
