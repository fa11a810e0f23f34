"""graph.pb to Graph; the only room that sees the generated protobuf of schemas/."""

from coremlc.frontend.extract import extract_node
from coremlc.frontend.read import read

__all__ = ["extract_node", "read"]
