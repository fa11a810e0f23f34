package export_test

import (
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/export"
	"github.com/coremlc/coremlc/go/replay"
)

// TestAttention: GoMLX's attention is exported as the fused op; the golden vectors, from its decomposition in replay, are what GoMLX
// computes by its own.
func TestAttention(t *testing.T) {
	shape := shapes.Make(dtypes.Float32, 2, 5, 8)
	for name, options := range map[string]attention.CoreOptions{
		"plain":  {Scale: 0.5},
		"causal": {Scale: 0.5, UseCausalMask: true},
		"masked": {Scale: 0.5},
		"biased": {Scale: 0.5},
	} {
		for _, layout := range []attention.AxesLayout{attention.LayoutBSHD, attention.LayoutBHSD} {
			t.Run(name+" "+layout.String(), func(t *testing.T) {
				network := func(_ *model.Scope, x *Node) *Node {
					q := Reshape(x, 2, 5, 4, 2)
					kv := Reshape(Slice(x, AxisRange(), AxisRange(), AxisRange(0, 4)), 2, 5, 2, 2)
					if layout == attention.LayoutBHSD {
						q, kv = Transpose(q, 1, 2), Transpose(kv, 1, 2)
					}
					options := options
					if name == "masked" { // every other row attends to nothing
						mask := []bool{false, false, false, false, false, true, false, true, true, false}
						dims := []int{2, 4, 5, 5}
						if layout == attention.LayoutBSHD {
							dims = []int{2, 5, 4, 5}
						}
						options.AttentionMask = Const(x.Graph(), tensors.FromFlatDataAndDimensions(slices.Repeat(mask, 20), dims...))
					}
					if name == "biased" { // of the same axes in either layout
						options.AttentionBias = IotaFull(x.Graph(), shapes.Make(dtypes.Float32, 1, 4, 5, 5))
					}
					out, _ := attention.Core(q, kv, Sin(kv), layout, options)
					return out
				}
				flat := make([]float32, shape.Size())
				for i := range flat {
					flat[i] = float32(i*37%64)/32 - 1
				}
				x := tensors.FromFlatDataAndDimensions(flat, shape.Dimensions...)
				backend, err := replay.GoBackend()
				if err != nil {
					t.Fatal(err)
				}
				exec, err := model.NewExec(backend, model.NewStore(), network)
				if err != nil {
					t.Fatal(err)
				}
				want, err := exec.Call1(x)
				if err != nil {
					t.Fatal(err)
				}
				path := graphPath(t)
				err = export.Save(path, model.NewStore(), network, export.Input("x", shape), export.Outputs("y"), export.Golden(x))
				if err != nil {
					t.Fatal(err)
				}
				nodes := read(t, path).File.Functions[0].Nodes
				if op := nodes[len(nodes)-1].Op; op != "FusedScaledDotProductAttention" {
					t.Errorf("the last op is %s", op)
				}
				sameFloats(t, floats(vectors(t, path)["out.y"]), tensors.MustCopyFlatData[float32](want))
			})
		}
	}
}

// TestQKVProjection: GoMLX calls the fused projection with three axes, which its contract does not allow; then it decomposes it.
func TestQKVProjection(t *testing.T) {
	network := func(scope *model.Scope, x *Node) *Node {
		return attention.SelfAttention(scope, x, 2, 4).UseQKVProjection().Done()
	}
	path := graphPath(t)
	if err := export.Save(path, model.NewStore(), network, export.Input("x", shapes.Make(dtypes.Float32, 2, 3, 8))); err != nil {
		t.Fatal(err)
	}
}
