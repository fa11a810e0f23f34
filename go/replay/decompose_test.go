package replay

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// run records a case and replays it on the Go backend.
func run(t *testing.T, build1 func(m maker) (compute.Value, error)) Array {
	t.Helper()
	executable, err := build(newRecorder(t), one("", build1))
	if err != nil {
		t.Fatal(err)
	}
	backend, err := GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := saved(t, executable).Run(backend, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outputs["output0"]
}

func float32s(a Array) []float32 {
	flat := make([]float32, len(a.Bytes)/4)
	copy(dtypes.UnsafeByteSlice(flat), a.Bytes)
	return flat
}

func grid(rows, columns int, f func(i, j int) float32) []float32 {
	var flat []float32
	for i := range rows {
		for j := range columns {
			flat = append(flat, f(i, j))
		}
	}
	return flat
}

func plain(i, j int) float32 { return float32(10*i + j) }

// startForms are the ways to say where a window starts.
var startForms = map[string]func(m maker, i, j int32) []compute.Value{
	"scalars": func(m maker, i, j int32) []compute.Value { return []compute.Value{m.scalar(i), m.scalar(j)} },
	"vector":  func(m maker, i, j int32) []compute.Value { return []compute.Value{m.constant([]int32{i, j}, 2)} },
}

func TestDynamicSliceIsDecomposed(t *testing.T) {
	for form, starts := range startForms {
		for start, want := range map[int32]int{-7: 0, 0: 0, 2: 2, 3: 3, 4: 3, 99: 3} {
			got := float32s(run(t, func(m maker) (compute.Value, error) {
				x := m.constant(grid(5, 4, plain), 5, 4)
				return m.DynamicSlice(x, starts(m, start, 1), []int{2, 3})
			}))
			if fmt.Sprint(got) != fmt.Sprint(grid(2, 3, func(i, j int) float32 { return plain(i+want, j+1) })) {
				t.Errorf("start %d, %s: %v", start, form, got)
			}
		}
	}
}

func TestDynamicUpdateSliceIsDecomposed(t *testing.T) {
	for form, starts := range startForms {
		for start, want := range map[int32]int{-7: 0, 0: 0, 2: 2, 3: 3, 4: 3, 99: 3} {
			got := float32s(run(t, func(m maker) (compute.Value, error) {
				x, update := m.constant(grid(5, 4, plain), 5, 4), m.constant(grid(2, 3, func(i, j int) float32 { return -plain(i, j) - 1 }), 2, 3)
				return m.DynamicUpdateSlice(x, update, starts(m, start, 1))
			}))
			expected := grid(5, 4, func(i, j int) float32 {
				if i >= want && i < want+2 && j >= 1 {
					return -plain(i-want, j-1) - 1
				}
				return plain(i, j)
			})
			if fmt.Sprint(got) != fmt.Sprint(expected) {
				t.Errorf("start %d, %s: %v, want %v", start, form, got, expected)
			}
		}
	}
}

func TestBatchNormForInferenceIsDecomposed(t *testing.T) {
	scale, offset, mean, variance := []float32{1, 2, 3}, []float32{-1, 0, 5}, []float32{4, 5, 6}, []float32{0, 1, 9}
	got := float32s(run(t, func(m maker) (compute.Value, error) {
		return m.BatchNormForInference(m.constant(grid(2, 3, plain), 2, 3), m.constant(scale, 3), m.constant(offset, 3),
			m.constant(mean, 3), m.constant(variance, 3), 0.5, 1)
	}))
	for k, want := range grid(2, 3, func(i, j int) float32 {
		return (plain(i, j)-mean[j])*scale[j]/float32(math.Sqrt(float64(variance[j])+0.5)) + offset[j]
	}) {
		if math.Abs(float64(got[k]-want)) > 1e-5*math.Abs(float64(want)) {
			t.Errorf("element %d is %v, want %v", k, got[k], want)
		}
	}
}
