package main

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// transformers are BERT's encoder in three sizes and a decoder's step, written in primitives.
var transformers = map[string]benchmark{
	"encoder-6x128x384":  encoder{layers: 6, length: 128, width: 384}.benchmark(),
	"encoder-6x16x384":   encoder{layers: 6, length: 16, width: 384}.benchmark(),
	"encoder-2x512x768":  encoder{layers: 2, length: 512, width: 768}.benchmark(),
	"encoder-12x128x384": encoder{layers: 12, length: 128, width: 384}.benchmark(),
	"decoder-step":       decoder{layers: 4, length: 256, width: 512, heads: 8}.benchmark(),
}

const encoderHeads = 12

type encoder struct{ layers, length, width int }

func (e encoder) benchmark() benchmark {
	return benchmark{build: e.build, inputs: []input{floats("x", 1, e.length, e.width)}}
}

func (e encoder) build(scope *model.Scope, in []*Node) []*Node {
	x := in[0]
	for i := range e.layers {
		layer := scope.In("layer%d", i)
		x = layerNorm(layer.In("norm1"), Add(x, e.attention(layer.In("attention"), x)))
		x = layerNorm(layer.In("norm2"), Add(x, feedForward(layer.In("mlp"), x)))
	}
	return []*Node{x}
}

func (e encoder) attention(scope *model.Scope, x *Node) *Node {
	size := e.width / encoderHeads
	heads := func(name string) *Node {
		return Reshape(linear(scope.In("%s", name), x, e.width), 1, e.length, encoderHeads, size)
	}
	q, k, v := heads("query"), heads("key"), heads("value")
	scores := MulScalar(Einsum("bqhd,bkhd->bhqk", q, k), 1/math.Sqrt(float64(size)))
	mixed := Einsum("bhqk,bkhd->bqhd", softmax(scores), v)
	return linear(scope.In("out"), Reshape(mixed, 1, e.length, e.width), e.width)
}

// linear multiplies the last of three axes.
func linear(scope *model.Scope, x *Node, width int) *Node {
	g := x.Graph()
	y := Einsum("bli,io->blo", x, weight(scope, g, "weights", x.Shape().Dim(-1), width))
	return Add(y, weight(scope, g, "bias", 1, 1, width))
}

func feedForward(scope *model.Scope, x *Node) *Node {
	width := x.Shape().Dim(-1)
	return linear(scope.In("down"), gelu(linear(scope.In("up"), x, 4*width)), width)
}

// gelu is the exact one.
func gelu(x *Node) *Node {
	return Mul(MulScalar(x, 0.5), AddScalar(Erf(MulScalar(x, 1/math.Sqrt2)), 1))
}

// decoder makes one step of a generation: it writes the keys and values of a token into the caches, and attends to what is there.
type decoder struct{ layers, length, width, heads int }

func (d decoder) benchmark() benchmark {
	inputs := []input{floats("x", 1, 1, d.width), places("position", int32(d.length))}
	for i := range d.layers {
		for _, name := range []string{"keys", "values"} {
			inputs = append(inputs, floats(fmt.Sprintf("%s%d", name, i), 1, d.heads, d.length, d.width/d.heads))
		}
	}
	return benchmark{build: d.build, inputs: inputs}
}

func (d decoder) build(scope *model.Scope, in []*Node) []*Node {
	x, position, caches := in[0], in[1], in[2:]
	var updated []*Node
	for i := range d.layers {
		layer := scope.In("layer%d", i)
		attended, keys, values := d.attention(layer.In("attention"), layerNorm(layer.In("norm1"), x), position, caches[2*i], caches[2*i+1])
		x = Add(x, attended)
		x = Add(x, feedForward(layer.In("mlp"), layerNorm(layer.In("norm2"), x)))
		updated = append(updated, keys, values)
	}
	return append([]*Node{x}, updated...)
}

func (d decoder) attention(scope *model.Scope, x, position, keys, values *Node) (attended, newKeys, newValues *Node) {
	g, size := x.Graph(), d.width/d.heads
	heads := func(name string) *Node { return Reshape(linear(scope.In("%s", name), x, d.width), 1, d.heads, 1, size) }
	zero := Const(g, int32(0))
	here := []*Node{zero, zero, position, zero}
	keys, values = DynamicUpdateSlice(keys, heads("key"), here), DynamicUpdateSlice(values, heads("value"), here)
	scores := MulScalar(Einsum("bhqd,bhkd->bhqk", heads("query"), keys), 1/math.Sqrt(float64(size)))
	places := Iota(g, shapes.Make(dtypes.Int32, scores.Shape().Dimensions...), -1)
	seen := Where(LessOrEqual(places, BroadcastToDims(position, places.Shape().Dimensions...)), scores, Const(g, float32(-1e9)))
	mixed := Einsum("bhqk,bhkd->bhqd", softmax(seen), values)
	return linear(scope.In("out"), Reshape(mixed, 1, 1, d.width), d.width), keys, values
}
