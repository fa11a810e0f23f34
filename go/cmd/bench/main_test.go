package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/coremlc/coremlc/go/internal/npz"
)

func TestNamesAreUnique(t *testing.T) {
	n := 0
	for _, group := range groups {
		n += len(group)
	}
	if all := benchmarks(); len(all) != n {
		t.Errorf("%d names for %d benchmarks", len(all), n)
	}
}

// TestFiles makes benchmarks of each kind twice.
func TestFiles(t *testing.T) {
	for name, output := range map[string]bool{"conv-nchw": true, "decoder-step": true, "filter-fft": false, "loop-collatz": true} {
		t.Run(name, func(t *testing.T) {
			first, again := t.TempDir(), t.TempDir()
			for _, dir := range []string{first, again} {
				if err := benchmarks()[name].save(name, dir); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range []string{"graph.pb", "graph.safetensors", "vectors.npz"} {
				a, err1 := os.ReadFile(filepath.Join(first, file))
				b, err2 := os.ReadFile(filepath.Join(again, file))
				if !bytes.Equal(a, b) || (err1 == nil) != (err2 == nil) {
					t.Errorf("%s differs (%v, %v)", file, err1, err2)
				}
			}
			arrays, err := npz.Read(filepath.Join(first, "vectors.npz"))
			if _, ok := arrays["out.output0"]; err != nil || ok != output {
				t.Errorf("an output: %v (%v)", ok, err)
			}
		})
	}
}
