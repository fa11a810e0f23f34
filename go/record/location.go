package record

import (
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// place is a line of the user's code, or a part of a file that is no code.
type place struct {
	file string // relative to the module's root, with "/"; "" if unknown
	line int    // 0 in what is no code
	part string
}

func (p place) String() string {
	if p.line == 0 {
		return p.file + ": " + p.part
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// internal are the functions that a user did not write, by the start of their full name.
var internal = []string{"github.com/gomlx/compute.", "github.com/gomlx/compute/", "github.com/gomlx/gomlx/",
	"github.com/gomlx/exceptions", "github.com/coremlc/coremlc/go/record.", "github.com/coremlc/coremlc/go/export.",
	"github.com/coremlc/coremlc/go/replay.", "runtime.", "reflect.", "testing.", "sync.", "slices.", "iter."}

var places = struct {
	sync.Mutex
	byPC map[uintptr]place
}{byPC: map[uintptr]place{}}

// userPlace returns the innermost line on the stack that is the user's.
func userPlace() place {
	var pcs [64]uintptr
	n := runtime.Callers(3, pcs[:])
	places.Lock()
	defer places.Unlock()
	for _, pc := range pcs[:n] {
		p, ok := places.byPC[pc]
		if !ok {
			p = placeOf(pc)
			places.byPC[pc] = p
		}
		if p.file != "" {
			return p
		}
	}
	return place{}
}

// placeOf looks at the frames of one pc: there are several where functions were inlined.
func placeOf(pc uintptr) place {
	frames := runtime.CallersFrames([]uintptr{pc})
	for {
		frame, more := frames.Next()
		if frame.File != "" && !isInternal(frame) {
			return place{file: sourceFile(frame), line: frame.Line}
		}
		if !more {
			return place{}
		}
	}
}

func isInternal(frame runtime.Frame) bool {
	if strings.HasSuffix(frame.File, "_test.go") {
		return false
	}
	for _, prefix := range internal {
		if strings.HasPrefix(frame.Function, prefix) {
			return true
		}
	}
	return false
}

// sourceFile names the file of a frame without any directory of this machine: by the package's path in its module.
func sourceFile(frame runtime.Frame) string {
	base := path.Base(strings.ReplaceAll(frame.File, `\`, "/"))
	pkg := packagePath(frame.Function)
	if strings.HasSuffix(base, "_test.go") {
		pkg = strings.TrimSuffix(pkg, "_test")
	}
	info := buildInfo()
	if pkg == "main" {
		pkg = strings.TrimSuffix(info.Path, ".test")
	}
	module := ""
	for _, m := range append(info.Deps, &info.Main) {
		if (pkg == m.Path || strings.HasPrefix(pkg, m.Path+"/")) && len(m.Path) > len(module) {
			module = m.Path
		}
	}
	if module == "" {
		return base
	}
	return path.Join(strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/"), base)
}

// packagePath returns "a.b/c" for the function "a.b/c.(*T).F"; dots in the last element stand there as %2e.
func packagePath(function string) string {
	slash := strings.LastIndex(function, "/") + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + strings.ReplaceAll(name, "%2e", ".")
}

var buildInfo = sync.OnceValue(func() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
})
