// Package record is a GoMLX backend that records: it keeps what a program asked for, and runs nothing.
//
// A graph built on it can be saved as graph.pb (see schemas/graph.proto). All ops and dtypes are accepted, also those that
// no other backend has. Most users want package export, which wraps this one.
package record

//go:generate ../generate.sh

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Name is the name of the backend.
const Name = "record"

// ErrRecordsOnly is what everything returns that would need values.
var ErrRecordsOnly = errors.New("this backend only records; save the graph, and run it with coremlc or coremlc-replay")

// Options of a Backend.
type Options struct {
	// DynamicAxes makes the backend say that it supports dynamic axes. Graphs with explicit dynamic shapes record without
	// it; with it some of GoMLX's layers switch to dynamic code.
	DynamicAxes bool
}

// Backend records every graph that is built on it. Finalize removes its temporary file.
type Backend struct {
	capabilities compute.Capabilities
	spool        *spool
	finalized    atomic.Bool
	origin       *place // what Within set
}

var _ compute.Backend = (*Backend)(nil)

// New returns a backend that records.
func New(options Options) *Backend {
	b := &Backend{spool: &spool{}, capabilities: compute.Capabilities{
		Operations:                  map[compute.OpType]bool{},
		DTypes:                      map[dtypes.DType]bool{},
		Functions:                   true,
		DynamicAxes:                 options.DynamicAxes,
		PreferConstantsForVariables: true,
	}}
	for _, op := range compute.OpTypeValues() {
		b.capabilities.Operations[op] = op != compute.OpTypeInvalid
	}
	// AllReduce is recorded when asked for, but a single machine does without; the attention gradient is declined.
	b.capabilities.Operations[compute.OpTypeAllReduce] = false
	b.capabilities.Operations[compute.OpTypeFusedScaledDotProductAttentionVJP] = false
	for _, dtype := range dtypes.DTypeValues() {
		b.capabilities.DTypes[dtype] = dtype.IsSupported()
	}
	return b
}

// Name implements compute.Backend.
func (b *Backend) Name() string { return Name }

// String implements compute.Backend.
func (b *Backend) String() string { return Name }

// Description implements compute.Backend.
func (b *Backend) Description() string { return "coremlc: records graphs, runs nothing" }

// NumDevices implements compute.Backend.
func (b *Backend) NumDevices() int { return 1 }

// DeviceDescription implements compute.Backend.
func (b *Backend) DeviceDescription(compute.DeviceNum) string { return "a file" }

// Capabilities implements compute.Backend.
func (b *Backend) Capabilities() compute.Capabilities { return b.capabilities }

// Builder implements compute.Backend.
func (b *Backend) Builder(name string) compute.Builder { return newBuilder(b, name) }

// BufferFromFlatData implements compute.Backend; it fails with ErrRecordsOnly.
func (b *Backend) BufferFromFlatData(compute.DeviceNum, any, shapes.Shape) (compute.Buffer, error) {
	return nil, ErrRecordsOnly
}

// HasSharedBuffers implements compute.Backend.
func (b *Backend) HasSharedBuffers() bool { return false }

// NewSharedBuffer implements compute.Backend; it fails with ErrRecordsOnly.
func (b *Backend) NewSharedBuffer(compute.DeviceNum, shapes.Shape) (compute.Buffer, any, error) {
	return nil, nil, ErrRecordsOnly
}

// Within says that the ops recorded until leave is called stand for a part of a file, as an ONNX model's node: errors name the file
// and the part instead of the Go line that records them. Not for graphs that are built on this backend at the same time.
func (b *Backend) Within(file, part string) (leave func()) {
	before := b.origin
	b.origin = &place{file: file, part: part}
	return func() { b.origin = before }
}

// Finalize removes the temporary file. Recordings of this backend can't be saved after it.
func (b *Backend) Finalize() {
	if b.finalized.CompareAndSwap(false, true) {
		b.spool.close()
	}
}

// IsFinalized implements compute.Backend.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }

func init() {
	compute.Register(Name, func(config string) (compute.Backend, error) {
		if config != "" {
			return nil, fmt.Errorf("backend %q takes no configuration, got %q", Name, config)
		}
		return New(Options{}), nil
	})
}

func errDeclined(op string) error {
	return fmt.Errorf("%s is not recorded: %w", op, compute.ErrNotImplemented)
}

// removeFile is for files that may be gone.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
