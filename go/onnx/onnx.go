// Package onnx saves ONNX models as graph.pb, by way of onnx-gomlx: what GoMLX makes of the model is what is saved.
//
// A model shall first go through prepare.py, which folds constants, rewrites what onnx-gomlx lacks, and computes reference vectors by
// ONNX Runtime. An import that differs from them is an error: onnx-gomlx is wrong about some models without saying so.
package onnx

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/onnx-gomlx/onnx"
	"github.com/gomlx/onnx-gomlx/onnx/parser"

	"github.com/coremlc/coremlc/go/export"
	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/record"
)

// Options of Import.
type Options struct {
	// Name of the saved model; by default that of the file.
	Name string
	// Tolerance is the largest difference to the reference that is accepted, relative to the largest number of an output (or to 1 if
	// that is smaller). Integers must be equal. Default 1e-4.
	Tolerance float64
	// Fuse lets onnx-gomlx put fused ops for patterns that it knows.
	Fuse bool
}

// Import saves a prepared ONNX model as path ("NAME.pb"), its weights beside it, and vectors.npz: the inputs of the reference file
// and what GoMLX makes of them. The reference file holds "in.<name>" for every input of the model and "out.<name>" for every output that
// shall be saved. If GoMLX's outputs differ from those, nothing stays.
func Import(onnxFile, reference, path string, options Options) ([]Difference, error) {
	vectors, err := npz.Read(reference)
	if err != nil {
		return nil, err
	}
	differences, err := importModel(onnxFile, vectors, path, options)
	if err != nil {
		err = fmt.Errorf("import %s: %w", onnxFile, err)
		return differences, errors.Join(err, removeOutputs(path))
	}
	return differences, nil
}

func removeOutputs(path string) error {
	var errs []error
	for _, file := range []string{path, strings.TrimSuffix(path, ".pb") + ".safetensors", vectorsOf(path)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func vectorsOf(path string) string { return filepath.Join(filepath.Dir(path), "vectors.npz") }

func importModel(onnxFile string, vectors map[string]npz.Array, path string, options Options) (differences []Difference, err error) {
	defer func() { // onnx-gomlx panics about what it can't read
		if r := recover(); r != nil {
			err = fmt.Errorf("onnx-gomlx: %v", r)
		}
	}()
	m, err := parser.ParseFile(onnxFile)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if !options.Fuse {
		m.DisableFusion()
	}
	store := model.NewStore()
	if err := m.VariablesToScope(store.RootScope()); err != nil {
		return nil, err
	}
	inputs, _ := m.Inputs()
	modelOutputs, _ := m.Outputs()
	saved := saveOptions(inputs, vectors)
	outputs := slices.DeleteFunc(slices.Clone(modelOutputs), func(name string) bool { return !has(vectors, "out."+name) })
	if len(outputs) != len(slices.DeleteFunc(slices.Collect(maps.Keys(vectors)), func(k string) bool { return !strings.HasPrefix(k, "out.") })) {
		return nil, fmt.Errorf("the reference has other outputs than the model: %q", modelOutputs)
	}
	if saved.err != nil {
		return nil, saved.err
	}
	name := options.Name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(onnxFile), ".onnx")
	}
	list := append(saved.options, export.Name(name), export.Outputs(outputs...))
	onnx.Within = within(name + ".onnx")
	err = export.Save(path, store, func(scope *model.Scope, in []*graph.Node) []*graph.Node {
		byName := map[string]*graph.Node{}
		for i, name := range inputs {
			byName[name] = in[i]
		}
		return m.CallGraph(scope, in[0].Graph(), byName, outputs...)
	}, list...)
	if err != nil {
		return nil, err
	}
	return compare(vectors, path, outputs, options.Tolerance)
}

// within makes what is recorded name the ONNX nodes of a file.
func within(file string) func(g *graph.Graph, node string) (leave func()) {
	return func(g *graph.Graph, node string) (leave func()) {
		backend, ok := g.Backend().(*record.Backend)
		if !ok { // GoMLX's own, for the vectors
			return func() {}
		}
		return backend.Within(file, node)
	}
}

type saving struct {
	options []export.Option
	err     error
}

func saveOptions(inputs []string, vectors map[string]npz.Array) (s saving) {
	for _, name := range inputs {
		a, ok := vectors["in."+name]
		if !ok {
			s.err = fmt.Errorf("the reference has no in.%s", name)
			return s
		}
		shape := shapes.Make(a.DType, a.Dims...)
		t := tensors.FromShape(shape)
		if s.err = t.MutableBytes(func(data []byte) { copy(data, a.Bytes) }); s.err != nil {
			return s
		}
		s.options = append(s.options, export.Input(name, shape), export.Golden(t))
	}
	return s
}

func has(m map[string]npz.Array, key string) bool { _, ok := m[key]; return ok }
