"""Random op cases: the oracle against both engines, by the million (`make fuzz-ops`)."""
