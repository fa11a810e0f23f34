package replay

import (
	"reflect"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// maker builds values for the cases; a failure panics and is caught by build.
type maker struct{ compute.Function }

func (m maker) v(v compute.Value, err error) compute.Value {
	if err != nil {
		panic(err)
	}
	return v
}

func (m maker) vs(v []compute.Value, err error) []compute.Value {
	if err != nil {
		panic(err)
	}
	return v
}

func (m maker) constant(flat any, dims ...int) compute.Value { return m.v(m.Constant(flat, dims...)) }

// f32 returns numbers between 1/8 and 3, all different for up to 23.
func (m maker) f32(dims ...int) compute.Value {
	flat := make([]float32, shapes.Make(dtypes.Float32, dims...).Size())
	for i := range flat {
		flat[i] = float32(i*7%23+1) / 8
	}
	return m.constant(flat, dims...)
}

// i32 returns small positive numbers.
func (m maker) i32(dims ...int) compute.Value {
	return m.v(m.ConvertDType(m.v(m.Ceil(m.f32(dims...))), dtypes.Int32))
}

func (m maker) bool(dims ...int) compute.Value {
	return m.v(m.GreaterThan(m.f32(dims...), m.constant([]float32{1})))
}

func (m maker) complex(dims ...int) compute.Value {
	return m.v(m.Complex(m.f32(dims...), m.v(m.Neg(m.f32(dims...)))))
}

func (m maker) scalar(i int32) compute.Value { return m.constant([]int32{i}) }

// closure builds a closure with the given parameters.
func (m maker) closure(params []shapes.Shape, body func(m maker, p []compute.Value) []compute.Value) compute.Function {
	f, err := m.Closure()
	if err != nil {
		panic(err)
	}
	return fillFunction(f, params, body)
}

func fillFunction(f compute.Function, params []shapes.Shape, body func(m maker, p []compute.Value) []compute.Value) compute.Function {
	inner, values := maker{f}, []compute.Value{}
	for i, s := range params {
		values = append(values, inner.v(f.Parameter(string(rune('a'+i)), s, nil)))
	}
	if err := f.Return(body(inner, values), nil); err != nil {
		panic(err)
	}
	return f
}

// opCase uses one op.
type opCase struct {
	op    string
	build func(m maker) []compute.Value
}

func one(op string, build func(m maker) (compute.Value, error)) opCase {
	return opCase{op, func(m maker) []compute.Value { return []compute.Value{m.v(build(m))} }}
}

func list(op string, build func(m maker) ([]compute.Value, error)) opCase {
	return opCase{op, func(m maker) []compute.Value { return m.vs(build(m)) }}
}

func two(op string, build func(m maker) (a, b compute.Value, err error)) opCase {
	return opCase{op, func(m maker) []compute.Value {
		a, b, err := build(m)
		return []compute.Value{m.v(a, err), b}
	}}
}

func three(op string, build func(m maker) (a, b, c compute.Value, err error)) opCase {
	return opCase{op, func(m maker) []compute.Value {
		a, b, c, err := build(m)
		return []compute.Value{m.v(a, err), b, c}
	}}
}

var operandKind = map[string]string{
	"LogicalNot": "bool", "LogicalAnd": "bool", "LogicalOr": "bool", "LogicalXor": "bool",
	"BitwiseNot": "int", "BitCount": "int", "Clz": "int", "BitwiseAnd": "int", "BitwiseOr": "int", "BitwiseXor": "int",
	"ShiftLeft": "int", "ShiftRightArithmetic": "int", "ShiftRightLogical": "int",
	"Conj": "complex", "Real": "complex", "Imag": "complex",
}

// elementwiseCases covers the ops that take one or two values and nothing else.
func elementwiseCases() (cases []opCase) {
	for name, table := range ops {
		if table.attributes != "" || len(table.params) > 2 || slices.ContainsFunc(table.params, func(p param) bool { return p.kind != isValue }) {
			continue
		}
		cases = append(cases, one(name, func(m maker) (compute.Value, error) {
			var arguments []reflect.Value
			for range table.params {
				v := m.f32(2, 3)
				switch operandKind[name] {
				case "bool":
					v = m.bool(2, 3)
				case "int":
					v = m.i32(2, 3)
				case "complex":
					v = m.complex(2, 3)
				}
				arguments = append(arguments, reflect.ValueOf(v))
			}
			values, err := results(reflect.ValueOf(m.Function).MethodByName(name), arguments)
			if err != nil {
				return nil, err
			}
			return values[0], nil
		}))
	}
	return cases
}

func reduceCases() (cases []opCase) {
	for _, name := range []string{"Sum", "Product", "Max", "Min", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "LogicalAnd", "LogicalOr", "LogicalXor"} {
		for _, axes := range [][]int{nil, {0}, {2, 0}} {
			cases = append(cases, one("Reduce"+name, func(m maker) (compute.Value, error) {
				x := m.f32(2, 3, 2)
				switch {
				case name[0] == 'B':
					x = m.i32(2, 3, 2)
				case name[0] == 'L':
					x = m.bool(2, 3, 2)
				}
				method := reflect.ValueOf(m.Function).MethodByName("Reduce" + name)
				values, err := results(method, []reflect.Value{reflect.ValueOf(&x).Elem(), reflect.ValueOf(axes)})
				return append(values, nil)[0], err
			}))
		}
	}
	return cases
}

// movementCases covers the ops that move data.
var movementCases = []opCase{
	one("BroadcastInDim", func(m maker) (compute.Value, error) {
		return m.BroadcastInDim(m.f32(3, 1), shapes.Make(dtypes.Float32, 3, 2, 4), []int{0, 2})
	}),
	one("BroadcastInDim", func(m maker) (compute.Value, error) {
		return m.BroadcastInDim(m.constant([]float32{2}), shapes.Make(dtypes.Float32, 3), nil)
	}),
	one("Reshape", func(m maker) (compute.Value, error) { return m.Reshape(m.f32(2, 6), 3, 4) }),
	one("Reshape", func(m maker) (compute.Value, error) { return m.Reshape(m.f32(1, 1)) }),
	one("DynamicReshape", func(m maker) (compute.Value, error) {
		return m.DynamicReshape(m.f32(2, 6), compute.DynamicDimensionSpec{Static: 3}, compute.DynamicDimensionSpec{Static: 4})
	}),
	one("DynamicDimensionSize", func(m maker) (compute.Value, error) { return m.DynamicDimensionSize(m.f32(2, 6), 1) }),
	one("Transpose", func(m maker) (compute.Value, error) { return m.Transpose(m.f32(2, 3, 4), 2, 0, 1) }),
	one("Concatenate", func(m maker) (compute.Value, error) { return m.Concatenate(1, m.f32(2, 1), m.f32(2, 2), m.f32(2, 3)) }),
	one("Slice", func(m maker) (compute.Value, error) { return m.Slice(m.f32(5, 6), []int{1, 0}, []int{4, 6}, nil) }),
	one("Slice", func(m maker) (compute.Value, error) {
		return m.Slice(m.f32(5, 6), []int{-4, 1}, []int{-1, 6}, []int{2, 3})
	}),
	one("DynamicSlice", func(m maker) (compute.Value, error) {
		return m.DynamicSlice(m.f32(5, 4), []compute.Value{m.scalar(4), m.scalar(-1)}, []int{2, 3})
	}),
	one("DynamicUpdateSlice", func(m maker) (compute.Value, error) {
		return m.DynamicUpdateSlice(m.f32(5, 4), m.v(m.Neg(m.f32(2, 3))), []compute.Value{m.scalar(1), m.scalar(7)})
	}),
	one("Pad", func(m maker) (compute.Value, error) {
		return m.Pad(m.f32(3, 4), m.constant([]float32{9}), compute.PadAxis{Start: 1, End: 2, Interior: 1})
	}),
	one("Pad", func(m maker) (compute.Value, error) {
		return m.Pad(m.f32(3, 4), m.constant([]float32{9}), compute.PadAxis{Start: 1, End: 2}, compute.PadAxis{Start: 0, End: -2})
	}),
	one("Reverse", func(m maker) (compute.Value, error) { return m.Reverse(m.f32(2, 3), 1) }),
	one("Iota", func(m maker) (compute.Value, error) { return m.Iota(shapes.Make(dtypes.Int64, 2, 3), 1) }),
	one("ConvertDType", func(m maker) (compute.Value, error) { return m.ConvertDType(m.f32(2, 3), dtypes.BFloat16) }),
	one("Bitcast", func(m maker) (compute.Value, error) { return m.Bitcast(m.f32(2, 3), dtypes.Uint16) }),
	one("Clamp", func(m maker) (compute.Value, error) {
		return m.Clamp(m.constant([]float32{1}), m.f32(2, 3), m.constant([]float32{2}))
	}),
	one("Where", func(m maker) (compute.Value, error) {
		return m.Where(m.bool(2, 3), m.f32(2, 3), m.constant([]float32{7}))
	}),
	one("ArgMinMax", func(m maker) (compute.Value, error) { return m.ArgMinMax(m.f32(2, 5), 1, dtypes.Int64, true) }),
	one("Gather", func(m maker) (compute.Value, error) {
		return m.Gather(m.f32(5, 4), m.constant([]int64{7, 0, -3}, 3, 1), 1, []int{1}, []int{0}, []int{0}, []int{1, 4}, false)
	}),
	one("ScatterSum", func(m maker) (compute.Value, error) {
		return m.ScatterSum(m.f32(5, 4), m.scatterIndices(), m.f32(3, 4), 1, []int{1}, []int{0}, []int{0}, false, false)
	}),
	one("ScatterMax", func(m maker) (compute.Value, error) {
		return m.ScatterMax(m.f32(5, 4), m.scatterIndices(), m.f32(3, 4), 1, []int{1}, []int{0}, []int{0}, false, false)
	}),
	one("ScatterMin", func(m maker) (compute.Value, error) {
		return m.ScatterMin(m.f32(5, 4), m.scatterIndices(), m.f32(3, 4), 1, []int{1}, []int{0}, []int{0}, true, false)
	}),
	one("SelectAndScatterMax", func(m maker) (compute.Value, error) {
		return m.SelectAndScatterMax(m.f32(4, 6), m.f32(2, 3), []int{2, 2}, nil, nil)
	}),
	one("SelectAndScatterMin", func(m maker) (compute.Value, error) {
		return m.SelectAndScatterMin(m.f32(4, 4), m.f32(3, 2), []int{2, 3}, []int{1, 2}, [][2]int{{0, 0}, {1, 0}})
	}),
	list("OptimizationBarrier", func(m maker) ([]compute.Value, error) { return m.OptimizationBarrier(m.f32(2), m.i32(3)) }),
	one("SchedulingBarrier", func(m maker) (compute.Value, error) { return m.SchedulingBarrier(m.f32(2), m.i32(3), m.f32()) }),
}

func (m maker) scatterIndices() compute.Value { return m.constant([]int32{4, 0, 4}, 3, 1) }
