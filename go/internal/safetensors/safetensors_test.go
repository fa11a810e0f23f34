package safetensors

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

func tensor(name string, dtype dtypes.DType, dims []int, data string) Tensor {
	return Tensor{name, dtype, dims, int64(len(data)), strings.NewReader(data)}
}

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	err := Write(&out, []Tensor{
		tensor("b/bool", dtypes.Bool, []int{3}, "\x00\x01\x01"),
		tensor("complex", dtypes.Complex64, []int{1}, "abcdefgh"),
		tensor("a \"quoted\"", dtypes.Float32, []int{1, 2}, "ABCDEFGH"),
		tensor("int", dtypes.Int64, nil, "12345678"),
	})
	if err != nil {
		t.Fatal(err)
	}
	n := int(binary.LittleEndian.Uint64(out.Bytes()))
	header := strings.TrimRight(string(out.Bytes()[8:8+n]), " ")
	want := `{"int":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"a \"quoted\"":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},` +
		`"b/bool":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]},"complex":{"dtype":"U8","shape":[8],"data_offsets":[19,27]}}`
	if header != want || (n+8)%64 != 0 {
		t.Errorf("header of %d bytes is\n%s\nwant\n%s", n, header, want)
	}
	tensors, err := Read(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(tensors) != 4 || string(tensors["complex"]) != "abcdefgh" || string(tensors["int"]) != "12345678" {
		t.Errorf("read %q", tensors)
	}
}

func TestWriteShort(t *testing.T) {
	short := tensor("x", dtypes.Uint8, []int{3}, "ab")
	short.Size = 3
	if err := Write(&bytes.Buffer{}, []Tensor{short}); err == nil {
		t.Error("a tensor with too few bytes is accepted")
	}
}

func TestReadRefuses(t *testing.T) {
	file := func(header string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	}
	for name, data := range map[string][]byte{
		"empty":    nil,
		"long":     {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'},
		"not JSON": file("hello"),
		"outside":  file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`),
		"negative": file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}}`),
	} {
		if _, err := Read(data); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
