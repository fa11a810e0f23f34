// Command bench makes the synthetic graphs that benchmarks/ times, each in a directory with its weights, its inputs and what GoMLX's Go
// backend makes of them. Without names it makes all.
//
//	go run ./cmd/bench [-out ../out/bench] [NAME ...]
package main

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/export"
	"github.com/coremlc/coremlc/go/internal/filling"
	"github.com/coremlc/coremlc/go/internal/npz"
)

// benchmark is a graph, and what it is timed on.
type benchmark struct {
	build   func(scope *model.Scope, in []*Node) []*Node
	inputs  []input
	unknown bool // what its outputs are: the Go backend lacks an op
}

type input struct {
	name string
	make func(r *rand.Rand) *tensors.Tensor
}

// groups of benchmarks by name.
var groups = []map[string]benchmark{kernels, reductions, networks, transformers, integers, loops}

func main() {
	out := flag.String("out", "../out/bench", "the directory of all of them")
	flag.Parse()
	all := benchmarks()
	names := flag.Args()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(all))
	}
	for _, name := range names {
		b, ok := all[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "error: there is no benchmark %q\n", name)
			os.Exit(2)
		}
		if err := b.save(name, filepath.Join(*out, name)); err != nil {
			fmt.Fprintf(os.Stderr, "error: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func benchmarks() map[string]benchmark {
	all := map[string]benchmark{}
	for _, group := range groups {
		maps.Copy(all, group)
	}
	return all
}

// save writes graph.pb, graph.safetensors and vectors.npz.
func (b benchmark) save(name, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	options := []export.Option{export.Name(name)}
	vectors := map[string]npz.Array{}
	var given []shapes.Shape
	r := filling.Random(1)
	for _, in := range b.inputs {
		value := in.make(r)
		given = append(given, value.Shape())
		options = append(options, export.Input(in.name, value.Shape()))
		if !b.unknown {
			options = append(options, export.Golden(value))
		}
		array, err := npz.Of(value)
		if err != nil {
			return err
		}
		vectors["in."+in.name] = array
	}
	store, err := filling.Store(2, b.build, given...)
	if err != nil {
		return err
	}
	if err := export.Save(filepath.Join(dir, "graph.pb"), store, b.build, options...); err != nil || !b.unknown {
		return err
	}
	return npz.Write(filepath.Join(dir, "vectors.npz"), vectors)
}

// floats is an input of float32, near 0.
func floats(name string, dims ...int) input {
	return input{name, func(r *rand.Rand) *tensors.Tensor { return filling.Floats(r, dims...) }}
}

// places is an input of int32 from 0 to limit-1.
func places(name string, limit int32, dims ...int) input {
	return input{name, func(r *rand.Rand) *tensors.Tensor {
		data := make([]int32, filling.Count(dims))
		for i := range data {
			data[i] = r.Int32N(limit)
		}
		return tensors.FromFlatDataAndDimensions(data, dims...)
	}}
}

// whole is an input of int32 of either sign.
func whole(name string, limit int32, dims ...int) input {
	return input{name, func(r *rand.Rand) *tensors.Tensor { return filling.Integers(r, limit, dims...) }}
}

// weight is the value of a variable of float32.
func weight(scope *model.Scope, g *Graph, name string, dims ...int) *Node {
	return scope.VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).NodeValue(g)
}

// one makes a benchmark's function of one of nodes.
func one(f func(in []*Node) *Node) func(*model.Scope, []*Node) []*Node {
	return func(_ *model.Scope, in []*Node) []*Node { return []*Node{f(in)} }
}
