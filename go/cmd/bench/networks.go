package main

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/lstm"
	"github.com/gomlx/gomlx/ml/model"
)

// networks are small ones of the usual kinds, built with GoMLX's layers.
var networks = map[string]benchmark{
	"mlp-784-b1":    {build: mlp(512, 512, 10), inputs: []input{floats("x", 1, 784)}},
	"mlp-784-b64":   {build: mlp(512, 512, 10), inputs: []input{floats("x", 64, 784)}},
	"mlp-tiny":      {build: mlp(16, 16, 3), inputs: []input{floats("x", 1, 4)}},
	"cnn":           {build: cnn, inputs: []input{floats("pictures", 1, 64, 64, 3)}},
	"cnn-b8":        {build: cnn, inputs: []input{floats("pictures", 8, 64, 64, 3)}},
	"depthwise-net": {build: depthwiseNet, inputs: []input{floats("pictures", 1, 96, 96, 3)}},
	"lstm-32x128":   {build: sequence, inputs: []input{floats("x", 1, 32, 64)}},
}

func mlp(widths ...int) func(*model.Scope, []*Node) []*Node {
	return func(scope *model.Scope, in []*Node) []*Node {
		x := in[0]
		for i, width := range widths {
			if i > 0 {
				x = activation.Relu(x)
			}
			x = layers.Dense(scope.In("layer%d", i), x, true, width)
		}
		return []*Node{x}
	}
}

// cnn has three stages of residual blocks.
func cnn(scope *model.Scope, in []*Node) []*Node {
	conv := func(scope *model.Scope, x *Node, channels, strides int) *Node {
		return layers.Convolution(scope, x).Channels(channels).KernelSize(3).Strides(strides).PadSame().Done()
	}
	x := in[0]
	for i, channels := range []int{32, 64, 128} {
		stage := scope.In("stage%d", i)
		x = activation.Relu(conv(stage.In("enter"), x, channels, 2))
		y := activation.Relu(conv(stage.In("first"), x, channels, 1))
		x = activation.Relu(Add(x, conv(stage.In("second"), y, channels, 1)))
	}
	return []*Node{Softmax(layers.Dense(scope.In("classes"), ReduceMean(x, 1, 2), true, 10))}
}

// depthwiseNet is MobileNet's beginning.
func depthwiseNet(scope *model.Scope, in []*Node) []*Node {
	x := layers.Convolution(scope.In("enter"), in[0]).Channels(32).KernelSize(3).Strides(2).PadSame().Done()
	for i, channels := range []int{64, 128, 128, 256} {
		block, from := scope.In("block%d", i), x.Shape().Dim(-1)
		kernel := weight(block, x.Graph(), "kernel", 3, 3, 1, from)
		x = ClipScalar(Convolve(x, kernel).ChannelGroupCount(from).Strides(1+i%2).PadSame().Done(), 0, 6)
		x = ClipScalar(layers.Convolution(block.In("mix"), x).Channels(channels).KernelSize(1).Done(), 0, 6)
	}
	return []*Node{layers.Dense(scope.In("classes"), ReduceMean(x, 1, 2), true, 100)}
}

// sequence is an LSTM of 32 steps, which GoMLX unrolls.
func sequence(scope *model.Scope, in []*Node) []*Node {
	_, last, _ := lstm.New(scope.In("lstm"), in[0], 128).Done()
	return []*Node{layers.Dense(scope.In("classes"), Reshape(last, 1, 128), true, 10)}
}
