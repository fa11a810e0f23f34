package record

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

func shapesOf(values []*Value) []shapes.Shape {
	return mapped(values, func(v *Value) shapes.Shape { return v.shape })
}

func sameShapes(a, b []shapes.Shape) bool {
	return slices.EqualFunc(a, b, func(x, y shapes.Shape) bool { return x.Equal(y) })
}

// checkArguments checks that a function takes arguments of the given shapes.
func checkArguments(name string, f *Function, want []shapes.Shape) error {
	if got := shapesOf(f.parameters); !sameShapes(got, want) {
		return fmt.Errorf("%s takes %v, is given %v", name, got, want)
	}
	return nil
}

// checkClosure checks that a function is a closure of the calling function, or of one around it.
func (c *call) checkClosure(name string, f *Function) error {
	for g := c.function; g != nil; g = g.parent {
		if f.parent == g {
			return nil
		}
	}
	return fmt.Errorf("%s is no closure of the calling function", name)
}

func isCondition(f *Function) bool {
	return len(f.results) == 1 && f.results[0].shape.Equal(shapes.Make(dtypes.Bool))
}

func inferCall(c *call) (inferred, error) {
	f := c.functions[0]
	if f.parent != nil || f == f.builder.functions[0] {
		return nil, fmt.Errorf("only a function of Builder.NewFunction can be called")
	}
	return shapesOf(f.results), checkArguments("the function", f, c.shapes())
}

func inferIf(c *call) (inferred, error) {
	onTrue, onFalse := c.functions[0], c.functions[1]
	for i, f := range c.functions {
		name := []string{"the true branch", "the false branch"}[i]
		if err := c.checkClosure(name, f); err != nil {
			return nil, err
		}
		if err := checkArguments(name, f, nil); err != nil {
			return nil, err
		}
	}
	if !c.shape(0).Equal(shapes.Make(dtypes.Bool)) {
		return nil, fmt.Errorf("the predicate is %s, want a Bool scalar", c.shape(0))
	}
	if !sameShapes(shapesOf(onTrue.results), shapesOf(onFalse.results)) {
		return nil, fmt.Errorf("the branches return %v and %v", shapesOf(onTrue.results), shapesOf(onFalse.results))
	}
	return shapesOf(onTrue.results), nil
}

func inferWhile(c *call) (inferred, error) {
	condition, body, state := c.functions[0], c.functions[1], c.shapes()
	for i, f := range c.functions {
		name := []string{"the condition", "the body"}[i]
		if err := c.checkClosure(name, f); err != nil {
			return nil, err
		}
		if err := checkArguments(name, f, state); err != nil {
			return nil, err
		}
	}
	if !isCondition(condition) {
		return nil, fmt.Errorf("the condition returns %v, want one Bool scalar", shapesOf(condition.results))
	}
	if !sameShapes(shapesOf(body.results), state) {
		return nil, fmt.Errorf("the body returns %v, the state is %v", shapesOf(body.results), state)
	}
	return state, nil
}

func inferSort(c *call, a *graphpb.SortAttributes) (inferred, error) {
	inputs, comparator := c.shapes(), c.functions[0]
	if len(inputs) == 0 {
		return nil, fmt.Errorf("no inputs")
	}
	if a.Axis < 0 {
		a.Axis += int64(inputs[0].Rank())
	}
	if a.Axis < 0 || int(a.Axis) >= inputs[0].Rank() {
		return nil, fmt.Errorf("axis %d of %s", a.Axis, inputs[0])
	}
	var scalars []shapes.Shape // lhs_0, rhs_0, lhs_1, rhs_1 ...: GoMLX's documentation says otherwise, its code does this
	for _, s := range inputs {
		if !s.EqualDimensions(inputs[0]) {
			return nil, fmt.Errorf("inputs %s and %s differ in dims", s, inputs[0])
		}
		scalars = append(scalars, shapes.Make(s.DType), shapes.Make(s.DType))
	}
	if err := c.checkClosure("the comparator", comparator); err != nil {
		return nil, err
	}
	if !isCondition(comparator) {
		return nil, fmt.Errorf("the comparator returns %v, want one Bool scalar", shapesOf(comparator.results))
	}
	return inputs, checkArguments("the comparator", comparator, scalars)
}
