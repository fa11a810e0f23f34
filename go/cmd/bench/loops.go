package main

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// loops are While: one of known length, one that ends when its data say so.
var loops = map[string]benchmark{
	"loop-100":     {build: one(hundred), inputs: []input{floats("x", 16)}},
	"loop-collatz": {build: one(collatz), inputs: []input{places("x", 1<<16, 1)}},
}

// hundred is 100 iterations of two ops on 16 numbers.
func hundred(in []*Node) *Node {
	g, x := in[0].Graph(), in[0]
	scalar := shapes.Make(dtypes.Int32)
	condition := NewClosure(g, func(g *Graph) []*Node {
		step := Parameter(g, "step", scalar)
		Parameter(g, "x", x.Shape())
		return []*Node{LessThan(step, Const(g, int32(100)))}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		step, x := Parameter(g, "step", scalar), Parameter(g, "x", x.Shape())
		return []*Node{AddScalar(step, 1), AddScalar(MulScalar(x, 0.75), 1)}
	})
	return While(condition, body, Const(g, int32(0)), x)[1]
}

// collatz counts steps until 1.
func collatz(in []*Node) *Node {
	g, x := in[0].Graph(), in[0]
	none := ZerosLike(x) // before the closures: GoMLX keeps one scalar of a value for a whole graph
	condition := NewClosure(g, func(g *Graph) []*Node {
		x := Parameter(g, "x", x.Shape())
		Parameter(g, "count", x.Shape())
		return []*Node{Reshape(GreaterThan(x, Const(g, []int32{1})))}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		x, count := Parameter(g, "x", x.Shape()), Parameter(g, "count", x.Shape())
		half := BitwiseShiftRightArithmeticScalar(x, int32(1))
		odd := NotEqual(BitwiseAnd(x, OnesLike(x)), none)
		return []*Node{Where(odd, AddScalar(MulScalar(x, 3), 1), half), AddScalar(count, 1)}
	})
	return While(condition, body, x, none)[1]
}
