package replay

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/coremlc/coremlc/go/graphpb"
)

// builder rebuilds the functions of a graph.
type builder struct {
	graph     *Graph
	builder   compute.Builder
	functions map[int]*built
	values    map[uint64]compute.Value
	owner     map[uint64]int // function that defines a value
}

type built struct {
	function compute.Function
	done     bool
}

// Build rebuilds the graph on a backend, comparing the shape of every value with the recorded one. A few ops that the backend
// does not have are decomposed, see decompositions.
func (g *Graph) Build(backend compute.Backend) (executable compute.Executable, err error) {
	defer recovered(&err)
	b := &builder{graph: g, builder: backend.Builder(g.File.Name), functions: map[int]*built{},
		values: map[uint64]compute.Value{}, owner: map[uint64]int{}}
	if _, err := b.function(int(g.File.Main)); err != nil {
		return nil, err
	}
	return b.builder.Compile()
}

// recovered turns a panic of a backend into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the backend panicked: %v", r)
	}
}

func (b *builder) function(index int) (compute.Function, error) {
	if index >= len(b.graph.File.Functions) {
		return nil, fmt.Errorf("there is no function %d", index)
	}
	if f, ok := b.functions[index]; ok {
		if !f.done {
			return nil, fmt.Errorf("function %d uses itself", index)
		}
		return f.function, nil
	}
	fn := b.graph.File.Functions[index]
	f, err := b.begin(index, fn)
	if err != nil {
		return nil, err
	}
	entry := &built{function: f}
	b.functions[index] = entry
	if err := b.body(index, f, fn); err != nil {
		return nil, err
	}
	entry.done = true
	return f, nil
}

func (b *builder) begin(index int, fn *graphpb.Function) (compute.Function, error) {
	switch fn.Kind {
	case graphpb.Function_MAIN:
		return b.builder.Main(), nil
	case graphpb.Function_NAMED:
		return b.builder.NewFunction(fn.Name)
	case graphpb.Function_CLOSURE:
		parent, ok := b.functions[int(fn.ParentPlus_1)-1]
		if !ok {
			return nil, fmt.Errorf("closure %d is used outside its parent", index)
		}
		return parent.function.Closure()
	}
	return nil, fmt.Errorf("function %d has the unknown kind %s", index, fn.Kind)
}

func (b *builder) body(index int, f compute.Function, fn *graphpb.Function) error {
	for _, p := range fn.Parameters {
		shape, err := parseShape(p.Value.Shape)
		if err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		v, err := f.Parameter(p.Name, shape, nil)
		if err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
		b.values[p.Value.Id], b.owner[p.Value.Id] = v, index
	}
	for _, n := range fn.Nodes {
		if err := b.node(index, f, n); err != nil {
			return fmt.Errorf("%s: %w", b.graph.describe(n), err)
		}
	}
	results := make([]compute.Value, len(fn.Results))
	for i, r := range fn.Results {
		var err error
		if results[i], err = b.value(index, r.Value); err != nil || results[i] == nil {
			return fmt.Errorf("result %d of function %d: %w", i, index, errors.Join(err))
		}
	}
	return f.Return(results, nil)
}

// value returns the value of an id that is defined in the function or around it; nil for id 0.
func (b *builder) value(function int, id uint64) (compute.Value, error) {
	if id == 0 {
		return nil, nil
	}
	v, ok := b.values[id]
	if !ok {
		return nil, fmt.Errorf("value %d is not defined yet", id)
	}
	for f := function; f >= 0; f = int(b.graph.File.Functions[f].ParentPlus_1) - 1 {
		if f == b.owner[id] {
			return v, nil
		}
	}
	return nil, fmt.Errorf("value %d belongs to a function that is not around this one", id)
}

func (b *builder) node(index int, f compute.Function, n *graphpb.Node) error {
	results, err := b.call(index, f, n)
	if err != nil {
		return err
	}
	if len(results) != len(n.Results) {
		return fmt.Errorf("%d results, %d were recorded", len(results), len(n.Results))
	}
	for i, v := range n.Results {
		want, err := parseShape(v.Shape)
		if err != nil {
			return err
		}
		got, err := f.Shape(results[i])
		if err != nil {
			return err
		}
		if !got.Equal(want) {
			return fmt.Errorf("result %d is %s, recorded as %s", i, got, want)
		}
		b.values[v.Id], b.owner[v.Id] = results[i], index
	}
	return nil
}

func (b *builder) call(index int, f compute.Function, n *graphpb.Node) ([]compute.Value, error) {
	if n.Op == "Constant" {
		v, err := b.constant(f, n.Constant)
		return []compute.Value{v}, err
	}
	operands := make([]compute.Value, len(n.Operands))
	for i, id := range n.Operands {
		var err error
		if operands[i], err = b.value(index, id); err != nil {
			return nil, err
		}
	}
	results, err := b.invoke(f, n, operands)
	if decompose, ok := decompositions[n.Op]; ok && compute.IsNotImplemented(err) {
		v, err := decompose(&steps{f: f}, n, operands)
		return []compute.Value{v}, err
	}
	return results, err
}

func (b *builder) constant(f compute.Function, t *graphpb.Tensor) (compute.Value, error) {
	shape, data, err := b.graph.tensor(t)
	if err != nil {
		return nil, err
	}
	return f.Constant(flatOf(data, shape), shape.Dimensions...)
}

// invoke calls the method of the op with arguments made from the node.
func (b *builder) invoke(f compute.Function, n *graphpb.Node, operands []compute.Value) ([]compute.Value, error) {
	table := ops[n.Op]
	attributes, err := attributesOf(n, table)
	if err != nil {
		return nil, err
	}
	method := reflect.ValueOf(f).MethodByName(n.Op)
	if !method.IsValid() {
		return nil, fmt.Errorf("the backend has no method %s: %w", n.Op, compute.ErrNotImplemented)
	}
	d, err := newDecoder(table, attributes, operands)
	if err != nil {
		return nil, err
	}
	functions := n.Functions
	var arguments []reflect.Value
	for i, p := range table.params {
		argument := reflect.New(method.Type().In(i)).Elem()
		switch p.kind {
		case isValue:
			setValue(argument, d.next())
		case isValues:
			argument.Set(reflect.ValueOf(d.list()))
		case isFunction:
			if len(functions) == 0 {
				return nil, fmt.Errorf("the function %s is missing", p.name)
			}
			fn, err := b.function(int(functions[0]))
			if err != nil {
				return nil, err
			}
			argument.Set(reflect.ValueOf(fn))
			functions = functions[1:]
		case isAttribute:
			field := attributes.Descriptor().Fields().ByName(protoreflect.Name(p.name))
			if err := d.set(argument, attributes.Get(field)); err != nil {
				return nil, fmt.Errorf("attribute %s: %w", p.name, err)
			}
		}
		arguments = append(arguments, argument)
	}
	return results(method, arguments)
}

// results calls a method and returns its values in one list.
func results(method reflect.Value, arguments []reflect.Value) ([]compute.Value, error) {
	call := method.Call
	if method.Type().IsVariadic() {
		call = method.CallSlice
	}
	returned := call(arguments)
	last := len(returned) - 1
	if err, _ := returned[last].Interface().(error); err != nil {
		return nil, err
	}
	var values []compute.Value
	for _, r := range returned[:last] {
		if list, ok := r.Interface().([]compute.Value); ok {
			values = append(values, list...)
		} else {
			values = append(values, r.Interface())
		}
	}
	return values, nil
}

// flatOf returns the Go slice that a backend takes for element bytes; those under 8 bits stay packed.
func flatOf(data []byte, shape shapes.Shape) any {
	dtype, n := shape.DType, shape.Size()
	if dtype.IsPacked() {
		dtype, n = dtypes.Uint8, len(data)
	}
	flat := dtypes.MakeAnySlice(dtype, n)
	copy(dtypes.UnsafeByteSliceFromAny(flat), data)
	return flat
}
