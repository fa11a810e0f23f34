// Package replay rebuilds a saved graph on any GoMLX backend, and runs it there.
//
// It makes the golden vectors of exported graphs, and shows that graph.pb is complete: nothing but the file is used.
package replay

// opTable describes the method of an op; gen_ops.go lists all.
type opTable struct {
	attributes string // the member of Attributes.kind, "" if the op has none
	params     []param
}

type param struct {
	name   string // of the attribute in ops.proto
	kind   kind
	hidden int // operands that are fields of the attribute, per element if it is a list
}

type kind int

const (
	isValue kind = iota
	isValues
	isFunction
	isAttribute
)
