package export

import (
	"fmt"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/replay"
)

// vectorsFile is beside the graph.
const vectorsFile = "vectors.npz"

// saveVectors runs the saved graph on the Go backend.
func (c *config) saveVectors(path string) error {
	if !c.hasGolden {
		return nil
	}
	inputs := map[string]npz.Array{}
	for i, value := range c.golden {
		a, err := arrayOf(value)
		if err != nil {
			return fmt.Errorf("golden value of %q: %w", c.inputs[i].name, err)
		}
		inputs[c.inputs[i].name] = a
	}
	g, err := replay.Read(path)
	if err != nil {
		return err
	}
	backend, err := replay.GoBackend()
	if err != nil {
		return err
	}
	outputs, err := g.Run(backend, inputs)
	if err != nil {
		return fmt.Errorf("the graph is saved, but there are no golden vectors, as the Go backend can't run it: %w", err)
	}
	arrays := map[string]npz.Array{}
	for name, a := range inputs {
		arrays["in."+name] = a
	}
	for name, a := range outputs {
		arrays["out."+name] = a
	}
	return npz.Write(filepath.Join(filepath.Dir(path), vectorsFile), arrays)
}

func arrayOf(value any) (a npz.Array, err error) {
	t, ok := value.(*tensors.Tensor)
	if !ok {
		if t, err = tensors.FromAnyValue(value); err != nil {
			return a, err
		}
	}
	a = npz.Array{DType: t.DType(), Dims: t.Shape().Dimensions}
	err = t.ConstBytes(func(data []byte) { a.Bytes = append([]byte{}, data...) })
	return a, err
}
