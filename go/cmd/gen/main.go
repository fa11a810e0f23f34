// Command gen writes everything that follows from the methods of compute.Function, in one walk over its types:
//
//   - schemas/ops.proto: one attribute message per op;
//   - go/record/gen_ops.go: the recording methods;
//   - go/replay/gen_ops.go: the parameter names and kinds by which graph.pb is rebuilt.
//
// A method, attribute type or struct that it does not know, and an attribute without a sentence in docs.go, is an error.
// Run it by `go generate ./record`; `gen -check` only says whether the files are current.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "the repository")
	check := flag.Bool("check", false, "write nothing; fail if a file is not current")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := generate(filepath.Join(root, "go"), filepath.Join(root, "schemas", "ops.proto"))
	if err != nil {
		return err
	}
	for name, want := range files {
		path := filepath.Join(root, name)
		if check {
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("%s is not current: run `go generate ./record`", name)
			}
			continue
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files by their path in the repository. The field numbers in the file oldProto are kept.
func generate(moduleDir, oldProto string) (map[string][]byte, error) {
	ops, err := walk(moduleDir)
	if err != nil {
		return nil, err
	}
	old, err := os.ReadFile(oldProto)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	proto, err := protoFile(ops, readNumbers(string(old)))
	if err != nil {
		return nil, err
	}
	methods, err := methodsFile(ops)
	if err != nil {
		return nil, err
	}
	table, err := tableFile(ops)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"schemas/ops.proto":    proto,
		"go/record/gen_ops.go": methods,
		"go/replay/gen_ops.go": table,
	}, nil
}
