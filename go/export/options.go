package export

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// Option says what to save, and how.
type Option func(*config) error

type config struct {
	name                  string
	inputs                []input
	outputs               []string
	axes                  map[string]*graphpb.Axis
	metadata              map[string]string
	golden                []any
	hasGolden             bool
	variablesAsParameters bool
	dynamicAxes           bool
}

type input struct {
	name  string
	shape shapes.Shape
}

func newConfig(options []Option) (*config, error) {
	c := &config{axes: map[string]*graphpb.Axis{}, metadata: map[string]string{}}
	for _, o := range options {
		if err := o(c); err != nil {
			return nil, err
		}
	}
	if c.hasGolden && len(c.golden) != len(c.inputs) {
		return nil, fmt.Errorf("%d golden values for %d inputs", len(c.golden), len(c.inputs))
	}
	return c, nil
}

// Input names the next input of the function, and gives its shape. For a dynamic axis use shapes.MakeDynamic.
func Input(name string, shape shapes.Shape) Option {
	return func(c *config) error {
		if name == "" {
			return errors.New("an input needs a name")
		}
		if !shape.Ok() {
			return fmt.Errorf("input %q has an invalid shape", name)
		}
		c.inputs = append(c.inputs, input{name, shape})
		return nil
	}
}

// Outputs names the outputs, in order. An output without a name is called by its alias (Node.WithAlias), or else "output0",
// "output1" ....
func Outputs(names ...string) Option {
	return func(c *config) error {
		c.outputs = append(c.outputs, names...)
		return nil
	}
}

// Name sets the model's name.
func Name(name string) Option {
	return func(c *config) error { c.name = name; return nil }
}

// Metadata adds a line of free text.
func Metadata(key, value string) Option {
	return func(c *config) error { c.metadata[key] = value; return nil }
}

// Axis states the sizes that a dynamic axis may have; limit 0 is no upper bound.
func Axis(name string, least, limit int) Option {
	return func(c *config) error {
		if least < 0 || limit != 0 && limit < least {
			return fmt.Errorf("axis %q can't have %d to %d", name, least, limit)
		}
		c.axis(name).Min, c.axis(name).Max = int64(least), int64(limit)
		return nil
	}
}

// AxisSizes states the only sizes that a dynamic axis may have.
func AxisSizes(name string, sizes ...int) Option {
	return func(c *config) error {
		for _, s := range sizes {
			c.axis(name).Sizes = append(c.axis(name).Sizes, int64(s))
		}
		return nil
	}
}

// AxisDefault states the size of a dynamic axis that is used when nobody says.
func AxisDefault(name string, size int) Option {
	return func(c *config) error { c.axis(name).Default = int64(size); return nil }
}

func (c *config) axis(name string) *graphpb.Axis {
	if c.axes[name] == nil {
		c.axes[name] = &graphpb.Axis{Name: name}
	}
	return c.axes[name]
}

// VariablesAsParameters leaves the variables parameters, with their values as defaults, and makes changed ones outputs. Models that
// change variables need it (counters, caches).
func VariablesAsParameters() Option {
	return func(c *config) error { c.variablesAsParameters = true; return nil }
}

// DynamicAxes tells GoMLX that dynamic axes are supported. Inputs with dynamic axes don't need it; some of GoMLX's layers switch to
// dynamic code with it.
func DynamicAxes() Option {
	return func(c *config) error { c.dynamicAxes = true; return nil }
}

// Golden also writes "vectors.npz" beside the graph: these values, one for each input, as "in.<name>", and what the saved graph makes
// of them on GoMLX's Go backend as "out.<name>". A value is a *tensors.Tensor, or what tensors.FromAnyValue takes.
// Saving fails, after the graph is written, if the Go backend can't run the graph.
func Golden(values ...any) Option {
	return func(c *config) error {
		c.golden, c.hasGolden = append(c.golden, values...), true
		return nil
	}
}
