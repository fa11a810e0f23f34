package replay

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"google.golang.org/protobuf/proto"

	"github.com/coremlc/coremlc/go/graphpb"
	"github.com/coremlc/coremlc/go/internal/safetensors"
)

// Graph is a graph.pb with its data files.
type Graph struct {
	// File is what graph.pb holds.
	File *graphpb.GraphFile
	data []map[string][]byte // by data file and tensor name
}

// features are what this reader understands.
var features = []string{"closures", "dynamic_axes", "packed"}

// The limits of graph.proto.
const (
	formatMajor  = 1
	maxFileBytes = 64 << 20
	maxNodes     = 1 << 20
	maxLevels    = 64
	maxRank      = 16
)

// Read reads and checks a graph.pb and the files beside it.
func Read(path string) (*Graph, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than a graph.pb may have", path, info.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g := &Graph{File: &graphpb.GraphFile{}}
	if err := proto.Unmarshal(raw, g.File); err != nil {
		return nil, fmt.Errorf("%s is not a graph.pb: %w", path, err)
	}
	if err := g.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, d := range g.File.DataFiles {
		tensors, err := readData(filepath.Dir(path), d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		g.data = append(g.data, tensors)
	}
	return g, nil
}

func readData(dir string, d *graphpb.DataFile) (map[string][]byte, error) {
	if d.Name == "" || d.Name == "." || d.Name == ".." || strings.ContainsAny(d.Name, `/\`) {
		return nil, fmt.Errorf("data file %q: only a plain name is allowed", d.Name)
	}
	raw, err := os.ReadFile(filepath.Join(dir, d.Name))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(raw); uint64(len(raw)) != d.Size || !slices.Equal(sum[:], d.Sha256) {
		return nil, fmt.Errorf("data file %s is not the one that was saved with the graph", d.Name)
	}
	return safetensors.Read(raw)
}

// check refuses what this reader does not understand.
func (g *Graph) check() error {
	f := g.File
	if f.FormatMajor != formatMajor {
		return fmt.Errorf("format %d.%d; this program reads %d", f.FormatMajor, f.FormatMinor, formatMajor)
	}
	for _, name := range f.RequiredFeatures {
		if !slices.Contains(features, name) {
			return fmt.Errorf("the graph needs the feature %q, which this program does not know", name)
		}
	}
	if int(f.Main) >= len(f.Functions) || f.Functions[f.Main].Kind != graphpb.Function_MAIN {
		return fmt.Errorf("function %d is not a main function", f.Main)
	}
	defined := map[uint64]bool{0: true}
	nodes, levels := 0, make([]int, len(f.Functions)+1)
	for i, fn := range f.Functions {
		nodes += len(fn.Nodes)
		if int(fn.ParentPlus_1) <= i {
			levels[i+1] = levels[fn.ParentPlus_1] + 1
		}
		if nodes > maxNodes || levels[i+1] > maxLevels {
			return fmt.Errorf("function %d: more than %d nodes, or more than %d functions in each other", i, maxNodes, maxLevels)
		}
		if int(fn.ParentPlus_1) > i || (fn.ParentPlus_1 != 0) != (fn.Kind == graphpb.Function_CLOSURE) {
			return fmt.Errorf("function %d comes before its parent, or has none", i)
		}
		for _, p := range fn.Parameters {
			if err := define(defined, p.Value); err != nil {
				return fmt.Errorf("parameter %q: %w", p.Name, err)
			}
		}
		for _, n := range fn.Nodes {
			if _, ok := ops[n.Op]; !ok && n.Op != "Constant" {
				return fmt.Errorf("%s: unknown op", g.describe(n))
			}
			for _, v := range n.Results {
				if err := define(defined, v); err != nil {
					return fmt.Errorf("%s: %w", g.describe(n), err)
				}
			}
		}
	}
	return nil
}

func define(defined map[uint64]bool, v *graphpb.Value) error {
	if defined[v.GetId()] {
		return fmt.Errorf("value %d is defined twice, or is 0", v.GetId())
	}
	defined[v.Id] = true
	_, err := parseShape(v.Shape)
	return err
}

// describe names a node for an error message: "node %7 (Add) built at model.go:12".
func (g *Graph) describe(n *graphpb.Node) string {
	id := uint64(0)
	if len(n.Results) > 0 {
		id = n.Results[0].Id
	}
	text := fmt.Sprintf("node %%%d (%s)", id, n.Op)
	if file := int(n.GetLocation().GetFilePlus_1()); file > 0 && file <= len(g.File.SourceFiles) {
		text += fmt.Sprintf(" built at %s:%d", g.File.SourceFiles[file-1], n.Location.Line)
	}
	return text
}

func parseShape(s *graphpb.Shape) (shapes.Shape, error) {
	dtype, err := parseDType(s.GetDtype())
	if err != nil {
		return shapes.Invalid(), err
	}
	if len(s.Dims) > maxRank {
		return shapes.Invalid(), fmt.Errorf("%d dims, at most %d are allowed", len(s.Dims), maxRank)
	}
	out := shapes.Shape{DType: dtype, Dimensions: make([]int, len(s.Dims))}
	names, dynamic := make([]string, len(s.Dims)), false
	for i, d := range s.Dims {
		switch d := d.Kind.(type) {
		case *graphpb.Dim_Size:
			if d.Size < 0 {
				return shapes.Invalid(), fmt.Errorf("a dim is %d", d.Size)
			}
			out.Dimensions[i] = int(d.Size)
		case *graphpb.Dim_Symbol:
			out.Dimensions[i], names[i], dynamic = shapes.DynamicDim, d.Symbol, true
		default:
			return shapes.Invalid(), fmt.Errorf("dim %d is neither a size nor a symbol", i)
		}
	}
	if dynamic {
		out.AxisNames = names
	}
	return out, nil
}

func parseDType(name string) (dtypes.DType, error) {
	d, err := dtypes.DTypeString(name)
	if err != nil || d == dtypes.InvalidDType || d.String() != name {
		return dtypes.InvalidDType, fmt.Errorf("unknown dtype %q", name)
	}
	return d, nil
}

// tensor returns the shape and the element bytes of a tensor, checked.
func (g *Graph) tensor(t *graphpb.Tensor) (shapes.Shape, []byte, error) {
	shape, err := parseShape(t.GetShape())
	if err != nil {
		return shape, nil, err
	}
	if shape.IsDynamic() {
		return shape, nil, fmt.Errorf("a tensor has the dynamic shape %s", shape)
	}
	var data []byte
	switch d := t.Data.(type) {
	case *graphpb.Tensor_Inline:
		data = d.Inline
	case *graphpb.Tensor_Splat:
		data = d.Splat
	case *graphpb.Tensor_External:
		if int(d.External.DataFile) >= len(g.data) {
			return shape, nil, fmt.Errorf("there is no data file %d", d.External.DataFile)
		}
		var ok bool
		if data, ok = g.data[d.External.DataFile][d.External.Name]; !ok {
			return shape, nil, fmt.Errorf("the data file has no tensor %q", d.External.Name)
		}
	}
	if sum := sha256.Sum256(data); !slices.Equal(sum[:], t.Sha256) {
		return shape, nil, fmt.Errorf("the content of a tensor is not the one that was saved")
	}
	if _, ok := t.Data.(*graphpb.Tensor_Splat); ok {
		data = slices.Repeat(data, shape.Size())
	}
	if want := int(shape.ByteSize()); len(data) != want {
		return shape, nil, fmt.Errorf("%d bytes for %s, want %d", len(data), shape, want)
	}
	return shape, data, nil
}
