package npz

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

func TestRoundTrip(t *testing.T) {
	arrays := map[string]Array{}
	for dtype := range descriptions {
		for name, dims := range map[string][]int{"scalar": nil, "vector": {3}, "matrix": {2, 3}, "empty": {0, 2}} {
			a := Array{DType: dtype, Dims: dims, Bytes: []byte{}}
			for i := range size(a) {
				a.Bytes = append(a.Bytes, byte(i%2))
			}
			arrays[dtype.String()+"."+name] = a
		}
	}
	path := filepath.Join(t.TempDir(), "a.npz")
	if err := Write(path, arrays); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, arrays) {
		t.Errorf("read %v, wrote %v", got, arrays)
	}
}

// TestHeader: byte for byte what numpy.save writes.
func TestHeader(t *testing.T) {
	for want, a := range map[string]Array{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (), }":     {DType: dtypes.Float32, Bytes: make([]byte, 4)},
		"{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }":   {DType: dtypes.Bool, Dims: []int{3}, Bytes: make([]byte, 3)},
		"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }": {DType: dtypes.Int64, Dims: []int{2, 1}, Bytes: make([]byte, 16)},
		"{'descr': '<c8', 'fortran_order': False, 'shape': (1, 0), }": {DType: dtypes.Complex64, Dims: []int{1, 0}},
	} {
		var out strings.Builder
		if err := writeArray(&out, a); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if !strings.HasPrefix(text[10:], want+" ") || (len(text)-len(a.Bytes))%64 != 0 {
			t.Errorf("header %q, want %q", text, want)
		}
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	if err := Write(path, map[string]Array{"x": {DType: dtypes.Int4}}); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("Int4: %v", err)
	}
	if err := Write(path, map[string]Array{"x": {DType: dtypes.Int8, Dims: []int{2}, Bytes: []byte{1}}}); err == nil {
		t.Error("too few bytes are accepted")
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("garbage: %v", err)
	}
	for name, data := range map[string]string{
		"short":         "\x93NUMPY\x01",
		"column-major":  npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }") + "1234",
		"big-endian":    npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }") + "1234",
		"cut":           npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }") + "1234",
		"not a header":  npy("{}"),
		"cut in header": npy("{'descr': '<f4'")[:20],
	} {
		if _, err := readArray([]byte(data)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func npy(header string) string {
	return "\x93NUMPY\x01\x00" + string(rune(len(header))) + "\x00" + header
}
