package main

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/internal/npz"
)

// Tokens of g2p_en's phonemes, and how many of them a word may have.
const (
	beginPhoneme = 2
	endPhoneme   = 3
	maxPhonemes  = 20
)

// g2p reads spellings and says phonemes: a GRU over the letters, unrolled and masked, and a GRU in a While loop until all words end.
func g2p(file string, _ []string) (*network, error) {
	arrays, err := npz.Read(file)
	if err != nil {
		return nil, err
	}
	store, err := weights(arrays)
	return &network{store: store, build: spell, inputs: []string{"letters", "lengths"}, outputs: []string{"phonemes"}}, err
}

func spell(scope *model.Scope, in []*Node) []*Node {
	letters, lengths := in[0], in[1]
	g := letters.Graph()
	w := map[string]*Node{} // of the main function: the loop's body captures them
	for _, name := range []string{"emb", "w_ih", "w_hh", "b_ih", "b_hh"} {
		w["enc_"+name], w["dec_"+name] = variable(scope, g, "enc_"+name), variable(scope, g, "dec_"+name)
	}
	w["fc_w"], w["fc_b"] = variable(scope, g, "fc_w"), variable(scope, g, "fc_b")
	words, steps := letters.Shape().Dim(0), letters.Shape().Dim(1)
	hidden := Zeros(g, shapes.Make(dtypes.Float32, words, w["enc_w_hh"].Shape().Dim(1)))
	embedded := Gather(w["enc_emb"], ExpandAxes(letters, -1))
	for t := range steps {
		next := gru(w, "enc", Squeeze(Slice(embedded, AxisRange(), AxisElem(t), AxisRange()), 1), hidden)
		going := BroadcastToDims(ExpandAxes(LessThan(Const(g, int32(t)), lengths), 1), next.Shape().Dimensions...)
		hidden = Where(going, next, hidden)
	}
	return []*Node{pronounce(w, hidden)}
}

// gru is a cell with the gates in the order reset, update, new.
func gru(w map[string]*Node, name string, x, hidden *Node) *Node {
	size := hidden.Shape().Dim(1)
	a := Add(DotGeneral(x, []int{1}, nil, w[name+"_w_ih"], []int{1}, nil), ExpandAxes(w[name+"_b_ih"], 0))
	b := Add(DotGeneral(hidden, []int{1}, nil, w[name+"_w_hh"], []int{1}, nil), ExpandAxes(w[name+"_b_hh"], 0))
	gate := func(n *Node, i int) *Node { return Slice(n, AxisRange(), AxisRange(i*size, (i+1)*size)) }
	reset := Sigmoid(Add(gate(a, 0), gate(b, 0)))
	update := Sigmoid(Add(gate(a, 1), gate(b, 1)))
	fresh := Tanh(Add(gate(a, 2), Mul(reset, gate(b, 2))))
	return Add(Mul(OneMinus(update), fresh), Mul(update, hidden))
}

// pronounce loops over phonemes; those after the end are 0.
func pronounce(w map[string]*Node, hidden *Node) *Node {
	g, words := hidden.Graph(), hidden.Shape().Dim(0)
	row, table := shapes.Make(dtypes.Int32, words), shapes.Make(dtypes.Int32, words, maxPhonemes)
	// Before the closures: GoMLX keeps one scalar of a value for a whole graph, and refuses one of a closure in the main function.
	begin := []*Node{Const(g, int32(0)), hidden, FillScalar(g, row, beginPhoneme), Zeros(g, table), Zeros(g, row)}
	type state struct{ step, hidden, last, said, ended *Node }
	parameters := func(g *Graph) state {
		return state{
			Parameter(g, "step", shapes.Make(dtypes.Int32)), Parameter(g, "hidden", hidden.Shape()),
			Parameter(g, "last", row), Parameter(g, "said", table), Parameter(g, "ended", row),
		}
	}
	condition := NewClosure(g, func(g *Graph) []*Node {
		s := parameters(g)
		more := LessThan(ReduceAllSum(s.ended), Const(g, int32(words)))
		return []*Node{LogicalAnd(LessThan(s.step, Const(g, int32(maxPhonemes))), more)}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		s := parameters(g)
		next := gru(w, "dec", Gather(w["dec_emb"], ExpandAxes(s.last, -1)), s.hidden)
		scores := Add(DotGeneral(next, []int{1}, nil, w["fc_w"], []int{1}, nil), ExpandAxes(w["fc_b"], 0))
		best := ArgMax(scores, -1, dtypes.Int32)
		best = Where(Equal(s.ended, OnesLike(s.ended)), ZerosLike(best), best)
		here := Equal(Iota(g, table, 1), BroadcastToDims(s.step, words, maxPhonemes))
		said := Where(here, BroadcastToDims(ExpandAxes(best, 1), words, maxPhonemes), s.said)
		ended := Max(s.ended, ConvertDType(Equal(best, FillScalar(g, row, endPhoneme)), dtypes.Int32))
		return []*Node{AddScalar(s.step, 1), next, best, said, ended}
	})
	return While(condition, body, begin...)[3]
}
