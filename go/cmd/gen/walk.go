package main

import (
	"errors"
	"fmt"
	"go/types"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

const computePath = "github.com/gomlx/compute"

// manual methods are not ops on values; package record writes them by hand.
var manual = map[string]bool{"Name": true, "Builder": true, "Parent": true, "Closure": true,
	"Parameter": true, "Constant": true, "Shape": true, "Return": true}

// declined ops are never recorded: the method returns compute.ErrNotImplemented, and GoMLX does without.
var declined = map[string]string{
	"FusedScaledDotProductAttentionVJP": "a backend's own state has no meaning in a file; GoMLX differentiates the decomposed attention",
}

type kind string

const (
	kindValue     kind = "Value"     // compute.Value
	kindValues    kind = "Values"    // []compute.Value
	kindFunction  kind = "Function"  // compute.Function
	kindAttribute kind = "Attribute" // anything else
)

type op struct {
	name     string
	params   []param
	results  []string // Go types, without the error
	declined string
}

type param struct {
	name     string // as in Go
	goType   string
	variadic bool
	kind     kind
	attr     *attrType // of a kindAttribute
}

func (o op) attributes() (list []param) {
	for _, p := range o.params {
		if p.kind == kindAttribute {
			list = append(list, p)
		}
	}
	return list
}

// attrType says how a Go type stands in ops.proto.
type attrType struct {
	proto    string // "int64", or a message
	repeated bool
	convert  string      // Go expression with %s for the value
	message  *structType // for a struct of package compute
	pointer  bool
	enum     bool
}

// structType is a struct of package compute that is an attribute.
type structType struct {
	name      string
	fields    []field
	hidden    []string // fields that are Values
	byPointer bool     // methods take a pointer
}

type field struct {
	name string
	attr *attrType
}

// walk returns the ops of compute.Function, sorted by name.
func walk(dir string) ([]op, error) {
	mode := packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedName
	pkgs, err := packages.Load(&packages.Config{Mode: mode, Dir: dir}, computePath)
	if err != nil {
		return nil, err
	}
	if len(pkgs[0].Errors) > 0 {
		return nil, pkgs[0].Errors[0]
	}
	iface, ok := pkgs[0].Types.Scope().Lookup("Function").Type().Underlying().(*types.Interface)
	if !ok {
		return nil, errors.New("compute.Function is no interface")
	}
	w := walker{structs: map[string]*structType{}}
	var ops []op
	for i := range iface.NumMethods() {
		if m := iface.Method(i); !manual[m.Name()] {
			o, err := w.op(m)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.Name(), err)
			}
			ops = append(ops, o)
		}
	}
	sort.Slice(ops, func(i, j int) bool { return ops[i].name < ops[j].name })
	return ops, nil
}

type walker struct{ structs map[string]*structType }

func typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

func (w walker) op(m *types.Func) (op, error) {
	sig := m.Type().(*types.Signature)
	o := op{name: m.Name(), declined: declined[m.Name()]}
	for i := range sig.Params().Len() {
		v := sig.Params().At(i)
		p := param{name: v.Name(), goType: typeName(v.Type()), variadic: sig.Variadic() && i == sig.Params().Len()-1}
		switch p.goType {
		case "compute.Value":
			p.kind = kindValue
		case "[]compute.Value":
			p.kind = kindValues
		case "compute.Function":
			p.kind = kindFunction
		default:
			p.kind = kindAttribute
			var err error
			if p.attr, err = w.attr(v.Type()); err != nil {
				return o, fmt.Errorf("parameter %s: %w", p.name, err)
			}
		}
		o.params = append(o.params, p)
	}
	for i := range sig.Results().Len() - 1 {
		o.results = append(o.results, typeName(sig.Results().At(i).Type()))
	}
	return o, nil
}

var plain = map[string]attrType{
	"int":          {proto: "int64", convert: "int64(%s)"},
	"bool":         {proto: "bool", convert: "%s"},
	"float32":      {proto: "double", convert: "float64(%s)"},
	"float64":      {proto: "double", convert: "%s"},
	"string":       {proto: "string", convert: "%s"},
	"[]int":        {proto: "int64", repeated: true, convert: "int64s(%s)"},
	"[][2]int":     {proto: "Pair", repeated: true, convert: "pairs(%s)"},
	"[][]int":      {proto: "Ints", repeated: true, convert: "intLists(%s)"},
	"dtypes.DType": {proto: "string", convert: "dtypeName(%s)"},
	"shapes.Shape": {proto: "Shape", convert: "newShape(%s)"},
}

func (w walker) attr(t types.Type) (*attrType, error) {
	if a, ok := plain[typeName(t)]; ok {
		return &a, nil
	}
	switch u := t.(type) {
	case *types.Pointer:
		a, err := w.attr(u.Elem())
		if err == nil && a.message == nil {
			err = fmt.Errorf("unknown attribute type %s", typeName(t))
		}
		if err != nil {
			return nil, err
		}
		a.pointer = true
		a.message.byPointer = true
		return a, nil
	case *types.Slice:
		a, err := w.attr(u.Elem())
		if err == nil && (a.message == nil || a.pointer || a.repeated) {
			err = fmt.Errorf("unknown attribute type %s", typeName(t))
		}
		if err != nil {
			return nil, err
		}
		a.repeated = true
		a.convert = "mapped(%s, new" + a.message.name + ")"
		return a, nil
	case *types.Named:
		if basic, ok := u.Underlying().(*types.Basic); ok && basic.Info()&types.IsInteger != 0 && hasString(u) {
			return &attrType{proto: "string", convert: "%s.String()", enum: true}, nil
		}
		if s, ok := u.Underlying().(*types.Struct); ok && u.Obj().Pkg() != nil && u.Obj().Pkg().Path() == computePath {
			m, err := w.message(u.Obj().Name(), s)
			return &attrType{proto: u.Obj().Name(), convert: "new" + u.Obj().Name() + "(%s)", message: m}, err
		}
	}
	return nil, fmt.Errorf("unknown attribute type %s", typeName(t))
}

func hasString(t *types.Named) bool {
	for i := range t.NumMethods() {
		if t.Method(i).Name() == "String" {
			return true
		}
	}
	return false
}

// message returns the description of a struct. A Value is allowed as a direct field only.
func (w walker) message(name string, s *types.Struct) (*structType, error) {
	if m, ok := w.structs[name]; ok {
		return m, nil
	}
	m := &structType{name: name}
	for i := range s.NumFields() {
		f := s.Field(i)
		if typeName(f.Type()) == "compute.Value" {
			m.hidden = append(m.hidden, f.Name())
			continue
		}
		if strings.Contains(typeName(f.Type()), "compute.Value") {
			return nil, fmt.Errorf("%s.%s hides values in a way that gen does not know", name, f.Name())
		}
		a, err := w.attr(f.Type())
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, f.Name(), err)
		}
		if a.message != nil {
			return nil, fmt.Errorf("%s.%s: a struct in a struct is not known to gen", name, f.Name())
		}
		m.fields = append(m.fields, field{f.Name(), a})
	}
	w.structs[name] = m
	return m, nil
}
