#!/bin/sh
# Generates coremlc/frontend/*_pb2.py from schemas/*.proto. Run by `make proto`; PYTHON, OUT: see below.
#
# The files get the names coremlc/frontend/x.proto, so that the modules import each other as parts of the package, and no
# bare "types.proto" of another library can clash with ours in protobuf's pool.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
OUT=${OUT:-.}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/coremlc/frontend" "$OUT/coremlc/frontend"
for file in types ops graph; do
  sed 's#^import "#&coremlc/frontend/#' "schemas/$file.proto" > "$stage/coremlc/frontend/$file.proto"
done
"$PYTHON" -m grpc_tools.protoc -I "$stage" --python_out="$OUT" --pyi_out="$OUT" "$stage"/coremlc/frontend/*.proto
