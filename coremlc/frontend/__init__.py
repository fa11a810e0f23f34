"""graph.pb to Graph; the only room that sees the generated protobuf of schemas/."""

from coremlc.frontend.read import read

__all__ = ["read"]
