package harvest_test

import (
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/compute/support/testutil"

	"github.com/coremlc/coremlc/go/harvest"
)

// maker builds values; a failure panics.
type maker struct{ compute.Function }

func do[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// closure is one whose parameters have these shapes.
func (m maker) closure(body func(m maker, p []compute.Value) []compute.Value, params ...shapes.Shape) compute.Function {
	f := do(m.Closure())
	fill(f, body, params...)
	return f
}

func fill(f compute.Function, body func(m maker, p []compute.Value) []compute.Value, params ...shapes.Shape) {
	var values []compute.Value
	for i, s := range params {
		values = append(values, do(f.Parameter(string(rune('a'+i)), s, nil)))
	}
	if err := f.Return(body(maker{f}, values), nil); err != nil {
		panic(err)
	}
}

func (m maker) total(x compute.Value) compute.Value { return do(m.ReduceSum(x)) }

func (m maker) f32(x float32) compute.Value { return do(m.Constant([]float32{x})) }

func (m maker) i32(x int32) compute.Value { return do(m.Constant([]int32{x})) }

// count is a While of (index, value) that runs n times.
func (m maker) count(n, start compute.Value, step func(m maker, i, x compute.Value) compute.Value) compute.Value {
	types := []shapes.Shape{i32, do(m.Builder().OpShape(start))}
	cond := m.closure(func(m maker, p []compute.Value) []compute.Value { return []compute.Value{do(m.LessThan(p[0], n))} }, types...)
	body := m.closure(func(m maker, p []compute.Value) []compute.Value {
		return []compute.Value{do(m.Add(p[0], m.i32(1))), step(m, p[0], p[1])}
	}, types...)
	return do(m.While(cond, body, m.i32(0), start))[1]
}

var (
	f32    = shapes.Make(dtypes.Float32)
	i32    = shapes.Make(dtypes.Int32)
	nan    = float32(math.NaN())
	inf    = float32(math.Inf(1))
	minus0 = float32(math.Copysign(0, -1))
)

// ramp is 0, 1, 2 ..
func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	return x
}

// moreCases are what GoMLX's tests never do: values captured by closures, closures in closures, ops that they never call, ranks
// above 5.
var moreCases = []struct {
	name   string
	inputs []any
	build  func(m maker, p []compute.Value) []compute.Value
	want   string
}{
	{"While captures", []any{[]float32{1, 2, 3}, float32(50)}, func(m maker, p []compute.Value) []compute.Value {
		vector := shapes.Make(dtypes.Float32, 3)
		cond := m.closure(func(m maker, v []compute.Value) []compute.Value {
			return []compute.Value{do(m.LessThan(m.total(v[0]), p[1]))}
		}, vector)
		body := m.closure(func(m maker, v []compute.Value) []compute.Value {
			return []compute.Value{do(m.Add(do(m.Add(v[0], v[0])), p[0]))}
		}, vector)
		return do(m.While(cond, body, p[0]))
	}, "[[15 30 45]]"},
	{"If captures", []any{[]float32{1, 2}, []float32{10, 20}}, func(m maker, p []compute.Value) []compute.Value {
		sum := m.closure(func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{do(m.Add(p[0], p[1]))} })
		same := m.closure(func(maker, []compute.Value) []compute.Value { return []compute.Value{p[0]} })
		large := do(m.GreaterThan(m.total(p[0]), m.f32(2)))
		small := do(m.GreaterThan(m.total(p[0]), m.f32(9)))
		return append(do(m.If(large, sum, same)), do(m.If(small, sum, same))...)
	}, "[[11 22] [1 2]]"},
	{"Sort captures", []any{[]float32{5, 1, 9, 4}, float32(4.5)}, func(m maker, p []compute.Value) []compute.Value {
		far := func(m maker, x compute.Value) compute.Value { return do(m.Abs(do(m.Sub(x, p[1])))) }
		nearer := m.closure(func(m maker, v []compute.Value) []compute.Value {
			return []compute.Value{do(m.LessThan(far(m, v[0]), far(m, v[1])))}
		}, f32, f32)
		return do(m.Sort(nearer, 0, true, p[0]))
	}, "[[5 4 1 9]]"},
	{"While in While", []any{int32(4), float32(2.5)}, func(m maker, p []compute.Value) []compute.Value {
		return []compute.Value{m.count(p[0], m.f32(0), func(m maker, i, x compute.Value) compute.Value {
			return m.count(i, x, func(m maker, _, y compute.Value) compute.Value { return do(m.Add(y, p[1])) })
		})}
	}, "[15]"},
	{"If in While in If", []any{int32(5), float32(3), float32(1)}, func(m maker, p []compute.Value) []compute.Value {
		n, x, y := p[0], p[1], p[2]
		looped := m.closure(func(m maker, _ []compute.Value) []compute.Value {
			twice := do(m.Add(y, y))
			return []compute.Value{m.count(n, x, func(m maker, i, s compute.Value) compute.Value {
				even := do(m.Equal(do(m.Rem(i, m.i32(2))), m.i32(0)))
				plus := m.closure(func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{do(m.Add(s, x))} })
				minus := m.closure(func(m maker, _ []compute.Value) []compute.Value { return []compute.Value{do(m.Sub(s, twice))} })
				return do(m.If(even, plus, minus))[0]
			})}
		})
		same := m.closure(func(maker, []compute.Value) []compute.Value { return []compute.Value{x} })
		return do(m.If(do(m.LessThan(y, x)), looped, same))
	}, "[8]"},
	{"Call in While", []any{int32(3), []float32{1, 2}}, func(m maker, p []compute.Value) []compute.Value {
		squares := do(m.Builder().NewFunction("squares"))
		fill(squares, func(m maker, v []compute.Value) []compute.Value { return []compute.Value{do(m.Mul(v[0], v[0]))} },
			shapes.Make(dtypes.Float32, 2))
		return []compute.Value{m.count(p[0], p[1], func(m maker, _, x compute.Value) compute.Value { return do(m.Call(squares, x))[0] })}
	}, "[[1 256]]"},
	{"NotEqual", []any{[]float32{nan, minus0, 0, 1, -inf}, []float32{nan, 0, minus0, 2, inf}}, func(m maker, p []compute.Value) []compute.Value {
		return []compute.Value{do(m.NotEqual(p[0], p[1])), do(m.NotEqual(p[0], p[0]))}
	}, "[[true false false true true] [true false false false false]]"},
	{"total order", []any{[]float32{nan, minus0, 0, 1, -inf}, []float32{nan, 0, minus0, 2, inf}}, func(m maker, p []compute.Value) []compute.Value {
		a, b := p[0], p[1]
		return []compute.Value{do(m.EqualTotalOrder(a, b)), do(m.NotEqualTotalOrder(a, b)), do(m.GreaterThanTotalOrder(a, b)),
			do(m.LessOrEqualTotalOrder(a, b))}
	}, "[[true false false false false] [false true true true true] [false false true false false] [true true false true true]]"},
	{"rank 6: transpose", []any{ramp(64)}, func(m maker, p []compute.Value) []compute.Value {
		x := do(m.Reshape(p[0], 2, 2, 2, 2, 2, 2))
		return []compute.Value{flat(m, do(m.Slice(do(m.Transpose(x, 5, 3, 1, 0, 2, 4)), []int{1, 0, 0, 0, 0, 0}, []int{2, 2, 2, 2, 1, 1}, nil)))}
	}, "[[1 33 17 49 5 37 21 53]]"},
	{"rank 7: sum", []any{ramp(128)}, func(m maker, p []compute.Value) []compute.Value {
		x := do(m.Reshape(p[0], 2, 2, 2, 2, 2, 2, 2))
		return []compute.Value{flat(m, do(m.ReduceSum(x, 0, 2, 4, 6))), flat(m, do(m.ReduceMax(x, 1, 3, 5)))}
	}, "[[680 712 808 840 1192 1224 1320 1352] [42 43 46 47 58 59 62 63 106 107 110 111 122 123 126 127]]"},
	{"rank 8: broadcast", []any{ramp(4), ramp(4)}, func(m maker, p []compute.Value) []compute.Value {
		wide := shapes.Make(dtypes.Float32, 2, 1, 2, 1, 1, 2, 1, 2)
		a := do(m.BroadcastInDim(do(m.Reshape(p[0], 2, 2)), wide, []int{0, 2}))
		b := do(m.BroadcastInDim(do(m.Reshape(p[1], 2, 2)), wide, []int{5, 7}))
		return []compute.Value{flat(m, do(m.Sub(do(m.Mul(a, m.f32(10))), b)))}
	}, "[[0 -1 -2 -3 10 9 8 7 20 19 18 17 30 29 28 27]]"},
	{"rank 6: product", []any{ramp(32), ramp(32)}, func(m maker, p []compute.Value) []compute.Value {
		a, b := do(m.Reshape(p[0], 2, 2, 1, 2, 2, 2)), do(m.Reshape(p[1], 2, 2, 1, 2, 2, 2))
		y := do(m.DotGeneral(a, []int{5, 3}, []int{0, 1}, b, []int{4, 3}, []int{0, 1}, compute.DotGeneralConfig{}))
		return []compute.Value{flat(m, do(m.ReduceSum(y, 2)))}
	}, "[[48 58 72 90 480 522 568 618 1424 1498 1576 1658 2880 2986 3096 3210]]"},
	{"rank 6: joined, reversed, padded", []any{ramp(16)}, func(m maker, p []compute.Value) []compute.Value {
		x := do(m.Reshape(p[0], 2, 1, 2, 2, 1, 2))
		twice := do(m.Concatenate(4, x, do(m.Reverse(x, 0, 3, 5))))
		padded := do(m.Pad(twice, m.f32(-1), compute.PadAxis{Start: 1}))
		return []compute.Value{flat(m, padded)}
	}, "[[-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 0 1 11 10 2 3 9 8 4 5 15 14 6 7 13 12 8 9 3 2 10 11 1 0 12 13 7 6 14 15 5 4]]"},
	{"rank 6: sorted, greatest", []any{[]float32{3, 1, 2, 0, 7, 6, 5, 4, 1, 9, 8, 2, 0, 0, 3, 3}}, func(m maker, p []compute.Value) []compute.Value {
		x := do(m.Reshape(p[0], 2, 1, 2, 1, 1, 4))
		less := m.closure(func(m maker, v []compute.Value) []compute.Value { return []compute.Value{do(m.LessThan(v[0], v[1]))} }, f32, f32)
		return []compute.Value{flat(m, do(m.Sort(less, 5, true, x))[0]), flat(m, do(m.ArgMinMax(x, 5, dtypes.Int32, false)))}
	}, "[[0 1 2 3 4 5 6 7 1 2 8 9 0 0 3 3] [0 0 1 2]]"},
}

func flat(m maker, x compute.Value) compute.Value {
	return do(m.Reshape(x, do(m.Builder().OpShape(x)).Size()))
}

// TestMore is a part of `make harvest`, too.
func TestMore(t *testing.T) {
	t.Setenv(harvest.EnvDir, firstOf(os.Getenv(harvest.EnvDir), t.TempDir()))
	b := do(compute.NewWithConfig(harvest.Name + ":" + harvest.DynamicAxes))
	for _, c := range moreCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := testutil.Exec(b, c.inputs, func(f compute.Function, p []compute.Value) ([]compute.Value, error) {
				return c.build(maker{f}, p), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			lacking := c.name == "total order" && os.Getenv(harvest.EnvJudge) == "" // the Go backend has none
			if !lacking && fmt.Sprint(got) != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
