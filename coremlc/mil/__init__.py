"""A small complete model of MIL programs: build, infer types, print, parse, serialise."""
