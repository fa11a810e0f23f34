// Command coremlc-replay runs a graph.pb on a GoMLX backend: the arrays of an .npz in, those of an .npz out.
//
//	coremlc-replay -graph model.pb -in in.npz -out out.npz [-backend go:ops_sequential]
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"

	"github.com/coremlc/coremlc/go/internal/npz"
	"github.com/coremlc/coremlc/go/replay"
)

func main() {
	graph := flag.String("graph", "", "the graph.pb to run")
	in := flag.String("in", "", "the .npz with the inputs, by name; may be absent if there are none")
	out := flag.String("out", "", "the .npz to write, with the outputs by name")
	backend := flag.String("backend", "go:ops_sequential", "the GoMLX backend; \"go\" means go:ops_sequential, as its default mode can deadlock")
	flag.Parse()
	if *graph == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*graph, *in, *out, *backend); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(graph, in, out, backend string) error {
	g, err := replay.Read(graph)
	if err != nil {
		return err
	}
	inputs := map[string]npz.Array{}
	if in != "" {
		if inputs, err = npz.Read(in); err != nil {
			return err
		}
	}
	b, err := newBackend(backend)
	if err != nil {
		return err
	}
	outputs, err := g.Run(b, inputs)
	if err != nil {
		return fmt.Errorf("%s: %w", graph, err)
	}
	return npz.Write(out, outputs)
}

func newBackend(config string) (b compute.Backend, err error) {
	if config == "go" {
		return replay.GoBackend()
	}
	defer func() { // GoMLX panics if there is no such backend
		if r := recover(); r != nil {
			err = fmt.Errorf("backend %q: %v", config, r)
		}
	}()
	return compute.NewWithConfig(config)
}
