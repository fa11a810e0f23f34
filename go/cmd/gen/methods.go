package main

import "go/format"

func methodsFile(ops []op) ([]byte, error) { return format.Source([]byte("package record\n")) }
func tableFile(ops []op) ([]byte, error)   { return format.Source([]byte("package replay\n")) }
