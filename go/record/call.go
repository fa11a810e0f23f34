package record

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// node is one recorded op.
type node struct {
	op         string
	operands   []*Value // nil for an absent one
	functions  []*Function
	results    []*Value
	attributes *graphpb.Attributes
	constant   *constant
	place      place
}

func (n *node) String() string {
	if n.place.file == "" {
		return n.op
	}
	return fmt.Sprintf("%s (%s)", n.op, n.place)
}

// call is an op while it is being recorded. Its first error is kept until it ends.
type call struct {
	node
	function *Function
	err      error
}

func (f *Function) begin(op string) *call {
	return &call{function: f, node: node{op: op}, err: f.open()}
}

func (c *call) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// operand adds an operand that must be there.
func (c *call) operand(name string, v compute.Value) {
	value, err := c.function.visible(v)
	if err != nil {
		c.fail(fmt.Errorf("%s: %w", name, err))
	}
	c.node.operands = append(c.node.operands, value)
}

// optional adds an operand that may be absent.
func (c *call) optional(name string, v compute.Value) {
	if v == nil {
		c.node.operands = append(c.node.operands, nil)
		return
	}
	c.operand(name, v)
}

func (c *call) operands(name string, vs []compute.Value) {
	for i, v := range vs {
		c.operand(fmt.Sprintf("%s[%d]", name, i), v)
	}
}

// functionArgument adds a function that has returned.
func (c *call) functionArgument(name string, f compute.Function) {
	function, ok := f.(*Function)
	switch {
	case !ok || function == nil:
		c.fail(fmt.Errorf("%s: %T is not a function of the record backend", name, f))
	case function.builder != c.function.builder:
		c.fail(fmt.Errorf("%s is of another graph", name))
	case !function.returned:
		c.fail(fmt.Errorf("%s has not returned", name))
	}
	c.functions = append(c.functions, function)
}

// shape returns the shape of operand i, which must be there.
func (c *call) shape(i int) shapes.Shape { return c.node.operands[i].shape }

func (c *call) shapes() []shapes.Shape {
	list := make([]shapes.Shape, 0, len(c.node.operands))
	for _, v := range c.node.operands {
		list = append(list, v.shape)
	}
	return list
}

// finish infers the results and keeps the node.
func (c *call) finish(infer func() ([]shapes.Shape, error)) ([]*Value, error) {
	if origin := c.function.builder.backend.origin; origin != nil {
		c.place = *origin
	} else {
		c.place = userPlace()
	}
	if c.err == nil {
		c.err = c.infer(infer)
	}
	if c.err != nil {
		return nil, fmt.Errorf("%s: %w", &c.node, c.err)
	}
	n := c.node
	for _, v := range n.results {
		v.node = &n
	}
	c.function.nodes = append(c.function.nodes, &n)
	return n.results, nil
}

func (c *call) infer(infer func() ([]shapes.Shape, error)) (err error) {
	defer func() {
		if r := recover(); r != nil { // GoMLX's inference indexes past the end for some wrong arguments
			err = fmt.Errorf("wrong arguments: %v", r)
		}
	}()
	inferred, err := infer()
	if err != nil {
		return err
	}
	for _, s := range inferred {
		if err := checkShape(s); err != nil {
			return err
		}
		c.results = append(c.results, &Value{function: c.function, shape: s.Clone()})
	}
	return nil
}

func (c *call) list(infer func() ([]shapes.Shape, error)) ([]compute.Value, error) {
	results, err := c.finish(infer)
	if err != nil {
		return nil, err
	}
	values := make([]compute.Value, len(results))
	for i, v := range results {
		values[i] = v
	}
	return values, nil
}

func (c *call) exactly(n int, infer func() ([]shapes.Shape, error)) ([]compute.Value, error) {
	values, err := c.list(infer)
	if err == nil && len(values) != n {
		err = fmt.Errorf("%s: %d results inferred, want %d", c.op, len(values), n)
	}
	if err != nil {
		return make([]compute.Value, n), err
	}
	return values, nil
}

func (c *call) one(infer func() ([]shapes.Shape, error)) (compute.Value, error) {
	v, err := c.exactly(1, infer)
	return v[0], err
}

func (c *call) oneAndNone(infer func() ([]shapes.Shape, error)) (compute.Value, []compute.Value, error) {
	v, err := c.one(infer)
	return v, nil, err
}

func (c *call) two(infer func() ([]shapes.Shape, error)) (compute.Value, compute.Value, error) {
	v, err := c.exactly(2, infer)
	return v[0], v[1], err
}

func (c *call) three(infer func() ([]shapes.Shape, error)) (compute.Value, compute.Value, compute.Value, error) {
	v, err := c.exactly(3, infer)
	return v[0], v[1], v[2], err
}

// The functions below turn attributes into what ops.proto holds.

func int64s(list []int) []int64 { return mapped(list, func(x int) int64 { return int64(x) }) }

func ints(list []int64) []int { return mapped(list, func(x int64) int { return int(x) }) }

func pairs(list [][2]int) []*graphpb.Pair {
	return mapped(list, func(p [2]int) *graphpb.Pair { return &graphpb.Pair{Low: int64(p[0]), High: int64(p[1])} })
}

func unpairs(list []*graphpb.Pair) [][2]int {
	return mapped(list, func(p *graphpb.Pair) [2]int { return [2]int{int(p.Low), int(p.High)} })
}

func intLists(lists [][]int) []*graphpb.Ints {
	return mapped(lists, func(l []int) *graphpb.Ints { return &graphpb.Ints{Values: int64s(l)} })
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

// dtypeName is "" for the invalid dtype, which stands for a default.
func dtypeName(d dtypes.DType) string {
	if d == dtypes.InvalidDType {
		return ""
	}
	return d.String()
}

func newShape(s shapes.Shape) *graphpb.Shape {
	out := &graphpb.Shape{Dtype: dtypeName(s.DType)}
	for axis, dim := range s.Dimensions {
		d := &graphpb.Dim{Kind: &graphpb.Dim_Size{Size: int64(dim)}}
		if dim == shapes.DynamicDim {
			d.Kind = &graphpb.Dim_Symbol{Symbol: s.AxisName(axis)}
		}
		out.Dims = append(out.Dims, d)
	}
	return out
}
