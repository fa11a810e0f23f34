package replay

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/record"
)

// notOnGo are the ops that the Go backend lacks and that are not decomposed: they are recorded and rebuilt on the recorder only.
var notOnGo = []string{"AllReduce", "BatchNormForTraining", "BatchNormGradient", "Complex", "Conj", "EqualTotalOrder", "FFT",
	"GreaterOrEqualTotalOrder", "GreaterThanTotalOrder", "Imag", "LessOrEqualTotalOrder", "LessThanTotalOrder",
	"NotEqualTotalOrder", "Real"}

func allCases() []opCase {
	return slices.Concat(elementwiseCases(), reduceCases(), movementCases, linearCases, fusedCases, controlCases)
}

// build builds a case as a whole graph.
func build(backend compute.Backend, c opCase) (executable compute.Executable, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	builder := backend.Builder("case")
	values := c.build(maker{builder.Main()})
	if err := builder.Main().Return(values, nil); err != nil {
		return nil, err
	}
	return builder.Compile()
}

func saved(t *testing.T, executable compute.Executable) *Graph {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graph.pb")
	if err := executable.(*record.Recording).Save(path, record.Details{}); err != nil {
		t.Fatal(err)
	}
	g, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func newRecorder(t *testing.T) *record.Backend {
	b := record.New(record.Options{})
	t.Cleanup(b.Finalize)
	return b
}

// TestEveryOp: record, write, read; rebuild on the recorder, which gives the same graph; rebuild on the Go backend, which computes the
// same bits as without the file.
func TestEveryOp(t *testing.T) {
	tested := map[string]bool{"Constant": true}
	for i, c := range allCases() {
		tested[c.op] = true
		t.Run(fmt.Sprintf("%s_%d", c.op, i), func(t *testing.T) {
			executable, err := build(newRecorder(t), c)
			if err != nil {
				t.Fatal(err)
			}
			g := saved(t, executable)
			again, err := g.Build(newRecorder(t))
			if err != nil {
				t.Fatalf("rebuild on the recorder: %v", err)
			}
			if got, want := withoutPlaces(saved(t, again)), withoutPlaces(g); !proto.Equal(got, want) {
				t.Fatalf("rebuilt as\n%v\nwant\n%v", got, want)
			}
			if !slices.Contains(notOnGo, c.op) {
				compareOnGo(t, c, g)
			}
		})
	}
	for op := range ops {
		if !tested[op] {
			t.Errorf("no case for %s", op)
		}
	}
}

func withoutPlaces(g *Graph) *graphpb.GraphFile {
	f := proto.Clone(g.File).(*graphpb.GraphFile)
	f.SourceFiles, f.DataFiles, f.Name = nil, nil, ""
	for _, fn := range f.Functions {
		for _, n := range fn.Nodes {
			n.Location = nil
		}
	}
	return f
}

func compareOnGo(t *testing.T, c opCase, g *Graph) {
	t.Helper()
	backend, err := GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := g.Run(backend, nil)
	if _, ok := decompositions[c.op]; ok && compute.IsNotImplemented(err) {
		t.Skipf("the decomposition does without this form: %v", err)
	}
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	if _, ok := decompositions[c.op]; ok {
		return // there is nothing to compare with; see decompose_test.go
	}
	executable, err := build(backend, c)
	if err != nil {
		t.Fatalf("direct: %v", err)
	}
	buffers, err := executable.Execute(nil, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range buffers {
		want, err := arrayOf(b)
		if err != nil {
			t.Fatal(err)
		}
		got := replayed[fmt.Sprintf("output%d", i)]
		if c.op == "RNGBitGenerator" && i == 0 {
			got.Bytes, want.Bytes = got.Bytes[:16], want.Bytes[:16] // the Go backend leaves the third word as it is in memory
		}
		if got.DType != want.DType || !slices.Equal(got.Dims, want.Dims) || !slices.Equal(got.Bytes, want.Bytes) {
			t.Errorf("output %d: replay gives %v, direct %v", i, got, want)
		}
	}
}

// TestNotOnGo keeps the list short.
func TestNotOnGo(t *testing.T) {
	backend, err := GoBackend()
	if err != nil {
		t.Fatal(err)
	}
	lacking := map[string]bool{}
	for _, c := range allCases() {
		if _, ok := decompositions[c.op]; ok {
			continue
		}
		if _, err := build(backend, c); err != nil {
			lacking[c.op] = true
		}
	}
	if got := slices.Sorted(maps.Keys(lacking)); !slices.Equal(got, notOnGo) {
		t.Errorf("the Go backend lacks %q, the list says %q", got, notOnGo)
	}
}
