// Package export saves GoMLX models and graph functions as graph.pb, for coremlc to compile.
//
//	err := export.Save("digits.pb", store, modelFn,
//		export.Input("image", shapes.Make(dtypes.Float32, 1, 8, 8, 1)),
//		export.Outputs("logits"))
//
// The graph function is built anew on a backend that only records, so the program's own backend and executors are untouched.
package export

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/record"
	"github.com/coremlc/coremlc/go/replay"
)

// Save writes a model as path ("NAME.pb"), and its weights as "NAME.safetensors" beside it.
//
// The variables of the store become constants that are labelled with their paths, or parameters with VariablesAsParameters.
// Variables that have no value yet are initialized, as executing the model would do.
func Save[F model.ExecGraphFn](path string, store *model.Store, modelFn F, options ...Option) (err error) {
	defer wrap(&err, path)
	if store == nil {
		return errors.New("the store is nil; use SaveGraph for a function without variables")
	}
	c, err := newConfig(options)
	if err != nil {
		return err
	}
	if err := c.checkInputs(reflect.TypeOf(modelFn), 1); err != nil {
		return err
	}
	asConst := store.VariablesAsConst()
	defer store.WithVariableAsConst(asConst)
	if err := initialize(c, store, modelFn); err != nil {
		return err
	}
	store.WithVariableAsConst(!c.variablesAsParameters)
	backend := record.New(record.Options{DynamicAxes: c.dynamicAxes})
	defer backend.Finalize()
	exec, err := model.NewExec(backend, store, modelFn) // without Finalize, which deadlocks after a panic in modelFn
	if err != nil {
		return err
	}
	g, err := exec.Compile(c.shapes()...)
	if err != nil {
		return explain(err)
	}
	return c.save(path, g, store)
}

// initialize gives a value to every variable that the model uses.
func initialize[F model.ExecGraphFn](c *config, store *model.Store, modelFn F) error {
	backend := record.New(record.Options{DynamicAxes: c.dynamicAxes})
	defer backend.Finalize()
	store.WithVariableAsConst(false)
	exec, err := model.NewExec(backend, store, modelFn)
	if err != nil {
		return err
	}
	if _, err := exec.Compile(c.shapes()...); err != nil { // creates the variables
		return explain(err)
	}
	for v := range store.IterVariables() {
		if v.HasValue() {
			continue
		}
		goBackend, err := replay.GoBackend()
		if err != nil {
			return err
		}
		return store.InitializeVariables(goBackend, nil)
	}
	return nil
}

// SaveGraph writes a graph function that has no variables.
func SaveGraph[F graph.ExecGraphFn](path string, graphFn F, options ...Option) (err error) {
	defer wrap(&err, path)
	c, err := newConfig(options)
	if err != nil {
		return err
	}
	if err := c.checkInputs(reflect.TypeOf(graphFn), 0); err != nil {
		return err
	}
	backend := record.New(record.Options{DynamicAxes: c.dynamicAxes})
	defer backend.Finalize()
	exec, err := graph.NewExec(backend, graphFn)
	if err != nil {
		return err
	}
	g, err := exec.Compile(c.shapes()...)
	if err != nil {
		return explain(err)
	}
	return c.save(path, g, nil)
}

// checkInputs compares the inputs with the *graph.Node parameters of a graph function, after the given number of others.
func (c *config) checkInputs(fn reflect.Type, others int) error {
	want := 0
	for i := others; i < fn.NumIn(); i++ {
		switch fn.In(i) {
		case reflect.TypeFor[[]*graph.Node]():
			return nil
		case reflect.TypeFor[*graph.Node]():
			want++
		}
	}
	if want != len(c.inputs) {
		return fmt.Errorf("the function takes %d inputs, %d are described by Input", want, len(c.inputs))
	}
	return nil
}

// wrap names the file, and turns a panic of GoMLX into an error.
func wrap(err *error, path string) {
	if r := recover(); r != nil {
		if e, ok := r.(error); ok {
			*err = explain(e)
		} else {
			*err = fmt.Errorf("%v", r)
		}
	}
	if *err != nil {
		*err = fmt.Errorf("export %s: %w", path, *err)
	}
}

// explain adds what to do about errors that GoMLX words for somebody else.
func explain(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "WithVariableAsConst"):
		return fmt.Errorf("%w\n(the model changes variables: export it with VariablesAsParameters)", err)
	case errors.Is(err, record.ErrRecordsOnly):
		return fmt.Errorf("%w\n(the model needs a value while it is being built, which an export doesn't have)", err)
	}
	return err
}

// save writes the compiled graph with everything that is known about it.
func (c *config) save(path string, g *graph.Graph, store *model.Store) error {
	recording, ok := g.Executable().(*record.Recording)
	if !ok {
		return fmt.Errorf("the graph was built on %T", g.Executable())
	}
	for alias, node := range g.IterAliasedNodes() {
		label(node, alias)
	}
	variables, changed := variablesOf(g, store)
	details := record.Details{Name: c.name, Axes: c.axes, Metadata: c.metadata}
	var err error
	if details.Parameters, err = c.parameters(recording, variables); err != nil {
		return err
	}
	if details.Results, err = c.results(recording, changed); err != nil {
		return err
	}
	if err := recording.Save(path, details); err != nil {
		return err
	}
	return c.saveVectors(path)
}

// label names the recorded value of a node.
func label(node *graph.Node, text string) {
	for _, v := range graph.InternalBackendOutputs(node) {
		if value, ok := v.(*record.Value); ok && value.Label() == "" {
			value.SetLabel(text)
			return
		}
	}
}

// variablesOf labels the variables that the graph uses as constants, and returns all it uses and those it changes, in the order
// of GoMLX's extra outputs.
func variablesOf(g *graph.Graph, store *model.Store) (used map[string]*model.Variable, changed []string) {
	used = map[string]*model.Variable{}
	if store == nil {
		return used, nil
	}
	for v := range store.IterVariables() {
		if !v.InUseByGraph(g) {
			continue
		}
		used[v.Path()] = v
		if v.ChangedInGraph(g) {
			changed = append(changed, v.Path())
		} else {
			label(v.NodeValue(g), v.Path())
		}
	}
	return used, changed
}

// parameters describes the recorded parameters: first the inputs, then variables.
func (c *config) parameters(r *record.Recording, variables map[string]*model.Variable) ([]record.Parameter, error) {
	recorded, _ := r.Inputs()
	var list []record.Parameter
	for i, name := range recorded {
		if i < len(c.inputs) {
			list = append(list, record.Parameter{Name: c.inputs[i].name, Role: graphpb.Parameter_INPUT})
			continue
		}
		v, ok := variables[name]
		if !ok {
			return nil, fmt.Errorf("parameter %q is neither an input nor a variable", name)
		}
		bytes, err := bytesOf(v)
		if err != nil {
			return nil, err
		}
		list = append(list, record.Parameter{Name: name, Role: graphpb.Parameter_VARIABLE, Default: bytes})
	}
	return list, nil
}

func bytesOf(v *model.Variable) ([]byte, error) {
	value, err := v.Value()
	if err != nil {
		return nil, fmt.Errorf("variable %q: %w", v.Path(), err)
	}
	var bytes []byte
	if err := value.ConstBytes(func(data []byte) { bytes = append([]byte{}, data...) }); err != nil {
		return nil, fmt.Errorf("variable %q: %w", v.Path(), err)
	}
	return bytes, nil
}

// results describes the recorded results: first the changed variables, then the outputs.
func (c *config) results(r *record.Recording, changed []string) ([]record.Result, error) {
	values := r.Results()
	outputs := values[len(changed):]
	if len(c.outputs) > len(outputs) {
		return nil, fmt.Errorf("%d output names for %d outputs", len(c.outputs), len(outputs))
	}
	var list []record.Result
	taken := map[string]bool{}
	for _, path := range changed {
		list = append(list, record.Result{Name: path, Role: graphpb.Result_VARIABLE_UPDATE, Variable: path})
		taken[path] = true
	}
	for _, name := range c.outputs {
		taken[name] = true
	}
	for i, v := range outputs {
		name := fmt.Sprintf("output%d", i)
		if i < len(c.outputs) {
			name = c.outputs[i]
		} else if alias := model.BasePath(v.Label()); v.Label() != "" && !taken[alias] {
			name = alias
		}
		taken[name] = true
		list = append(list, record.Result{Name: name, Role: graphpb.Result_OUTPUT})
	}
	return list, nil
}

func (c *config) shapes() []shapes.Shape {
	list := make([]shapes.Shape, len(c.inputs))
	for i, in := range c.inputs {
		list[i] = in.shape
	}
	return list
}
