package main

import (
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	timage "github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/ml/model"
)

// million elements, in two axes.
var million = []int{1024, 1024}

// kernels are single ops and short chains of them.
var kernels = map[string]benchmark{
	"conv-nchw":        {build: convolution(timage.ChannelsFirst), inputs: []input{floats("x", 1, 64, 56, 56)}},
	"conv-nhwc":        {build: convolution(timage.ChannelsLast), inputs: []input{floats("x", 1, 56, 56, 64)}},
	"depthwise":        {build: depthwise, inputs: []input{floats("x", 1, 112, 112, 64)}},
	"embedding":        {build: embedding, inputs: []input{places("ids", 30522, 128)}},
	"gather-10k":       {build: one(gatherRows), inputs: []input{floats("table", 1000, 128), places("rows", 1000, 10000)}},
	"scatter-add-1k":   {build: one(scatterRows), inputs: scatterInputs(1000)},
	"scatter-add-10k":  {build: one(scatterRows), inputs: scatterInputs(10000)},
	"elementwise-20":   {build: one(chain), inputs: []input{floats("x", million...), floats("y", million...)}},
	"elementwise-tanh": {build: one(tanhChain), inputs: []input{floats("x", million...), floats("y", million...)}},
	"select": {build: one(func(in []*Node) *Node { return Where(in[0], in[1], in[2]) }),
		inputs: []input{coins("condition", million...), floats("x", million...), floats("y", million...)}},
	"less-select": {build: one(func(in []*Node) *Node { return Where(LessThan(in[0], in[1]), in[1], in[0]) }),
		inputs: []input{floats("x", million...), floats("y", million...)}},
	"log": {build: one(func(in []*Node) *Node { return Log(in[0]) }), inputs: []input{positive("x", million...)}},
	"exp": {build: one(func(in []*Node) *Node { return Exp(in[0]) }), inputs: []input{floats("x", million...)}},
	"filter-fft": {build: one(filter), unknown: true,
		inputs: []input{floats("signal", 16, 1024), floats("response", 16, 513)}},
}

// coins is an input of random bools.
func coins(name string, dims ...int) input {
	return input{name, func(r *rand.Rand) *tensors.Tensor {
		t := tensors.FromScalarAndDimensions(false, dims...)
		tensors.MustMutableFlatData(t, func(flat []bool) {
			for i := range flat {
				flat[i] = r.IntN(2) == 1
			}
		})
		return t
	}}
}

// positive is an input of float32 in (0, 4].
func positive(name string, dims ...int) input {
	return input{name, func(r *rand.Rand) *tensors.Tensor {
		t := tensors.FromScalarAndDimensions(float32(0), dims...)
		tensors.MustMutableFlatData(t, func(flat []float32) {
			for i := range flat {
				flat[i] = float32(1+r.IntN(1<<16)) / (1 << 14)
			}
		})
		return t
	}}
}

// convolution is one of 3x3 that keeps 64 channels, with bias and relu.
func convolution(channels timage.ChannelsAxisConfig) func(*model.Scope, []*Node) []*Node {
	return func(scope *model.Scope, in []*Node) []*Node {
		x := in[0]
		kernel, bias := []int{3, 3, 64, 64}, []int{1, 1, 1, 64}
		if channels == timage.ChannelsFirst {
			kernel, bias = []int{64, 64, 3, 3}, []int{1, 64, 1, 1}
		}
		y := Convolve(x, weight(scope, x.Graph(), "kernel", kernel...)).ChannelsAxis(channels).PadSame().Done()
		return []*Node{MaxScalar(Add(y, weight(scope, x.Graph(), "bias", bias...)), 0)}
	}
}

func depthwise(scope *model.Scope, in []*Node) []*Node {
	kernel := weight(scope, in[0].Graph(), "kernel", 3, 3, 1, 64)
	return []*Node{Convolve(in[0], kernel).ChannelGroupCount(64).PadSame().Done()}
}

// embedding has the table of BERT and the width of MiniLM.
func embedding(scope *model.Scope, in []*Node) []*Node {
	return []*Node{Gather(weight(scope, in[0].Graph(), "table", 30522, 384), ExpandAxes(in[0], -1))}
}

func gatherRows(in []*Node) *Node { return Gather(in[0], ExpandAxes(in[1], -1)) }

func scatterInputs(rows int32) []input {
	return []input{floats("table", int(rows), 128), places("rows", rows, 10000), floats("updates", 10000, 128)}
}

func scatterRows(in []*Node) *Node {
	return ScatterSum(in[0], ExpandAxes(in[1], -1), in[2], false, false)
}

// chain is 20 cheap ops that no algebra makes fewer.
func chain(in []*Node) *Node {
	x, y := in[0], in[1]
	for i := range 5 {
		x = MulScalar(x, 0.5+float64(i)/8)
		x = Add(x, y)
		x = MaxScalar(x, -1.5)
		x = Sub(x, Abs(y))
	}
	return x
}

// tanhChain is 20 ops, of which 4 are not cheap.
func tanhChain(in []*Node) *Node {
	x, y := in[0], in[1]
	for i := range 4 {
		x = MulScalar(x, 0.5+float64(i)/8)
		x = Add(x, y)
		x = Tanh(x)
		x = MinScalar(x, 0.75)
		x = Sub(x, y)
	}
	return x
}

// filter multiplies the spectrum of signals.
func filter(in []*Node) *Node {
	lines := Mul(RealFFT(in[0]), Complex(in[1], ZerosLike(in[1])))
	return InverseRealFFT(lines, in[0].Shape().Dim(-1))
}
