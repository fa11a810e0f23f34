package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/go-huggingface/models/gguf"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// The sizes of SmolLM2-135M.
const (
	smolWidth      = 576
	smolHeads      = 9
	smolKVHeads    = 3
	smolHeadDim    = 64
	smolVocabulary = 49152
	smolTheta      = 100000
	smolEpsilon    = 1e-5
)

// smolLM is the first layers of SmolLM2-135M (an argument says how many): tokens from a position on, and the caches, to the logits of the
// token after the last and the new caches. Prefill and decoding are the same graph for other numbers of tokens.
func smolLM(file string, arguments []string) (*network, error) {
	if len(arguments) != 1 {
		return nil, fmt.Errorf("smollm wants the number of layers")
	}
	depth, err := strconv.Atoi(arguments[0])
	if err != nil {
		return nil, err
	}
	weights, err := gguf.NewFromFile(file)
	if err != nil {
		return nil, err
	}
	names := []string{"token_embd", "output_norm"}
	n := &network{store: model.NewStore(), inputs: []string{"tokens", "position"}, outputs: []string{"logits"}, twin: true}
	for i := range depth {
		for _, part := range []string{
			"attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
		} {
			names = append(names, fmt.Sprintf("blk.%d.%s", i, part))
		}
		n.inputs = append(n.inputs, fmt.Sprintf("keys%d", i), fmt.Sprintf("values%d", i))
		n.outputs = append(n.outputs, fmt.Sprintf("new_keys%d", i), fmt.Sprintf("new_values%d", i))
	}
	for _, name := range names {
		t, err := weights.GetTensor(nil, name+".weight")
		if err != nil {
			return nil, err
		}
		if _, err := n.store.CreateVariable("/"+name, t.Tensor); err != nil {
			return nil, err
		}
	}
	n.build = func(scope *model.Scope, in []*Node) []*Node { return smol{scope, in[0].Graph()}.step(in, depth) }
	return n, nil
}

type smol struct {
	scope *model.Scope
	g     *Graph
}

func (s smol) linear(x *Node, name string) *Node {
	return DotGeneral(x, []int{2}, nil, variable(s.scope, s.g, name), []int{1}, nil)
}

func (s smol) norm(x *Node, name string) *Node {
	mean := ReduceAndKeep(Square(x), ReduceMean, -1)
	return Mul(Div(x, Sqrt(AddScalar(mean, smolEpsilon))), ExpandAxes(variable(s.scope, s.g, name), 0, 1))
}

// step is the whole network. A cache is [1, heads, length, head dim].
func (s smol) step(in []*Node, depth int) []*Node {
	tokens, caches := in[0], in[2:]
	count, length := tokens.Shape().Dim(1), caches[0].Shape().Dim(2)
	x := Gather(variable(s.scope, s.g, "token_embd"), ExpandAxes(tokens, -1))
	positions := Add(Iota(s.g, shapes.Make(dtypes.Int32, count), 0), ExpandAxes(in[1], 0))
	slots := BroadcastToDims(ExpandAxes(Iota(s.g, shapes.Make(dtypes.Int32, length), 0), 0), count, length)
	rows := BroadcastToDims(ExpandAxes(positions, 1), count, length)
	put := ConvertDType(Equal(slots, rows), x.DType()) // [tokens, slots]
	seen := LessOrEqual(slots, rows)
	angles := s.angles(positions, x.DType())
	var outputs []*Node
	for i := range depth {
		name := fmt.Sprintf("blk.%d.", i)
		h := s.norm(x, name+"attn_norm")
		q := rotate(s.heads(h, name+"attn_q", smolHeads), angles)
		keys := insert(caches[2*i], rotate(s.heads(h, name+"attn_k", smolKVHeads), angles), put)
		values := insert(caches[2*i+1], s.heads(h, name+"attn_v", smolKVHeads), put)
		outputs = append(outputs, keys, values)
		x = Add(x, s.linear(attend(q, keys, values, seen), name+"attn_output"))
		h = s.norm(x, name+"ffn_norm")
		gate := s.linear(h, name+"ffn_gate")
		x = Add(x, s.linear(Mul(Mul(gate, Sigmoid(gate)), s.linear(h, name+"ffn_up")), name+"ffn_down"))
	}
	x = s.norm(Slice(x, AxisRange(), AxisRange(count-1, count), AxisRange()), "output_norm")
	return append([]*Node{Reshape(s.linear(x, "token_embd"), 1, smolVocabulary)}, outputs...)
}

func (s smol) heads(x *Node, name string, heads int) *Node {
	return Reshape(s.linear(x, name), 1, x.Shape().Dim(1), heads, smolHeadDim)
}

// angles are [1, tokens, 1, head dim / 2].
func (s smol) angles(positions *Node, dtype dtypes.DType) *Node {
	pair := Iota(s.g, shapes.Make(dtype, smolHeadDim/2), 0)
	frequency := Exp(MulScalar(pair, -2.0/smolHeadDim*math.Log(smolTheta)))
	return ExpandAxes(Mul(ExpandAxes(ConvertDType(positions, dtype), 1), ExpandAxes(frequency, 0)), 0, 2)
}

// rotate turns the pairs (2i, 2i+1) of each head, as llama.cpp orders them.
func rotate(x, angles *Node) *Node {
	dims := x.Shape().Dimensions
	pairs := Reshape(x, dims[0], dims[1], dims[2], smolHeadDim/2, 2)
	part := func(i int) *Node {
		return Squeeze(Slice(pairs, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisElem(i)), 4)
	}
	a, b, c, s := part(0), part(1), Cos(angles), Sin(angles)
	return Reshape(Stack([]*Node{Sub(Mul(a, c), Mul(b, s)), Add(Mul(a, s), Mul(b, c))}, -1), dims...)
}

// insert puts the rows of x [1, tokens, heads, head dim] into the slots of a cache.
func insert(cache, x, put *Node) *Node {
	keep := ExpandAxes(OneMinus(ReduceMax(put, 0)), 0, 1, 3)
	return Add(Mul(cache, keep), Einsum("sl,bskd->bkld", put, x))
}

func attend(q, keys, values, seen *Node) *Node {
	count := q.Shape().Dim(1)
	grouped := Reshape(q, 1, count, smolKVHeads, smolHeads/smolKVHeads, smolHeadDim)
	scores := MulScalar(Einsum("bskgd,bkld->bkgsl", grouped, keys), 1/math.Sqrt(smolHeadDim))
	weights := MaskedSoftmax(scores, BroadcastToShape(ExpandAxes(seen, 0, 1, 2), scores.Shape()), -1)
	return Reshape(Einsum("bkgsl,bkld->bskgd", weights, values), 1, count, smolWidth)
}
