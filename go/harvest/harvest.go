// Package harvest is a GoMLX backend for GoMLX's own tests: it records every graph and executes it on GoMLX's Go backend at
// once, and keeps both as test cases.
//
// With the directory in COREMLC_HARVEST_DIR, each distinct graph becomes DIR/HASH/: graph.pb, graph.safetensors if it has large
// constants, vectors-N.npz of executions ("in.NAME", "out.NAME"), and origin.json. What the Go backend can't run is run by
// another judge (judge.go), so that GoMLX's test still compares with what it expects. Without one, it is only recorded, and
// executing it yields zeros, so that a test goes on to build its next graphs.
// A line "harvest: HASH" for each graph tells what the test built that is running.
package harvest

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/record"
	"github.com/coremlc/coremlc/go/replay"
)

// Name is the name of the backend.
const Name = "harvest"

// DynamicAxes is the configuration of a backend that says that it supports them; some of GoMLX's layers differ with it.
const DynamicAxes = "dynamic-axes"

// Environment variables: where to, and what origin.json shall say.
const (
	EnvDir     = "COREMLC_HARVEST_DIR"
	EnvPackage = "COREMLC_HARVEST_PACKAGE"
	EnvTest    = "COREMLC_HARVEST_TEST"
	EnvJudge   = "COREMLC_HARVEST_JUDGE"  // command of a process that runs what the Go backend can't
	EnvAlways  = "COREMLC_HARVEST_ALWAYS" // if not empty, that process runs everything
)

// Backend records and executes.
type Backend struct {
	*record.Backend
	inner     compute.Backend
	judge     *judge
	archive   *archive
	finalized atomic.Bool
}

var _ compute.Backend = (*Backend)(nil)

// New returns a backend that keeps test cases in dir.
func New(dir string, options record.Options) (*Backend, error) {
	inner, err := replay.GoBackend()
	if err != nil {
		return nil, err
	}
	judge := judgeOf(os.Getenv(EnvJudge))
	return &Backend{Backend: record.New(options), inner: inner, judge: judge, archive: &archive{dir: dir}}, nil
}

func init() {
	var once sync.Once
	var backend *Backend
	var err error
	compute.Register(Name, func(config string) (compute.Backend, error) {
		once.Do(func() { // tensors compare backends by identity
			dir := os.Getenv(EnvDir)
			if dir == "" {
				err = fmt.Errorf("backend %q needs a directory in %s", Name, EnvDir)
				return
			}
			backend, err = New(dir, record.Options{DynamicAxes: config == DynamicAxes})
		})
		return backend, err
	})
}

// Name implements compute.Backend.
func (b *Backend) Name() string { return Name }

// String implements compute.Backend.
func (b *Backend) String() string { return Name }

// Description implements compute.Backend.
func (b *Backend) Description() string { return "coremlc: records graphs and runs them in Go" }

// DeviceDescription implements compute.Backend.
func (b *Backend) DeviceDescription(compute.DeviceNum) string { return "cpu" }

// HasSharedBuffers implements compute.Backend.
func (b *Backend) HasSharedBuffers() bool { return true }

// Builder implements compute.Backend.
func (b *Backend) Builder(name string) compute.Builder {
	return &builder{Builder: b.Backend.Builder(name).(*record.Builder), backend: b}
}

// BufferFromFlatData implements compute.Backend.
func (b *Backend) BufferFromFlatData(_ compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	buffer, err := b.newBuffer(shape)
	if err != nil {
		return nil, err
	}
	return buffer, copyFlat(buffer.flat, flat)
}

// NewSharedBuffer implements compute.Backend.
func (b *Backend) NewSharedBuffer(_ compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	buffer, err := b.newBuffer(shape)
	if err != nil {
		return nil, nil, err
	}
	return buffer, buffer.flat, nil
}

// Finalize only marks the backend: other tests of the process may still use it.
func (b *Backend) Finalize() { b.finalized.Store(true) }

// IsFinalized implements compute.Backend.
func (b *Backend) IsFinalized() bool { return b.finalized.Load() }

// builder records; its graph gets executable when it is compiled.
type builder struct {
	*record.Builder
	backend *Backend
}

// Compile implements compute.Builder.
func (b *builder) Compile() (compute.Executable, error) {
	compiled, err := b.Builder.Compile()
	if err != nil {
		return nil, err
	}
	recording := compiled.(*record.Recording)
	kept, err := b.backend.archive.keep(recording)
	if err != nil {
		return nil, fmt.Errorf("harvest: %w", err)
	}
	e := &executable{Recording: recording, backend: b.backend, kept: kept}
	if os.Getenv(EnvAlways) != "" {
		return e, nil
	}
	if e.inner, err = kept.graph.Build(b.backend.inner); err != nil {
		e.inner = nil
		kept.note("recorded only: " + firstLine(err))
	}
	return e, nil
}
