module github.com/coremlc/coremlc/go/onnx

go 1.26.5

require (
	github.com/coremlc/coremlc/go v0.0.0
	github.com/gomlx/compute v0.1.3
	github.com/gomlx/go-huggingface v0.4.0
	github.com/gomlx/gomlx v0.28.2
	github.com/gomlx/onnx-gomlx v0.5.0
)

require (
	github.com/edsrzf/mmap-go v1.2.0 // indirect
	github.com/eliben/go-sentencepiece v0.7.0 // indirect
	github.com/go-logr/logr v1.4.3 // indirect
	github.com/gofrs/flock v0.13.0 // indirect
	github.com/gomlx/exceptions v0.0.3 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	golang.org/x/exp v0.0.0-20260410095643-746e56fc9e2f // indirect
	golang.org/x/sys v0.43.0 // indirect
	golang.org/x/text v0.35.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	k8s.io/klog/v2 v2.140.0 // indirect
)

replace github.com/coremlc/coremlc/go => ../

replace github.com/gomlx/onnx-gomlx => ./.onnx-gomlx
