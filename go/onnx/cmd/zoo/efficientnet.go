package main

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/coremlc/coremlc/go/internal/npz"
)

// mbconv is a block of EfficientNet: its expansion, kernel, stride and channels.
type mbconv struct{ expand, kernel, stride, channels int }

var lite0 = []mbconv{
	{1, 3, 1, 16}, {6, 3, 2, 24}, {6, 3, 1, 24}, {6, 5, 2, 40}, {6, 5, 1, 40}, {6, 3, 2, 80}, {6, 3, 1, 80}, {6, 3, 1, 80},
	{6, 5, 1, 112}, {6, 5, 1, 112}, {6, 5, 1, 112}, {6, 5, 2, 192}, {6, 5, 1, 192}, {6, 5, 1, 192}, {6, 5, 1, 192}, {6, 3, 1, 320},
}

// efficientNet is EfficientNet-Lite0: pictures [batch, height, width, 3] to 1000 scores. The file has PyTorch's names, but kernels
// [height, width, in, out] and the last weight [in, out].
func efficientNet(file string, _ []string) (*network, error) {
	arrays, err := npz.Read(file)
	if err != nil {
		return nil, err
	}
	store, err := weights(arrays)
	return &network{store: store, build: classify, inputs: []string{"pictures"}, outputs: []string{"scores"}, twin: true}, err
}

type layers struct{ scope *model.Scope }

func classify(scope *model.Scope, in []*Node) []*Node {
	l := layers{scope}
	x := l.norm(l.conv(in[0], "_conv_stem", 2, 1), "_bn0", true)
	for i, block := range lite0 {
		x = l.block(x, fmt.Sprintf("_blocks.%d.", i), block)
	}
	x = l.norm(l.conv(x, "_conv_head", 1, 1), "_bn1", true)
	x = ReduceMean(x, 1, 2)
	g := x.Graph()
	return []*Node{Add(MatMul(x, variable(scope, g, "_fc.weight")), ExpandAxes(variable(scope, g, "_fc.bias"), 0))}
}

func (l layers) block(x *Node, name string, block mbconv) *Node {
	channels, y := x.Shape().Dim(3), x
	if block.expand > 1 {
		y = l.norm(l.conv(y, name+"_expand_conv", 1, 1), name+"_bn0", true)
	}
	y = l.norm(l.conv(y, name+"_depthwise_conv", block.stride, channels*block.expand), name+"_bn1", true)
	y = l.norm(l.conv(y, name+"_project_conv", 1, 1), name+"_bn2", false)
	if block.stride == 1 && channels == block.channels {
		y = Add(y, x)
	}
	return y
}

// conv pads as TensorFlow's SAME does.
func (l layers) conv(x *Node, name string, stride, groups int) *Node {
	kernel := variable(l.scope, x.Graph(), name+".weight")
	size := x.Shape().Dim(1)
	all := max(((size+stride-1)/stride-1)*stride+kernel.Shape().Dim(0)-size, 0)
	padding := [2]int{all / 2, all - all/2}
	c := Convolve(x, kernel).Strides(stride).PaddingPerDim([][2]int{padding, padding})
	if groups > 1 {
		c = c.ChannelGroupCount(groups)
	}
	return c.Done()
}

func (l layers) norm(x *Node, name string, clip bool) *Node {
	w := func(part string) *Node { return ExpandAxes(variable(l.scope, x.Graph(), name+"."+part), 0, 1, 2) }
	y := Div(Sub(x, w("running_mean")), Sqrt(AddScalar(w("running_var"), 1e-3)))
	y = Add(Mul(y, w("weight")), w("bias"))
	if clip {
		y = ClipScalar(y, 0, 6)
	}
	return y
}
