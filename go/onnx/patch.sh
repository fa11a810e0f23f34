#!/bin/sh
# onnx-gomlx v0.5.0 was written for GoMLX v0.28.0. Copies it out of the module cache into .onnx-gomlx (not in git), which go.mod
# replaces it by, with the three lines changed that GoMLX v0.28.2 wants otherwise, and a hook that tells which node is being converted.
# Nothing to do if that is done already.
set -eu
version=v0.5.0
cd "$(dirname "$0")"
copy=.onnx-gomlx
stamp=$copy/.patched-$version-4
test -e $stamp && exit 0

# Outside this module, whose go.mod can't be read before the copy is there.
source=$(cd / && GOFLAGS=-mod=mod go mod download -json github.com/gomlx/onnx-gomlx@$version | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
rm -rf $copy
mkdir $copy
cp -R "$source/go.mod" "$source/go.sum" "$source/LICENSE" "$source/onnx" "$source/internal" $copy/
chmod -R u+w $copy

change() { # file, line as it is (a basic regular expression), line as it shall be
	grep -q "$2" "$copy/$1" || { echo "$1 of onnx-gomlx $version has no line like: $2" >&2; exit 1; }
	sed "s|$2|$3|" "$copy/$1" >$copy/changed
	mv $copy/changed "$copy/$1"
}
# GoMLX's package graph got a DynamicDim of its own, which a dot import brings in.
change onnx/onnx.go '^	\. "github.com/gomlx/gomlx/core/graph"$' '	"github.com/gomlx/gomlx/core/graph"'
change onnx/onnx.go '^const DynamicDim = -1$' 'const DynamicDim = -1\
\
type (\
	Graph = graph.Graph\
	Node  = graph.Node\
)'
# 0 is compute.DenseLayoutInputOutputs: the weight is [in, out], as it was before there was a choice.
change internal/onnxgomlx/fusion/dense_gelu.go 'nn\.Dense(x, weight, bias, p\.ActivationType)' 'nn.Dense(x, weight, bias, 0, p.ActivationType)'
change internal/onnxgomlx/fusion/quantized_sdpa.go 'compute\.AxesLayoutBHSD' 'compute.AttentionAxesLayoutBHSD'
# What a user of it sets to know which ONNX node or weight the ops stand for.
change onnx/onnx.go '^// DynamicDim is used for dynamic axes in a shape.$' '// Within is told the name of the weight or the node (or else of its first output) whose ops are built until what it returns is called.\
var Within = func(g *Graph, node string) (leave func()) { return func() {} }\
\
&'
change internal/onnxgomlx/graph.go '^func (m \*Model) convertNode(.*{$' '&\
	defer onnx.Within(g, cmp.Or(node.Name, node.Output[0]))()'
change internal/onnxgomlx/graph.go '^			convertedOutputs.nodeOutputName. = Const(g, value)' '			leave := onnx.Within(g, nodeOutputName)\
&\
			leave()'
change internal/onnxgomlx/graph.go '^import ($' '&\
	"cmp"'
touch $stamp
