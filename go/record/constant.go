package record

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/coremlc/coremlc/go/graphpb"
)

// inlineLimit is the size up to which a tensor stands in graph.pb itself.
const inlineLimit = 1024

// constant is a recorded tensor: small ones and splats in memory, the others in the spool.
type constant struct {
	shape  shapes.Shape
	sha256 [sha256.Size]byte
	bytes  []byte // of all elements, or of the one element of a splat; nil if spooled
	splat  bool
	offset int64 // in the spool
	size   int64
}

// spool is a temporary file that takes the bytes of large constants, each content once.
type spool struct {
	mu     sync.Mutex
	file   *os.File
	end    int64
	known  map[[sha256.Size]byte]int64
	closed bool
}

// add keeps a tensor, copying what it needs of data.
func (s *spool) add(data []byte, shape shapes.Shape) (*constant, error) {
	c := &constant{shape: shape, size: int64(len(data))}
	if element, ok := splatElement(data, shape); ok {
		c.bytes, c.splat, c.sha256 = bytes.Clone(element), true, sha256.Sum256(element)
		return c, nil
	}
	c.sha256 = sha256.Sum256(data)
	if len(data) <= inlineLimit {
		c.bytes = bytes.Clone(data)
		return c, nil
	}
	offset, err := s.write(data, c.sha256)
	c.offset = offset
	return c, err
}

// splatElement returns the one element that all positions hold, if there are several.
func splatElement(data []byte, shape shapes.Shape) ([]byte, bool) {
	if shape.DType.IsPacked() || shape.Size() < 2 {
		return nil, false
	}
	n := shape.DType.Size()
	for i := n; i < len(data); i += n {
		if !bytes.Equal(data[i:i+n], data[:n]) {
			return nil, false
		}
	}
	return data[:n], true
}

func (s *spool) write(data []byte, sum [sha256.Size]byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset, ok := s.known[sum]; ok {
		return offset, nil
	}
	if s.closed {
		return 0, fmt.Errorf("the backend is finalized")
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "coremlc-record-*")
		if err != nil {
			return 0, err
		}
		s.file, s.known = file, map[[sha256.Size]byte]int64{}
	}
	offset := s.end
	if _, err := s.file.WriteAt(data, offset); err != nil {
		return 0, err
	}
	s.end += int64(len(data))
	s.known[sum] = offset
	return offset, nil
}

func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// constantShape derives the shape of a constant from its Go slice.
func constantShape(flat any, dims []int) (shapes.Shape, error) {
	t := reflect.TypeOf(flat)
	if t == nil || t.Kind() != reflect.Slice {
		return shapes.Invalid(), fmt.Errorf("%T is not a slice", flat)
	}
	dtype := dtypes.FromGoType(t.Elem())
	if dtype == dtypes.InvalidDType {
		return shapes.Invalid(), fmt.Errorf("%w: %s", errNoDType, t.Elem())
	}
	shape := shapes.Shape{DType: dtype, Dimensions: slices.Clone(dims)}
	if err := checkShape(shape); err != nil {
		return shapes.Invalid(), err
	}
	if n := reflect.ValueOf(flat).Len(); shape.IsDynamic() || n != shape.Size() {
		return shapes.Invalid(), fmt.Errorf("%d elements for the shape %s", n, shape)
	}
	return shape, nil
}

// tensor describes c in graph.pb; a large one needs its place in the data file.
func (c *constant) tensor(place *graphpb.External) *graphpb.Tensor {
	t := &graphpb.Tensor{Shape: newShape(c.shape), Sha256: c.sha256[:]}
	switch {
	case c.splat:
		t.Data = &graphpb.Tensor_Splat{Splat: c.bytes}
	case c.isExternal():
		t.Data = &graphpb.Tensor_External{External: place}
	default:
		t.Data = &graphpb.Tensor_Inline{Inline: c.bytes}
	}
	return t
}

func (c *constant) isExternal() bool { return !c.splat && c.size > inlineLimit }
