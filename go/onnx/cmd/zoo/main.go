// Command zoo saves a real model that is built with GoMLX's own means, from the file of a package, as graph.pb. Run by `make zoo`.
//
//	zoo -file FILE -inputs inputs.npz -out NAME.pb MAKER [ARGUMENT ...]
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/export"
	"github.com/coremlc/coremlc/go/internal/npz"
)

// network is a model with its weights.
type network struct {
	store           *model.Store
	build           func(scope *model.Scope, in []*graph.Node) []*graph.Node
	inputs, outputs []string
	twin            bool // it computes in whatever float its variables and inputs have
	direct          bool // coremlc-replay can't run the saved graph: the Go backend runs the model itself
}

var makers = map[string]func(file string, arguments []string) (*network, error){
	"efficientnet": efficientNet,
	"g2p":          g2p,
	"minilm":       miniLM,
	"smollm":       smolLM,
}

func main() {
	file := flag.String("file", "", "the model's file")
	inputs := flag.String("inputs", "", "the .npz with the inputs")
	out := flag.String("out", "", "the graph to write: NAME.pb")
	flag.Parse()
	maker, ok := makers[flag.Arg(0)]
	if !ok || *file == "" || *inputs == "" || *out == "" {
		flag.Usage()
		fmt.Fprintln(os.Stderr, "makers:", slices.Sorted(maps.Keys(makers)))
		os.Exit(2)
	}
	n, err := maker(*file, flag.Args()[1:])
	if err == nil {
		err = n.save(*inputs, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func (n *network) save(inputs, out string) error {
	arrays, err := npz.Read(inputs)
	if err != nil {
		return err
	}
	name := filepath.Base(filepath.Dir(out))
	options := []export.Option{export.Name(name), export.Outputs(n.outputs...)}
	var values []*tensors.Tensor
	for _, name := range n.inputs {
		a, ok := arrays[name]
		if !ok {
			return fmt.Errorf("%s has no %q", inputs, name)
		}
		value, err := tensorOf(a)
		if err != nil {
			return err
		}
		values = append(values, value)
		options = append(options, export.Input(name, value.Shape()))
		if !n.direct {
			options = append(options, export.Golden(value))
		}
	}
	if err := export.Save(out, n.store, n.build, options...); err != nil {
		return err
	}
	vectors := filepath.Join(filepath.Dir(out), "vectors.npz")
	if n.direct {
		if err := n.saveVectors(vectors, values); err != nil {
			return err
		}
	}
	if n.twin {
		return n.addTolerances(vectors, values)
	}
	return nil
}

func (n *network) saveVectors(path string, inputs []*tensors.Tensor) error {
	outputs, err := run(n.store, n.build, inputs)
	if err != nil {
		return err
	}
	arrays := map[string]npz.Array{}
	for i, name := range n.inputs {
		if arrays["in."+name], err = arrayOf(inputs[i]); err != nil {
			return err
		}
	}
	for i, name := range n.outputs {
		if arrays["out."+name], err = arrayOf(outputs[i]); err != nil {
			return err
		}
	}
	return npz.Write(path, arrays)
}

func arrayOf(t *tensors.Tensor) (npz.Array, error) {
	a := npz.Array{DType: t.DType(), Dims: t.Shape().Dimensions}
	err := t.ConstBytes(func(data []byte) { a.Bytes = append([]byte{}, data...) })
	return a, err
}

func tensorOf(a npz.Array) (*tensors.Tensor, error) {
	t := tensors.FromShape(shapes.Make(a.DType, a.Dims...))
	return t, t.MutableBytes(func(data []byte) { copy(data, a.Bytes) })
}

// weights makes a store of the arrays of an .npz.
func weights(arrays map[string]npz.Array) (*model.Store, error) {
	store := model.NewStore()
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		value, err := tensorOf(arrays[name])
		if err != nil {
			return nil, err
		}
		if _, err := store.CreateVariable("/"+name, value); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// variable is the value of a variable of the root scope.
func variable(scope *model.Scope, g *graph.Graph, name string) *graph.Node {
	v := scope.Store().RootScope().GetVariable(name)
	if v == nil {
		panic(fmt.Errorf("there is no weight %q", name))
	}
	return v.NodeValue(g)
}
