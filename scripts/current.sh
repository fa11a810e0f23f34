#!/bin/sh
# Fails if generated files are not what their generators make. Run by `make current`; PYTHON: the virtual environment's.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
OUT="$made" PYTHON="$PYTHON" scripts/proto.sh
for file in "$made"/coremlc/frontend/*; do
  cmp "$file" "coremlc/frontend/$(basename "$file")" || { echo "stale: make proto" >&2; exit 1; }
done
"$PYTHON" scripts/docs.py --check
