package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coremlc/coremlc/go/internal/npz"
)

const einsum = "../../../fixtures/einsum/"

// TestRun computes the outputs of a fixture from its inputs.
func TestRun(t *testing.T) {
	vectors, err := npz.Read(einsum + "vectors.npz")
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]npz.Array{}
	for name, a := range vectors {
		if input, ok := strings.CutPrefix(name, "in."); ok {
			inputs[input] = a
		}
	}
	in, out := filepath.Join(t.TempDir(), "in.npz"), filepath.Join(t.TempDir(), "out.npz")
	if err := npz.Write(in, inputs); err != nil {
		t.Fatal(err)
	}
	if err := run(einsum+"graph.pb", in, out, "go"); err != nil {
		t.Fatal(err)
	}
	outputs, err := npz.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs)+len(inputs) != len(vectors) {
		t.Errorf("%d outputs", len(outputs))
	}
	if a := outputs["integers"]; !bytes.Equal(a.Bytes, vectors["out.integers"].Bytes) {
		t.Errorf("integers is %v", a)
	}
}

func TestErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.npz")
	for name, c := range map[string]struct{ graph, in, backend, want string }{
		"no graph":   {"missing.pb", "", "go", "missing.pb"},
		"no inputs":  {einsum + "graph.pb", "", "go", `input "a"`},
		"no backend": {einsum + "graph.pb", "", "abacus", "abacus"},
		"bad npz":    {einsum + "graph.pb", einsum + "graph.pb", "go", "zip"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(c.graph, c.in, out, c.backend); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed run left an output")
	}
}
