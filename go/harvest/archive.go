package harvest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/record"
	"github.com/coremlc/coremlc/go/replay"
)

// The limits of the vectors of one graph.
const (
	maxVectors     = 3
	maxVectorBytes = 4 << 20
)

// archive is the directory; several processes may fill it.
type archive struct {
	dir string
	mu  sync.Mutex
}

// kept is a graph in the archive.
type kept struct {
	archive *archive
	dir     string
	graph   *replay.Graph
	full    atomic.Bool // no more vectors are wanted
}

// origin is what origin.json holds: who built the graph first, and what is to know of its vectors.
type origin struct {
	Package string   `json:"package"`
	Test    string   `json:"test"`
	Site    string   `json:"site"`
	Judge   string   `json:"judge,omitempty"` // who computed the outputs; by default the Go backend
	Notes   []string `json:"notes,omitempty"`
}

// keep saves the recording, if it is new.
func (a *archive) keep(r *record.Recording) (*kept, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return nil, err
	}
	part, err := os.MkdirTemp(a.dir, ".part-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(part)
	path := filepath.Join(part, "graph.pb")
	if err := r.Save(path, record.Details{}); err != nil {
		return nil, err
	}
	graph, err := replay.Read(path)
	if err != nil {
		return nil, err
	}
	name, err := contentHash(graph.File)
	if err != nil {
		return nil, err
	}
	fmt.Println("harvest:", name)
	k := &kept{archive: a, dir: filepath.Join(a.dir, name), graph: graph}
	if _, err := os.Stat(k.dir); err == nil {
		return k, nil
	}
	if err := k.writeOrigin(part, origin{Package: os.Getenv(EnvPackage), Test: os.Getenv(EnvTest), Site: site()}); err != nil {
		return nil, err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(part, k.dir); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return k, nil
}

// contentHash names a graph by all that determines what it computes, and by the names of what goes in.
func contentHash(file *graphpb.GraphFile) (string, error) {
	f := proto.CloneOf(file)
	f.Name, f.Producer, f.SourceFiles, f.Metadata = "", nil, nil, nil
	for _, fn := range f.Functions {
		for _, n := range fn.Nodes {
			n.Location, n.Label = nil, ""
		}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), err
}

func (k *kept) writeOrigin(dir string, o origin) error {
	data, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "origin.json"), append(data, '\n'), 0o644)
}

// note adds a line to origin.json.
func (k *kept) note(text string) {
	k.change(func(o *origin) bool {
		if slices.Contains(o.Notes, text) {
			return false
		}
		o.Notes = append(o.Notes, text)
		return true
	})
}

// change alters origin.json, if change says so. Trouble with that must not stop a test.
func (k *kept) change(change func(*origin) bool) {
	k.archive.mu.Lock()
	defer k.archive.mu.Unlock()
	data, err := os.ReadFile(filepath.Join(k.dir, "origin.json"))
	var o origin
	if err != nil || json.Unmarshal(data, &o) != nil || !change(&o) {
		return
	}
	if err := k.writeOrigin(k.dir, o); err != nil {
		fmt.Fprintln(os.Stderr, "harvest:", err)
	}
}

// judged says whether vectors of this judge are wanted. Those of the Go backend give way to those of any other.
func (k *kept) judged(judge string) (wanted bool) {
	k.change(func(o *origin) bool {
		if wanted = o.Judge == judge || judge != ""; !wanted || o.Judge == judge {
			return false
		}
		o.Judge = judge
		for i := range maxVectors {
			os.Remove(k.vectors(i))
		}
		return true
	})
	return wanted
}

func (k *kept) vectors(i int) string { return filepath.Join(k.dir, fmt.Sprintf("vectors-%d.npz", i)) }

// inputs are the arrays of the main function's parameters.
func (k *kept) inputs(given []*buffer) map[string]npz.Array {
	arrays := map[string]npz.Array{}
	for i, p := range k.graph.File.Functions[k.graph.File.Main].Parameters {
		arrays["in."+p.Name] = given[i].array()
	}
	return arrays
}

// vector keeps the arrays of one execution, if there is room and they are new.
func (k *kept) vector(inputs, outputs []*buffer, judge string) {
	if k.full.Load() || !k.judged(judge) {
		return
	}
	arrays := k.inputs(inputs)
	for i, o := range outputs {
		arrays[output(i)] = o.array()
	}
	size := 0
	for _, a := range arrays {
		size += len(a.Bytes)
	}
	if size > maxVectorBytes {
		k.note("vectors of more than 4 MiB are left out")
		k.full.Store(true)
		return
	}
	if err := k.addVector(arrays); err != nil {
		k.note("no vectors: " + firstLine(err))
	}
}

func (k *kept) addVector(arrays map[string]npz.Array) error {
	k.archive.mu.Lock()
	defer k.archive.mu.Unlock()
	part := filepath.Join(k.dir, fmt.Sprintf(".vectors-%d", os.Getpid()))
	defer os.Remove(part)
	if err := npz.Write(part, arrays); err != nil {
		return err
	}
	data, err := os.ReadFile(part)
	if err != nil {
		return err
	}
	for i := range maxVectors {
		path := k.vectors(i)
		err := os.Link(part, path)
		if err == nil || !errors.Is(err, os.ErrExist) {
			return err
		}
		if known, err := os.ReadFile(path); err == nil && bytes.Equal(known, data) {
			return nil
		}
	}
	k.full.Store(true)
	return nil
}

// site is the function of a test that built the graph.
func site() string {
	pcs := make([]uintptr, 200)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	last := ""
	for {
		frame, more := frames.Next()
		if frame.Function == "testing.tRunner" || !more {
			return last
		}
		if strings.HasPrefix(frame.Function, "github.com/gomlx/") {
			last = frame.Function[strings.LastIndexByte(frame.Function, '/')+1:]
		}
	}
}
