package replay

import (
	"fmt"
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/names"
)

// attributesOf returns the attribute message of a node, which must be the one of its op.
func attributesOf(n *graphpb.Node, table opTable) (protoreflect.Message, error) {
	m := n.GetAttributes().ProtoReflect()
	set := ""
	if m.IsValid() {
		if f := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind")); f != nil {
			set = string(f.Name())
		}
	}
	if set != table.attributes {
		return nil, fmt.Errorf("the attributes are those of %q, want %q", set, table.attributes)
	}
	if set == "" {
		return nil, nil
	}
	return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(set))).Message(), nil
}

// decoder deals the operands of a node to the parameters, and turns attributes into Go values.
type decoder struct {
	direct []compute.Value // for the parameters that are values
	hidden []compute.Value // for the fields of structs
	listed int             // operands of the []Value parameter
}

func newDecoder(table opTable, attributes protoreflect.Message, operands []compute.Value) (*decoder, error) {
	single, hidden, hasList := 0, 0, false
	for _, p := range table.params {
		switch {
		case p.kind == isValue:
			single++
		case p.kind == isValues:
			hasList = true
		case p.hidden > 0:
			n := 1
			if f := attributes.Descriptor().Fields().ByName(protoreflect.Name(p.name)); f.IsList() {
				n = attributes.Get(f).List().Len()
			}
			hidden += n * p.hidden
		}
	}
	listed := len(operands) - single - hidden
	if listed < 0 || listed > 0 && !hasList {
		return nil, fmt.Errorf("%d operands, the op takes %d", len(operands), single+hidden)
	}
	cut := len(operands) - hidden
	return &decoder{direct: operands[:cut], hidden: operands[cut:], listed: listed}, nil
}

func (d *decoder) next() compute.Value {
	v := d.direct[0]
	d.direct = d.direct[1:]
	return v
}

func (d *decoder) list() []compute.Value {
	list := d.direct[:d.listed:d.listed]
	d.direct = d.direct[d.listed:]
	return list
}

// setValue leaves target a nil interface for an absent value.
func setValue(target reflect.Value, v compute.Value) {
	if v != nil {
		target.Set(reflect.ValueOf(v))
	}
}

var (
	dtypeType = reflect.TypeFor[dtypes.DType]()
	shapeType = reflect.TypeFor[shapes.Shape]()
)

// set sets a Go parameter or struct field from an attribute.
func (d *decoder) set(target reflect.Value, v protoreflect.Value) error {
	switch target.Type() {
	case dtypeType:
		dtype, err := parseDType(v.String())
		target.Set(reflect.ValueOf(dtype))
		return err
	case shapeType:
		message, _ := v.Message().Interface().(*graphpb.Shape)
		shape, err := parseShape(message)
		target.Set(reflect.ValueOf(shape))
		return err
	}
	switch target.Kind() {
	case reflect.Bool:
		target.SetBool(v.Bool())
	case reflect.String:
		target.SetString(v.String())
	case reflect.Float32, reflect.Float64:
		target.SetFloat(v.Float())
	case reflect.Int:
		if name, ok := v.Interface().(string); ok {
			return setEnum(target, name)
		}
		target.SetInt(v.Int())
	case reflect.Slice:
		return d.setSlice(target, v)
	case reflect.Array: // [2]int from Pair
		pair, _ := v.Message().Interface().(*graphpb.Pair)
		target.Index(0).SetInt(pair.GetLow())
		target.Index(1).SetInt(pair.GetHigh())
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		return d.set(target.Elem(), v)
	case reflect.Struct:
		return d.setStruct(target, v.Message())
	default:
		return fmt.Errorf("a %s can't be set", target.Type())
	}
	return nil
}

func (d *decoder) setSlice(target reflect.Value, v protoreflect.Value) error {
	list, ok := v.Interface().(protoreflect.List)
	if !ok { // an inner list of [][]int
		list = v.Message().Get(v.Message().Descriptor().Fields().ByName("values")).List()
	}
	target.Set(reflect.MakeSlice(target.Type(), list.Len(), list.Len()))
	for i := range list.Len() {
		if err := d.set(target.Index(i), list.Get(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) setStruct(target reflect.Value, m protoreflect.Message) error {
	for i := range target.NumField() {
		if target.Field(i).Kind() == reflect.Interface { // a compute.Value
			setValue(target.Field(i), d.hidden[0])
			d.hidden = d.hidden[1:]
			continue
		}
		name := names.Snake(target.Type().Field(i).Name)
		field := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return fmt.Errorf("%s has no field %s", m.Descriptor().Name(), name)
		}
		if err := d.set(target.Field(i), m.Get(field)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// maxEnum is more than any of GoMLX's enums has.
const maxEnum = 64

// setEnum finds the enum value by what its String method says.
func setEnum(target reflect.Value, name string) error {
	for i := range int64(maxEnum) {
		target.SetInt(i)
		if s, ok := target.Interface().(fmt.Stringer); ok && s.String() == name && name != "unknown" {
			return nil
		}
	}
	return fmt.Errorf("%q is no %s", name, target.Type())
}
