// Package filling has values for the inputs and variables of models that nobody has trained: always the same, on every machine.
package filling

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/record"
)

// Random returns a generator that always gives the same numbers.
func Random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// Floats returns a tensor of multiples of 1/64 in [-2, 2): short sums of products of them are exact in float32.
func Floats(r *rand.Rand, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(FloatSlice(r, Count(dims)), dims...)
}

// FloatSlice returns n of the numbers of Floats.
func FloatSlice(r *rand.Rand, n int) []float32 {
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(r.IntN(256)-128) / 64
	}
	return data
}

// Integers returns a tensor of numbers in [-limit, limit].
func Integers(r *rand.Rand, limit int32, dims ...int) *tensors.Tensor {
	data := make([]int32, Count(dims))
	for i := range data {
		data[i] = r.Int32N(2*limit+1) - limit
	}
	return tensors.FromFlatDataAndDimensions(data, dims...)
}

// Count returns how many elements dims have.
func Count(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Store returns a store with all variables of a model of float32. They are of our own random numbers, as those of GoMLX's
// initializers depend on the processor: multiples of a power of two, of a size that keeps what the model computes near 1.
func Store[F model.ExecGraphFn](seed uint64, modelFn F, inputs ...shapes.Shape) (*model.Store, error) {
	store := model.NewStore()
	backend := record.New(record.Options{})
	defer backend.Finalize()
	exec, err := model.NewExec(backend, store, modelFn)
	if err != nil {
		return nil, err
	}
	if _, err := exec.Compile(inputs...); err != nil { // creates the variables
		return nil, err
	}
	var variables []*model.Variable
	for v := range store.IterVariables() {
		variables = append(variables, v)
	}
	slices.SortFunc(variables, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
	r := Random(seed)
	for _, v := range variables {
		if err := v.SetValue(weights(r, v.Shape().Dimensions)); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// weights: a matrix gets a deviation of about 1/sqrt(rows), a vector (biases, scales) values in [1/2, 3/2).
func weights(r *rand.Rand, dims []int) *tensors.Tensor {
	data := FloatSlice(r, Count(dims)) // in [-2, 2)
	if len(dims) < 2 {
		for i := range data {
			data[i] = 1 + data[i]/4
		}
		return tensors.FromFlatDataAndDimensions(data, dims...)
	}
	rows := Count(dims) / dims[len(dims)-1]
	scale := float32(math.Ldexp(1, -bits.Len(uint(rows))/2))
	for i := range data {
		data[i] *= scale
	}
	return tensors.FromFlatDataAndDimensions(data, dims...)
}
