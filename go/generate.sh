#!/bin/sh
# Generates schemas/ops.proto, record/gen_ops.go, replay/gen_ops.go and graphpb/. Run by `go generate ./record`.
# PROTOC: the protobuf compiler; default the one of grpcio-tools in the repository's virtual environment.
set -eu
cd "$(dirname "$0")"
PROTOC=${PROTOC:-"../.venv/bin/python -m grpc_tools.protoc"}
GOBIN=$(mktemp -d)
trap 'rm -rf "$GOBIN"' EXIT
export GOBIN
go run ./cmd/gen -root ..
go install google.golang.org/protobuf/cmd/protoc-gen-go
$PROTOC --plugin="protoc-gen-go=$GOBIN/protoc-gen-go" --proto_path=../schemas --go_out=graphpb --go_opt=paths=source_relative \
  types.proto ops.proto graph.proto
