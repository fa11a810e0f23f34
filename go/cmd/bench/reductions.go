package main

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// reductions, and what models make of them.
var reductions = map[string]benchmark{
	"reduce-sum-axis0":  reduction(ReduceSum, 0),
	"reduce-sum-axis1":  reduction(ReduceSum, 1),
	"reduce-sum-all":    reduction(ReduceSum),
	"reduce-max-axis0":  reduction(ReduceMax, 0),
	"reduce-max-axis1":  reduction(ReduceMax, 1),
	"reduce-mean-inner": {build: one(func(in []*Node) *Node { return ReduceMean(in[0], 1) }), inputs: []input{floats("x", 32, 128, 256)}},
	"argmax":            {build: one(func(in []*Node) *Node { return ArgMax(in[0], -1) }), inputs: []input{floats("x", million...)}},
	"softmax-heads":     {build: one(func(in []*Node) *Node { return softmax(in[0]) }), inputs: []input{floats("x", 12, 128, 128)}},
	"softmax-rows":      {build: one(func(in []*Node) *Node { return softmax(in[0]) }), inputs: []input{floats("x", 4096, 1024)}},
	"layer-norm": {build: func(scope *model.Scope, in []*Node) []*Node { return []*Node{layerNorm(scope, in[0])} },
		inputs: []input{floats("x", 4096, 1024)}},
}

func reduction(reduce func(x *Node, axes ...int) *Node, axes ...int) benchmark {
	return benchmark{build: one(func(in []*Node) *Node { return reduce(in[0], axes...) }), inputs: []input{floats("x", million...)}}
}

// softmax of the last axis, in primitives.
func softmax(x *Node) *Node {
	p := Exp(Sub(x, ReduceAndKeep(x, ReduceMax, -1)))
	return Div(p, ReduceAndKeep(p, ReduceSum, -1))
}

// layerNorm of the last axis, in primitives.
func layerNorm(scope *model.Scope, x *Node) *Node {
	g, width := x.Graph(), x.Shape().Dim(-1)
	wide := make([]int, x.Rank())
	for i := range wide {
		wide[i] = 1
	}
	wide[len(wide)-1] = width
	centered := Sub(x, MulScalar(ReduceAndKeep(x, ReduceSum, -1), 1/float64(width)))
	variance := MulScalar(ReduceAndKeep(Mul(centered, centered), ReduceSum, -1), 1/float64(width))
	normal := Mul(centered, Rsqrt(AddScalar(variance, 1e-5)))
	return Add(Mul(normal, weight(scope, g, "gain", wide...)), weight(scope, g, "offset", wide...))
}
