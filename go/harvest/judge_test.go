package harvest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/coremlc/coremlc/go/harvest"
	"github.com/coremlc/coremlc/go/internal/npz"
)

// TestMain is also the process of a judge, which gives the first input as the output.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "judge" {
		echo()
		return
	}
	os.Exit(m.Run())
}

func echo() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var question struct{ Graph, File string }
		if err := json.Unmarshal(lines.Bytes(), &question); err != nil {
			panic(err)
		}
		arrays, err := npz.Read(question.File)
		if err != nil {
			panic(err)
		}
		for name, x := range arrays {
			if strings.HasPrefix(name, "in.") {
				arrays["out.output0"] = x
			}
		}
		if err := npz.Write(question.File, arrays); err != nil {
			panic(err)
		}
		fmt.Println(`{"judge": "echo"}`)
	}
}

func origin(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(one(t, dir+"/*/origin.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheJudgeRunsWhatGoCannot(t *testing.T) {
	t.Setenv(harvest.EnvJudge, os.Args[0]+" judge")
	dir := t.TempDir()
	got := call(t, dir, func(x *graph.Node) *graph.Node { return graph.Conj(x) }, []complex64{1i})
	if v := got.Value().([]complex64)[0]; v != 1i {
		t.Errorf("got %v, want the judge's 1i", v)
	}
	one(t, dir+"/*/vectors-0.npz")
	if text := origin(t, dir); !strings.Contains(text, `"judge": "echo"`) {
		t.Error(text)
	}
}

func TestVectorsOfTheJudgeReplaceThoseOfGo(t *testing.T) {
	t.Setenv(harvest.EnvJudge, os.Args[0]+" judge")
	dir := t.TempDir()
	negated := func(want float32) {
		t.Helper()
		x := call(t, dir, func(x *graph.Node) *graph.Node { return graph.Neg(x) }, []float32{1})
		if got := x.Value().([]float32)[0]; got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	negated(-1)
	t.Setenv(harvest.EnvAlways, "1")
	negated(1)
	os.Unsetenv(harvest.EnvAlways)
	negated(-1)
	arrays, err := npz.Read(one(t, filepath.Join(dir, "*", "vectors-*.npz")))
	if err != nil {
		t.Fatal(err)
	}
	if string(arrays["out.output0"].Bytes) != string(arrays["in.arg0"].Bytes) {
		t.Errorf("the vectors are not the judge's: %v", arrays)
	}
}
