// Package names turns Go names into those of ops.proto.
package names

import (
	"strings"
	"unicode"
)

// Snake turns a Go name into a protobuf one: "outputDType" -> "output_dtype", "RNGBitGenerator" -> "rng_bit_generator".
func Snake(s string) string {
	r := []rune(strings.ReplaceAll(s, "DType", "Dtype"))
	var out strings.Builder
	for i, c := range r {
		if unicode.IsUpper(c) {
			afterLower := i > 0 && !unicode.IsUpper(r[i-1])
			beforeLower := i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1])
			if afterLower || beforeLower {
				out.WriteByte('_')
			}
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// Camel is protoc-gen-go's name for a protobuf field: "output_dtype" -> "OutputDtype".
func Camel(s string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(s, "_") {
		if part != "" {
			out.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return out.String()
}
