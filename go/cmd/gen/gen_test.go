package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// TestCurrent fails when GoMLX's interface, the documentation or the generator changed without `go generate ./record`.
func TestCurrent(t *testing.T) {
	files, err := generate(filepath.Join(root, "go"), filepath.Join(root, "schemas", "ops.proto"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not current: run `go generate ./record` (%v)", name, err)
		}
	}
}

// TestNumbersAreKept: regenerating gives old fields their numbers, new ones the next, and reserves those that are gone.
func TestNumbersAreKept(t *testing.T) {
	ops, err := walk(filepath.Join(root, "go"))
	if err != nil {
		t.Fatal(err)
	}
	old := readNumbers("message SliceAttributes {\n  repeated int64 limits = 7;\n  int64 gone = 4;\n}\n" +
		"message Attributes {\n  oneof kind {\n    SliceAttributes slice = 90;\n  }\n}\n")
	text, err := protoFile(ops, old)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"repeated int64 limits = 7;", "repeated int64 starts = 8;", "reserved 4; // gone", "SliceAttributes slice = 90;",
		"AllReduceAttributes all_reduce = 91;"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %q", want)
		}
	}
	again, err := protoFile(ops, readNumbers(string(text)))
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("the second time is different (%v)", err)
	}
}

func TestMissingDocumentationFails(t *testing.T) {
	ops := []op{{name: "Slice", params: []param{{name: "novelty", kind: kindAttribute, attr: &attrType{proto: "bool"}}}}}
	if _, err := protoFile(ops, numbers{}); err == nil || !strings.Contains(err.Error(), "Slice.novelty") {
		t.Errorf("error %v", err)
	}
}

// TestNoStaleDocumentation finds rows of the tables that nothing uses.
func TestNoStaleDocumentation(t *testing.T) {
	ops, err := walk(filepath.Join(root, "go"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := protoFile(ops, numbers{})
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "//", "")), " ")
	for _, table := range [][][2]string{fieldDocs, opDocs} {
		for _, row := range table {
			if !strings.Contains(flat, strings.Join(strings.Fields(row[1]), " ")) {
				t.Errorf("nothing uses the text of %q", row[0])
			}
		}
	}
}
