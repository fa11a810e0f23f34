// Package npz reads and writes NumPy's .npz files. (github.com/sbinet/npyio, the kept Go library, has no float16.)
//
// Dtypes: bool, integers of 8 to 64 bits, float16, float32, float64, complex64, complex128; bfloat16 is '|V2', as NumPy saves
// ml_dtypes.bfloat16. Files that it writes hold no time, so equal arrays give equal bytes.
package npz

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/gomlx/gomlx/core/tensors"
)

// Array is a dense array in row-major order, little-endian.
type Array struct {
	DType dtypes.DType
	Dims  []int
	Bytes []byte
}

var descriptions = map[dtypes.DType]string{
	dtypes.Bool: "|b1", dtypes.Int8: "|i1", dtypes.Uint8: "|u1",
	dtypes.Int16: "<i2", dtypes.Int32: "<i4", dtypes.Int64: "<i8",
	dtypes.Uint16: "<u2", dtypes.Uint32: "<u4", dtypes.Uint64: "<u8",
	dtypes.Float16: "<f2", dtypes.Float32: "<f4", dtypes.Float64: "<f8", dtypes.BFloat16: "|V2",
	dtypes.Complex64: "<c8", dtypes.Complex128: "<c16",
}

var byDescription = func() map[string]dtypes.DType {
	m := map[string]dtypes.DType{"<V2": dtypes.BFloat16}
	for d, s := range descriptions {
		m[s] = d
	}
	return m
}()

const magic = "\x93NUMPY"

// Write writes the arrays as a file, sorted by name.
func Write(path string, arrays map[string]Array) error {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := writeArray(w, arrays[name]); err != nil {
			return fmt.Errorf("%s: array %q: %w", path, name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func writeArray(w io.Writer, a Array) error {
	description, ok := descriptions[a.DType]
	if !ok {
		return fmt.Errorf("NumPy has no dtype for %s", a.DType)
	}
	if n := size(a); n != len(a.Bytes) {
		return fmt.Errorf("%d bytes for %s %v, want %d", len(a.Bytes), a.DType, a.Dims, n)
	}
	dims := ""
	for _, d := range a.Dims {
		dims += strconv.Itoa(d) + ", "
	}
	if len(a.Dims) > 1 {
		dims = strings.TrimSuffix(dims, ", ")
	} else {
		dims = strings.TrimSuffix(dims, " ")
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", description, dims)
	for (len(magic)+4+len(header)+1)%64 != 0 {
		header += " "
	}
	header += "\n"
	start := append([]byte(magic), 1, 0, 0, 0)
	binary.LittleEndian.PutUint16(start[len(magic)+2:], uint16(len(header)))
	for _, part := range [][]byte{start, []byte(header), a.Bytes} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func size(a Array) int {
	n := a.DType.Size()
	for _, d := range a.Dims {
		n *= d
	}
	return n
}

// Read returns all arrays of a file.
func Read(path string) (map[string]Array, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer z.Close()
	arrays := map[string]Array{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		data, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, f.Name, err)
		}
		a, err := readArray(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, f.Name, err)
		}
		arrays[strings.TrimSuffix(f.Name, ".npy")] = a
	}
	return arrays, nil
}

var headerPattern = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([^)]*)\), \}\s*$`)

func readArray(data []byte) (Array, error) {
	if len(data) < 12 || string(data[:6]) != magic {
		return Array{}, fmt.Errorf("not a NumPy array")
	}
	start, n := 10, int(binary.LittleEndian.Uint16(data[8:]))
	if data[6] >= 2 {
		start, n = 12, int(binary.LittleEndian.Uint32(data[8:]))
	}
	if n > len(data)-start {
		return Array{}, fmt.Errorf("the header is cut off")
	}
	m := headerPattern.FindStringSubmatch(string(data[start : start+n]))
	if m == nil {
		return Array{}, fmt.Errorf("header %q is not understood", data[start:start+n])
	}
	dtype, ok := byDescription[m[1]]
	if !ok {
		return Array{}, fmt.Errorf("dtype %q is not supported", m[1])
	}
	a := Array{DType: dtype, Bytes: data[start+n:]}
	for field := range strings.SplitSeq(m[3], ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil || d < 0 {
			return Array{}, fmt.Errorf("shape (%s)", m[3])
		}
		a.Dims = append(a.Dims, d)
	}
	if m[2] == "True" && len(a.Dims) > 1 {
		return Array{}, fmt.Errorf("the array is in column-major order; save numpy.ascontiguousarray of it")
	}
	if want := size(a); want != len(a.Bytes) {
		return Array{}, fmt.Errorf("%d bytes of data, want %d", len(a.Bytes), want)
	}
	return a, nil
}

// Of copies a tensor.
func Of(t *tensors.Tensor) (Array, error) {
	a := Array{DType: t.DType(), Dims: t.Shape().Dimensions}
	err := t.ConstBytes(func(data []byte) { a.Bytes = slices.Clone(data) })
	return a, err
}
