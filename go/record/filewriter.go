package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// fileWriter turns a recording into a GraphFile.
type fileWriter struct {
	recording *Recording
	details   Details
	file      *graphpb.GraphFile

	live      map[*node]bool
	used      map[*Function]uint32 // index in the file
	ids       map[*Value]uint64
	sources   map[string]uint32 // index plus 1
	externals []external
	byContent map[string]int // content key -> index in externals
	names     map[string]bool
	defaults  map[*Value]*constant // of parameters
}

// external is a tensor of the data file.
type external struct {
	name     string
	constant *constant
}

func (w *fileWriter) build(dataFile string) error {
	w.used, w.ids, w.byContent, w.names = map[*Function]uint32{}, map[*Value]uint64{}, map[string]int{}, map[string]bool{}
	if err := w.complete(); err != nil {
		return err
	}
	if err := w.keepDefaults(); err != nil {
		return err
	}
	w.markLive()
	var functions []*Function
	for _, f := range w.recording.builder.functions {
		if _, ok := w.used[f]; ok {
			w.used[f] = uint32(len(functions))
			functions = append(functions, f)
		}
	}
	w.number(functions)
	w.listSources(functions)
	for _, f := range functions {
		w.file.Functions = append(w.file.Functions, w.function(f))
	}
	if len(w.externals) > 0 {
		w.file.DataFiles = []*graphpb.DataFile{{Name: dataFile}}
	}
	w.axes(functions)
	w.features(functions)
	for _, key := range slices.Sorted(maps.Keys(w.details.Metadata)) {
		w.file.Metadata = append(w.file.Metadata, &graphpb.Entry{Key: key, Value: w.details.Metadata[key]})
	}
	return nil
}

// complete fills in and checks the details of parameters and results.
func (w *fileWriter) complete() error {
	d, parameters, results := &w.details, w.recording.Parameters(), w.recording.Results()
	if d.Parameters == nil {
		for _, p := range parameters {
			d.Parameters = append(d.Parameters, Parameter{Name: p.name, Role: graphpb.Parameter_INPUT})
		}
	}
	if d.Results == nil {
		for i := range results {
			d.Results = append(d.Results, Result{Name: fmt.Sprintf("output%d", i), Role: graphpb.Result_OUTPUT})
		}
	}
	if len(d.Parameters) != len(parameters) || len(d.Results) != len(results) {
		return fmt.Errorf("details of %d parameters and %d results for %d and %d", len(d.Parameters), len(d.Results), len(parameters), len(results))
	}
	seen := map[string]bool{}
	for _, p := range d.Parameters {
		if p.Name == "" || seen[p.Name] {
			return fmt.Errorf("two parameters are named %q, or one has no name", p.Name)
		}
		seen[p.Name] = true
	}
	seen = map[string]bool{}
	for _, r := range d.Results {
		if r.Name == "" || seen[r.Name] {
			return fmt.Errorf("two results are named %q, or one has no name", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

// keepDefaults turns the defaults of parameters into constants.
func (w *fileWriter) keepDefaults() error {
	w.defaults = map[*Value]*constant{}
	for i, v := range w.recording.Parameters() {
		d := w.details.Parameters[i]
		if d.Default == nil {
			continue
		}
		c, err := w.recording.builder.backend.spool.add(dtypes.UnsafeByteSliceFromAny(d.Default), v.shape)
		if err != nil {
			return fmt.Errorf("default of %q: %w", d.Name, err)
		}
		if want := int64(v.shape.ByteSize()); c.size != want {
			return fmt.Errorf("default of %q: %d bytes for %s, want %d", d.Name, c.size, v.shape, want)
		}
		w.defaults[v] = c
	}
	return nil
}

// markLive finds the nodes and functions that a result of main needs.
func (w *fileWriter) markLive() {
	w.live = map[*node]bool{}
	main := w.recording.builder.functions[0]
	w.used[main] = 0
	pending := slices.Clone(main.results)
	for len(pending) > 0 {
		v := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if v == nil || v.node == nil || w.live[v.node] {
			continue
		}
		w.live[v.node] = true
		pending = append(pending, v.node.operands...)
		for _, f := range v.node.functions {
			if _, ok := w.used[f]; !ok {
				w.used[f] = 0
				pending = append(pending, f.results...)
			}
		}
	}
}

// number gives the values their ids, in the order of the file.
func (w *fileWriter) number(functions []*Function) {
	next := uint64(1)
	assign := func(values []*Value) {
		for _, v := range values {
			w.ids[v] = next
			next++
		}
	}
	for _, f := range functions {
		assign(f.parameters)
		for _, n := range f.nodes {
			if w.live[n] {
				assign(n.results)
			}
		}
	}
}

func (w *fileWriter) listSources(functions []*Function) {
	w.sources = map[string]uint32{"": 0}
	for _, f := range functions {
		for _, n := range f.nodes {
			if w.live[n] {
				w.sources[n.place.file] = 0
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(w.sources)) {
		if file != "" {
			w.file.SourceFiles = append(w.file.SourceFiles, file)
			w.sources[file] = uint32(len(w.file.SourceFiles))
		}
	}
}

func (w *fileWriter) function(f *Function) *graphpb.Function {
	out := &graphpb.Function{Name: f.name, Kind: graphpb.Function_NAMED}
	switch {
	case f.parent != nil:
		out.Kind, out.ParentPlus_1 = graphpb.Function_CLOSURE, w.used[f.parent]+1
	case f == w.recording.builder.functions[0]:
		out.Kind = graphpb.Function_MAIN
	}
	isMain := out.Kind == graphpb.Function_MAIN
	for i, v := range f.parameters {
		p := &graphpb.Parameter{Value: w.value(v), Name: v.name, Role: graphpb.Parameter_ARGUMENT}
		if isMain {
			w.mainParameter(p, v, w.details.Parameters[i])
		}
		out.Parameters = append(out.Parameters, p)
	}
	for _, n := range f.nodes {
		if w.live[n] {
			out.Nodes = append(out.Nodes, w.node(n))
		}
	}
	for i, v := range f.results {
		r := &graphpb.Result{Value: w.ids[v], Role: graphpb.Result_RETURN}
		if isMain {
			d := w.details.Results[i]
			r.Name, r.Role, r.Variable = d.Name, d.Role, d.Variable
		}
		out.Results = append(out.Results, r)
	}
	return out
}

func (w *fileWriter) value(v *Value) *graphpb.Value {
	return &graphpb.Value{Id: w.ids[v], Shape: newShape(v.shape)}
}

func (w *fileWriter) node(n *node) *graphpb.Node {
	out := &graphpb.Node{Op: n.op, Attributes: n.attributes}
	for _, v := range n.operands {
		out.Operands = append(out.Operands, w.ids[v]) // of nil: 0, absent
	}
	for _, v := range n.results {
		out.Results = append(out.Results, w.value(v))
		if out.Label == "" {
			out.Label = v.label
		}
	}
	if out.Label == "" {
		out.Label = n.place.part
	}
	for _, f := range n.functions {
		out.Functions = append(out.Functions, w.used[f])
	}
	if n.place.file != "" {
		out.Location = &graphpb.SourceLoc{FilePlus_1: w.sources[n.place.file], Line: uint32(n.place.line)}
	}
	if n.constant != nil {
		out.Constant = w.tensor(n.constant, out.Label, out.Results[0].Id)
	}
	return out
}

// tensor describes a constant; a large one gets its place in the data file, under its label or else its id.
func (w *fileWriter) tensor(c *constant, label string, id uint64) *graphpb.Tensor {
	if !c.isExternal() {
		return c.tensor(nil)
	}
	key := fmt.Sprintf("%s %v %x", c.shape.DType, c.shape.Dimensions, c.sha256)
	i, ok := w.byContent[key]
	if !ok {
		name := strings.TrimPrefix(label, "/")
		if name == "" || w.names[name] || name == "__metadata__" {
			name = fmt.Sprintf("constant_%d", id)
		}
		i = len(w.externals)
		w.byContent[key], w.names[name] = i, true
		w.externals = append(w.externals, external{name, c})
	}
	return c.tensor(&graphpb.External{Name: w.externals[i].name})
}

func (w *fileWriter) mainParameter(p *graphpb.Parameter, v *Value, d Parameter) {
	p.Name, p.Role = d.Name, d.Role
	if c := w.defaults[v]; c != nil {
		p.Default = w.tensor(c, d.Name, w.ids[v])
	}
}

// axes lists the symbols of all dims. GoMLX's expressions over symbols ("=a+b") are none.
func (w *fileWriter) axes(functions []*Function) {
	symbols := map[string]bool{}
	collect := func(values []*Value) {
		for _, v := range values {
			for axis, dim := range v.shape.Dimensions {
				if name := v.shape.AxisName(axis); dim == shapes.DynamicDim && !strings.HasPrefix(name, "=") {
					symbols[name] = true
				}
			}
		}
	}
	for _, f := range functions {
		collect(f.parameters)
		for _, n := range f.nodes {
			if w.live[n] {
				collect(n.results)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(symbols)) {
		axis := &graphpb.Axis{Name: name}
		if a, ok := w.details.Axes[name]; ok {
			axis = &graphpb.Axis{Name: name, Min: a.Min, Max: a.Max, Sizes: a.Sizes, Default: a.Default}
		}
		w.file.Axes = append(w.file.Axes, axis)
	}
}

func (w *fileWriter) features(functions []*Function) {
	packed, closures := false, false
	note := func(values []*Value) {
		for _, v := range values {
			packed = packed || v.shape.DType.IsPacked()
		}
	}
	for _, f := range functions {
		closures = closures || f.parent != nil
		note(f.parameters)
		for _, n := range f.nodes {
			if w.live[n] {
				note(n.results)
			}
		}
	}
	if closures {
		w.file.RequiredFeatures = append(w.file.RequiredFeatures, "closures")
	}
	if len(w.file.Axes) > 0 {
		w.file.RequiredFeatures = append(w.file.RequiredFeatures, "dynamic_axes")
	}
	if packed {
		w.file.RequiredFeatures = append(w.file.RequiredFeatures, "packed")
	}
}
