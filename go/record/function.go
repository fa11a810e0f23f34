package record

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/compute/support/sets"
)

// Function records the ops of one function or closure. The methods for ops are generated.
type Function struct {
	builder    *Builder
	name       string
	parent     *Function
	parameters []*Value
	nodes      []*node
	results    []*Value
	returned   bool
}

var _ compute.Function = (*Function)(nil)

// Name implements compute.Function.
func (f *Function) Name() string { return f.name }

// Builder implements compute.Function.
func (f *Function) Builder() compute.Builder { return f.builder }

// Parent implements compute.Function.
func (f *Function) Parent() compute.Function {
	if f.parent == nil {
		return nil // an interface without a type: callers compare with nil
	}
	return f.parent
}

// Closure implements compute.Function.
func (f *Function) Closure() (compute.Function, error) {
	if err := f.open(); err != nil {
		return nil, err
	}
	return f.builder.add("", f), nil
}

// Shape implements compute.Function.
func (f *Function) Shape(v compute.Value) (shapes.Shape, error) { return f.builder.OpShape(v) }

// Parameter implements compute.Function.
func (f *Function) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	if err := f.open(); err != nil {
		return nil, err
	}
	if sharding != nil {
		return nil, fmt.Errorf("parameter %q: sharding: %w", name, compute.ErrNotImplemented)
	}
	if err := checkShape(shape); err != nil {
		return nil, fmt.Errorf("parameter %q: %w", name, err)
	}
	if slices.ContainsFunc(f.parameters, func(p *Value) bool { return p.name == name }) {
		return nil, fmt.Errorf("there is already a parameter %q", name)
	}
	v := &Value{function: f, name: name, shape: shape.Clone()}
	f.parameters = append(f.parameters, v)
	return v, nil
}

// Constant implements compute.Function.
func (f *Function) Constant(flat any, dims ...int) (compute.Value, error) {
	call := f.begin("Constant")
	shape, err := constantShape(flat, dims)
	if err != nil {
		return nil, fmt.Errorf("Constant: %w", err)
	}
	if call.constant, err = f.builder.backend.spool.add(dtypes.UnsafeByteSliceFromAny(flat), shape); err != nil {
		return nil, fmt.Errorf("Constant: %w", err)
	}
	return call.one(func() ([]shapes.Shape, error) { return []shapes.Shape{shape}, nil })
}

// Return implements compute.Function.
func (f *Function) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	if err := f.open(); err != nil {
		return err
	}
	for _, s := range shardings {
		if s != nil {
			return fmt.Errorf("Return: sharding: %w", compute.ErrNotImplemented)
		}
	}
	results := make([]*Value, len(outputs))
	for i, v := range outputs {
		var err error
		if results[i], err = f.visible(v); err != nil {
			return fmt.Errorf("Return: output %d: %w", i, err)
		}
	}
	f.results, f.returned = results, true
	return nil
}

// open says whether ops can be added.
func (f *Function) open() error {
	if f.builder.compiled {
		return errCompiled
	}
	if f.returned {
		return fmt.Errorf("function %q has returned and takes no more ops", f.name)
	}
	return nil
}

// visible returns v as ours, if it belongs to f or to a function around it.
func (f *Function) visible(v compute.Value) (*Value, error) {
	value, ok := v.(*Value)
	if !ok || value == nil {
		return nil, fmt.Errorf("%T is not a value of the record backend", v)
	}
	for g := f; g != nil; g = g.parent {
		if g == value.function {
			return value, nil
		}
	}
	return nil, fmt.Errorf("%s belongs to a function that is not around this one", value)
}

// axisNames returns the names of the dynamic axes that parameters bring.
func (f *Function) axisNames() sets.Set[string] {
	names := sets.Make[string]()
	for g := f; g != nil; g = g.parent {
		for _, p := range g.parameters {
			for _, name := range p.shape.AxisNames {
				if name != "" {
					names.Insert(name)
				}
			}
		}
	}
	return names
}

// checkShape says what graph.pb can't hold.
func checkShape(s shapes.Shape) error {
	if !s.Ok() || s.IsTuple() {
		return fmt.Errorf("%s is no shape of a value", s)
	}
	for axis, dim := range s.Dimensions {
		if dim == shapes.DynamicDim && s.AxisName(axis) == "" {
			return fmt.Errorf("dynamic axis %d of %s has no name", axis, s)
		}
		if dim < 0 && dim != shapes.DynamicDim {
			return fmt.Errorf("axis %d of %s has a negative size", axis, s)
		}
	}
	return nil
}

var errNoDType = errors.New("the element type has no GoMLX dtype")
