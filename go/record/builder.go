package record

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// Value is a recorded value.
type Value struct {
	function *Function
	node     *node // that defines it; nil for a parameter
	name     string
	shape    shapes.Shape
	label    string
}

// SetLabel gives the value a name for people: a variable's path, an alias.
func (v *Value) SetLabel(label string) { v.label = label }

// Label returns what SetLabel set.
func (v *Value) Label() string { return v.label }

// Shape returns the dtype and dims of the value.
func (v *Value) Shape() shapes.Shape { return v.shape }

// String describes the value by its op and source line, for error messages.
func (v *Value) String() string {
	if v.node == nil {
		return fmt.Sprintf("parameter %q", v.name)
	}
	return v.node.String()
}

// Builder records the functions of one graph.
type Builder struct {
	backend   *Backend
	name      string
	functions []*Function // [0] is main; in the order of their creation, so a parent comes before its closures
	compiled  bool
}

var _ compute.Builder = (*Builder)(nil)

func newBuilder(b *Backend, name string) *Builder {
	builder := &Builder{backend: b, name: name}
	builder.add(compute.MainName, nil)
	return builder
}

func (b *Builder) add(name string, parent *Function) *Function {
	f := &Function{builder: b, name: name, parent: parent}
	b.functions = append(b.functions, f)
	return f
}

// Name implements compute.Builder.
func (b *Builder) Name() string { return b.name }

// Main implements compute.Builder.
func (b *Builder) Main() compute.Function { return b.functions[0] }

// NewFunction implements compute.Builder.
func (b *Builder) NewFunction(name string) (compute.Function, error) {
	if b.compiled {
		return nil, errCompiled
	}
	for _, f := range b.functions {
		if f.parent == nil && f.name == name {
			return nil, fmt.Errorf("there is already a function %q", name)
		}
	}
	if name == "" {
		return nil, errors.New("a function needs a name")
	}
	return b.add(name, nil), nil
}

// OpShape implements compute.Builder.
func (b *Builder) OpShape(v compute.Value) (shapes.Shape, error) {
	value, ok := v.(*Value)
	if !ok || value == nil {
		return shapes.Invalid(), fmt.Errorf("%T is not a value of the record backend", v)
	}
	return value.shape, nil
}

// DistributedSPMD implements compute.Builder.
func (b *Builder) DistributedSPMD(numDevices int) error { return oneDevice(numDevices) }

// DistributedAutoSharding implements compute.Builder.
func (b *Builder) DistributedAutoSharding(...compute.Mesh) error { return oneDevice(2) }

// DeviceAssignment implements compute.Builder.
func (b *Builder) DeviceAssignment(devices ...compute.DeviceNum) error {
	return oneDevice(len(devices))
}

func oneDevice(n int) error {
	if n == 1 {
		return nil
	}
	return fmt.Errorf("the record backend has one device, %d asked for: %w", n, compute.ErrNotImplemented)
}

var errCompiled = errors.New("the graph is compiled and takes no more ops")

// Compile ends the recording. The result is a *Recording, which can be saved.
func (b *Builder) Compile() (compute.Executable, error) {
	if b.compiled {
		return nil, errCompiled
	}
	if !b.functions[0].returned {
		return nil, errors.New("the main function has not returned")
	}
	b.compiled = true
	return &Recording{builder: b}, nil
}

// Recording is a finished graph.
type Recording struct{ builder *Builder }

var _ compute.Executable = (*Recording)(nil)

// Finalize implements compute.Executable.
func (r *Recording) Finalize() {}

// Inputs implements compute.Executable.
func (r *Recording) Inputs() (names []string, inputs []shapes.Shape) {
	for _, p := range r.Parameters() {
		names = append(names, p.name)
		inputs = append(inputs, p.shape)
	}
	return names, inputs
}

// Outputs implements compute.Executable.
func (r *Recording) Outputs() (outputs []shapes.Shape) {
	for _, v := range r.Results() {
		outputs = append(outputs, v.shape)
	}
	return outputs
}

// Parameters returns the parameters of the main function.
func (r *Recording) Parameters() []*Value { return r.builder.functions[0].parameters }

// Results returns the results of the main function.
func (r *Recording) Results() []*Value { return r.builder.functions[0].results }

// Execute fails with ErrRecordsOnly.
func (r *Recording) Execute([]compute.Buffer, []bool, compute.DeviceNum) ([]compute.Buffer, error) {
	return nil, fmt.Errorf("graph %q can't be executed: %w", r.builder.name, ErrRecordsOnly)
}
