// Command coremlc-onnx saves an ONNX model that prepare.py has prepared as graph.pb, and compares GoMLX with ONNX Runtime.
//
//	coremlc-onnx -model prepared.onnx -reference reference.npz -out model.pb [-name NAME] [-tolerance 1e-4] [-fuse]
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/coremlc/coremlc/go/onnx"
)

func main() {
	model := flag.String("model", "", "the prepared .onnx")
	reference := flag.String("reference", "", "the .npz of prepare.py: in.<name>, and out.<name> by ONNX Runtime")
	out := flag.String("out", "", "the graph to write: NAME.pb")
	var options onnx.Options
	flag.StringVar(&options.Name, "name", "", "the model's name, by default that of the file")
	flag.Float64Var(&options.Tolerance, "tolerance", 0, "the largest difference to ONNX Runtime, relative to the largest output (default 1e-4)")
	flag.BoolVar(&options.Fuse, "fuse", false, "let onnx-gomlx put fused ops for patterns that it knows")
	flag.Parse()
	if *model == "" || *reference == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*model, *reference, *out, options); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(model, reference, out string, options onnx.Options) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	differences, err := onnx.Import(model, reference, out, options)
	for _, d := range differences {
		fmt.Printf("%s: %.2g from ONNX Runtime (largest number %.2g)\n", d.Output, d.Most, d.Largest)
	}
	return err
}
