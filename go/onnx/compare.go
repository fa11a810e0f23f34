package onnx

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/coremlc/coremlc/go/internal/npz"
)

const defaultTolerance = 1e-4

// Difference is how far an output of GoMLX is from that of ONNX Runtime.
type Difference struct {
	Output  string
	Most    float64 // the largest absolute difference
	Largest float64 // the largest number of the reference
}

// compare reads the vectors that were saved beside path.
func compare(reference map[string]npz.Array, path string, outputs []string, tolerance float64) ([]Difference, error) {
	if tolerance == 0 {
		tolerance = defaultTolerance
	}
	got, err := npz.Read(vectorsOf(path))
	if err != nil {
		return nil, err
	}
	var differences []Difference
	for _, name := range outputs {
		d, err := difference(name, got["out."+name], reference["out."+name])
		if err != nil {
			return differences, err
		}
		differences = append(differences, d)
		if !(d.Most <= tolerance*math.Max(1, d.Largest)) { // also NaN
			err := fmt.Errorf("output %q differs from ONNX Runtime by %.3g (its largest number is %.3g)", name, d.Most, d.Largest)
			return differences, err
		}
	}
	return differences, nil
}

func difference(name string, got, want npz.Array) (Difference, error) {
	d := Difference{Output: name}
	if got.DType != want.DType || !slices.Equal(got.Dims, want.Dims) {
		return d, fmt.Errorf("output %q is %s%v, in ONNX Runtime %s%v", name, got.DType, got.Dims, want.DType, want.Dims)
	}
	if got.DType != dtypes.Float32 {
		if !bytes.Equal(got.Bytes, want.Bytes) {
			return d, fmt.Errorf("output %q (%s) differs from ONNX Runtime", name, got.DType)
		}
		return d, nil
	}
	x, y := floats(got), floats(want)
	for i := range x {
		if x[i] == y[i] || x[i] != x[i] && y[i] != y[i] {
			continue
		}
		away := math.Abs(float64(x[i]) - float64(y[i]))
		if math.IsNaN(away) {
			away = math.Inf(1)
		}
		d.Most = math.Max(d.Most, away)
	}
	for _, v := range y {
		d.Largest = math.Max(d.Largest, math.Abs(float64(v)))
	}
	return d, nil
}

func floats(a npz.Array) []float32 {
	flat := make([]float32, len(a.Bytes)/4)
	copy(dtypes.UnsafeByteSlice(flat), a.Bytes)
	return flat
}
