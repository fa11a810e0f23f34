// Package safetensors writes and reads the data file beside graph.pb (https://github.com/huggingface/safetensors).
//
// Bool, 8 to 64 bit integers, Float16, BFloat16, Float32 and Float64 stand under their own dtype; all others (complex, float8,
// elements under 8 bits) as U8 with their bytes as the only axis.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
)

// names are the dtypes that safetensors has in all its readers.
var names = map[dtypes.DType]string{
	dtypes.Bool: "BOOL", dtypes.Int8: "I8", dtypes.Int16: "I16", dtypes.Int32: "I32", dtypes.Int64: "I64",
	dtypes.Uint8: "U8", dtypes.Uint16: "U16", dtypes.Uint32: "U32", dtypes.Uint64: "U64",
	dtypes.Float16: "F16", dtypes.BFloat16: "BF16", dtypes.Float32: "F32", dtypes.Float64: "F64",
}

// Tensor is one tensor to write. Data gives exactly Size bytes.
type Tensor struct {
	Name  string
	DType dtypes.DType
	Dims  []int
	Size  int64
	Data  io.Reader
}

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Write writes the tensors, those with wide elements first, so that all are aligned; equal input gives equal bytes.
func Write(w io.Writer, tensors []Tensor) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		if x, y := width(a.DType), width(b.DType); x != y {
			return y - x
		}
		return strings.Compare(a.Name, b.Name)
	})
	header, err := header(tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if n, err := io.Copy(w, t.Data); err != nil || n != t.Size {
			return fmt.Errorf("tensor %q: %d bytes of %d written: %w", t.Name, n, t.Size, err)
		}
	}
	return nil
}

// width is the alignment of an element.
func width(d dtypes.DType) int {
	if _, ok := names[d]; !ok {
		return 1
	}
	return d.Size()
}

// header returns the length and the JSON, padded with spaces to a multiple of 64 bytes. Keys are in the order of the data.
func header(tensors []Tensor) ([]byte, error) {
	var out bytes.Buffer
	out.Write(make([]byte, 8))
	out.WriteByte('{')
	offset := int64(0)
	for i, t := range tensors {
		e := entry{DType: names[t.DType], Shape: append([]int{}, t.Dims...), Offsets: [2]int64{offset, offset + t.Size}}
		if e.DType == "" {
			e.DType, e.Shape = "U8", []int{int(t.Size)}
		}
		offset += t.Size
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%s:%s", name, value)
	}
	out.WriteByte('}')
	for out.Len()%64 != 0 {
		out.WriteByte(' ')
	}
	data := out.Bytes()
	binary.LittleEndian.PutUint64(data, uint64(len(data)-8))
	return data, nil
}

// maxHeader is the official limit.
const maxHeader = 100_000_000

// Read returns the bytes of each tensor of a file that is in memory.
func Read(file []byte) (map[string][]byte, error) {
	if len(file) < 8 {
		return nil, fmt.Errorf("safetensors: the file has only %d bytes", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	if n > maxHeader || n > uint64(len(file)-8) {
		return nil, fmt.Errorf("safetensors: the header is said to have %d bytes, the file has %d", n, len(file))
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+n], &entries); err != nil {
		return nil, fmt.Errorf("safetensors: header: %w", err)
	}
	data, tensors := file[8+n:], map[string][]byte{}
	for name, raw := range entries {
		if name == "__metadata__" {
			continue
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", name, err)
		}
		if e.Offsets[0] < 0 || e.Offsets[0] > e.Offsets[1] || e.Offsets[1] > int64(len(data)) {
			return nil, fmt.Errorf("safetensors: tensor %q lies at %v of %d bytes", name, e.Offsets, len(data))
		}
		tensors[name] = data[e.Offsets[0]:e.Offsets[1]]
	}
	return tensors, nil
}
