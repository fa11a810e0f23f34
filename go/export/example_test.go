package export_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/export"
)

func classify(scope *model.Scope, x *graph.Node) *graph.Node {
	h := activation.Relu(layers.Dense(scope.In("hidden"), x, true, 32))
	return graph.Softmax(layers.Dense(scope.In("output"), h, true, 3))
}

func ExampleSave() {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store := model.NewStore() // yours is trained, or loaded from a checkpoint
	err = export.Save(filepath.Join(dir, "classify.pb"), store, classify,
		export.Input("features", shapes.Make(dtypes.Float32, 1, 4)),
		export.Outputs("probabilities"),
		export.Golden([][]float32{{5.1, 3.5, 1.4, 0.2}}))
	if err != nil {
		log.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	// Output:
	// classify.pb
	// vectors.npz
}
