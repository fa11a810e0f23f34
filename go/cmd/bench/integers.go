package main

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// integers are exact, and wrap.
var integers = map[string]benchmark{
	"int-matmul": {build: one(func(in []*Node) *Node { return MatMul(in[0], in[1]) }),
		inputs: []input{whole("x", 1<<20, 512, 256), whole("y", 1<<20, 256, 512)}},
	"int-hash":      {build: one(hash), inputs: []input{whole("x", 1<<29, 1<<16)}},
	"int-histogram": {build: one(histogram), inputs: []input{places("x", 256, 1<<14)}},
}

// hash is xorshift, multiplied.
func hash(in []*Node) *Node {
	x := in[0]
	for range 4 {
		x = BitwiseXor(x, BitwiseShiftLeftScalar(x, int32(13)))
		x = BitwiseXor(x, BitwiseShiftRightLogicalScalar(x, int32(17)))
		x = BitwiseXor(x, BitwiseShiftLeftScalar(x, int32(5)))
		x = MulScalar(x, 0x01000193)
	}
	return Rem(x, Scalar(x.Graph(), dtypes.Int32, 1009))
}

func histogram(in []*Node) *Node {
	g := in[0].Graph()
	bins := Zeros(g, shapes.Make(dtypes.Int32, 256))
	return ScatterSum(bins, ExpandAxes(in[0], -1), OnesLike(in[0]), false, false)
}
