"""The ONNX Runtime engine: a plan from one recipe per MIL op, and sessions that run it."""
