package harvest

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/record"
)

// buffer lies in the host's memory, so that every dtype has buffers.
type buffer struct {
	backend *Backend
	shape   shapes.Shape
	flat    any
}

var _ compute.Buffer = (*buffer)(nil)

func (b *Backend) newBuffer(shape shapes.Shape) (*buffer, error) {
	if !shape.Ok() || shape.IsTuple() || shape.IsDynamic() {
		return nil, fmt.Errorf("no buffer can be of shape %s", shape)
	}
	dtype, n := shape.DType, shape.Size()
	if dtype.IsPacked() {
		dtype, n = dtypes.Uint8, int(shape.ByteSize())
	}
	return &buffer{backend: b, shape: shape.Clone(), flat: dtypes.MakeAnySlice(dtype, n)}, nil
}

func copyFlat(to, from any) error {
	a, b := bytesOf(to), bytesOf(from)
	if len(a) != len(b) {
		return fmt.Errorf("%d bytes for %d", len(b), len(a))
	}
	copy(a, b)
	return nil
}

func bytesOf(flat any) []byte { return dtypes.UnsafeByteSliceFromAny(flat) }

// Backend implements compute.Buffer.
func (x *buffer) Backend() compute.Backend { return x.backend }

// Finalize implements compute.Buffer.
func (x *buffer) Finalize() error { return nil }

// Shape implements compute.Buffer.
func (x *buffer) Shape() (shapes.Shape, error) { return x.shape, nil }

// DeviceNum implements compute.Buffer.
func (x *buffer) DeviceNum() (compute.DeviceNum, error) { return 0, nil }

// ToFlatData implements compute.Buffer.
func (x *buffer) ToFlatData(flat any) error { return copyFlat(flat, x.flat) }

// Data implements compute.Buffer.
func (x *buffer) Data() (any, error) { return x.flat, nil }

// CopyToDevice implements compute.Buffer.
func (x *buffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	return x.backend.BufferFromFlatData(device, x.flat, x.shape)
}

func (x *buffer) array() npz.Array {
	return npz.Array{DType: x.shape.DType, Dims: x.shape.Dimensions, Bytes: bytesOf(x.flat)}
}

// executable runs a recording on the inner backend; inner is nil where that backend can't.
type executable struct {
	*record.Recording
	backend *Backend
	kept    *kept
	inner   compute.Executable
}

// Finalize implements compute.Executable.
func (e *executable) Finalize() {
	if e.inner != nil {
		e.inner.Finalize()
	}
}

// Execute implements compute.Executable.
func (e *executable) Execute(inputs []compute.Buffer, _ []bool, _ compute.DeviceNum) ([]compute.Buffer, error) {
	if len(inputs) != len(e.Parameters()) {
		return nil, fmt.Errorf("%d inputs for %d parameters", len(inputs), len(e.Parameters()))
	}
	ours := make([]*buffer, len(inputs))
	for i, in := range inputs {
		var ok bool
		if ours[i], ok = in.(*buffer); !ok {
			return nil, fmt.Errorf("input %d is a %T, not a buffer of the harvest backend", i, in)
		}
		if want := e.Parameters()[i].Shape(); !fits(ours[i].shape, want) {
			return nil, fmt.Errorf("input %d is %s, not %s", i, ours[i].shape, want)
		}
	}
	outputs, judge, err := e.outputs(ours)
	if err != nil {
		e.kept.note("not run: " + firstLine(err))
		return e.zeros()
	}
	e.kept.vector(ours, outputs, judge)
	return asBuffers(outputs), nil
}

// outputs are those of the Go backend; else those of the judge that is named.
func (e *executable) outputs(inputs []*buffer) ([]*buffer, string, error) {
	if e.inner != nil {
		outputs, err := e.run(inputs)
		if err == nil {
			return outputs, "", nil
		}
		e.kept.note("the Go backend failed to run it: " + firstLine(err))
	}
	return e.backend.judge.run(e.backend, filepath.Join(e.kept.dir, "graph.pb"), e.kept.inputs(inputs), len(e.Outputs()))
}

// fits says whether a concrete shape is one that want allows.
func fits(s, want shapes.Shape) bool {
	return s.DType == want.DType && slices.EqualFunc(s.Dimensions, want.Dimensions, func(d, w int) bool {
		return d == w || w == shapes.DynamicDim
	})
}

func (e *executable) run(inputs []*buffer) (outputs []*buffer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	given := make([]compute.Buffer, len(inputs))
	for i, in := range inputs {
		if given[i], err = e.backend.inner.BufferFromFlatData(0, in.flat, in.shape); err != nil {
			return nil, err
		}
	}
	results, err := e.inner.Execute(given, nil, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		shape, err := r.Shape()
		if err != nil {
			return nil, err
		}
		out, err := e.backend.newBuffer(shape)
		if err != nil {
			return nil, err
		}
		if shape.Size() > 0 {
			if err := r.ToFlatData(out.flat); err != nil {
				return nil, err
			}
		}
		outputs = append(outputs, out)
	}
	return outputs, nil
}

// zeros are the outputs of what can't be run.
func (e *executable) zeros() ([]compute.Buffer, error) {
	var list []*buffer
	for _, shape := range e.Outputs() {
		out, err := e.backend.newBuffer(shape)
		if err != nil {
			return nil, errors.Join(err, compute.ErrNotImplemented)
		}
		list = append(list, out)
	}
	return asBuffers(list), nil
}

func asBuffers(list []*buffer) []compute.Buffer {
	buffers := make([]compute.Buffer, len(list))
	for i, b := range list {
		buffers[i] = b
	}
	return buffers
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
