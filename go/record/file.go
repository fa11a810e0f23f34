package record

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/safetensors"
)

// Details are what a recording does not know by itself.
type Details struct {
	// Name of the model.
	Name string
	// Parameters of the main function, all of them, in order. Nil: the recorded names, all inputs.
	Parameters []Parameter
	// Results of the main function, all of them, in order. Nil: "output0", "output1" ..., all outputs.
	Results []Result
	// Axes states ranges of dynamic axes, by name.
	Axes map[string]*graphpb.Axis
	// Metadata is free text.
	Metadata map[string]string
}

// Parameter describes a parameter of the main function.
type Parameter struct {
	Name string
	Role graphpb.Parameter_Role
	// Default is a Go slice of all elements, or nil.
	Default any
}

// Result describes a result of the main function.
type Result struct {
	Name     string
	Role     graphpb.Result_Role
	Variable string
}

// Save writes the recording as path, which must end in ".pb", and its large tensors as ".safetensors" beside it. Ops that no
// result needs are left out. The files are replaced at once and whole.
func (r *Recording) Save(path string, details Details) error {
	stem, ok := strings.CutSuffix(path, ".pb")
	if !ok {
		return fmt.Errorf("save %s: the name must end in .pb", path)
	}
	w := &fileWriter{recording: r, details: details, file: &graphpb.GraphFile{FormatMajor: 1, Name: details.Name, Producer: producer()}}
	if err := w.build(filepath.Base(stem) + ".safetensors"); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if err := w.saveData(stem + ".safetensors"); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(w.file)
	if err == nil {
		err = replace(path, func(out io.Writer) error { _, err := out.Write(data); return err })
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func (w *fileWriter) saveData(path string) error {
	if len(w.externals) == 0 {
		return removeFile(path)
	}
	spool := w.recording.builder.backend.spool
	spool.mu.Lock()
	defer spool.mu.Unlock()
	if spool.closed {
		return fmt.Errorf("the backend is finalized, its constants are gone")
	}
	tensors := make([]safetensors.Tensor, 0, len(w.externals))
	for _, e := range w.externals {
		tensors = append(tensors, safetensors.Tensor{Name: e.name, DType: e.constant.shape.DType, Dims: e.constant.shape.Dimensions,
			Size: e.constant.size, Data: io.NewSectionReader(spool.file, e.constant.offset, e.constant.size)})
	}
	sum := &counter{hash: sha256.New()}
	err := replace(path, func(out io.Writer) error { return safetensors.Write(io.MultiWriter(out, sum), tensors) })
	w.file.DataFiles[0].Size, w.file.DataFiles[0].Sha256 = sum.n, sum.hash.Sum(nil)
	return err
}

// counter hashes and counts what is written to it.
type counter struct {
	hash hash.Hash
	n    uint64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += uint64(len(p))
	return c.hash.Write(p)
}

// replace writes a file beside path and renames it.
func replace(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// producer names GoMLX's modules; nothing in it depends on the machine.
func producer() *graphpb.Producer {
	p := &graphpb.Producer{Name: "coremlc-go", Version: Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, "github.com/gomlx/") {
			p.Modules = append(p.Modules, m.Path+"@"+m.Version)
		}
	}
	slices.Sort(p.Modules)
	return p
}

// Version of this module, as written into graph.pb.
const Version = "0.1.0"
