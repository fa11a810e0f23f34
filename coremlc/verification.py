"""Verify: what an engine computes against another witness, and the first node where they part."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import numpy as np

from coremlc import arrays as files
from coremlc import dtypes
from coremlc.compare import difference
from coremlc.engine.base import chosen
from coremlc.errors import UsageError
from coremlc.locate import CompileOptions, Located, graph_and_inputs, is_graph, locate
from coremlc.report import FirstDifference, OutputDifference, VerifyReport
from coremlc.runner import Array, EngineOptions, RunOptions, given_inputs, load, vectors

if TYPE_CHECKING:
    from coremlc.compiler import Recipe
    from coremlc.engine import EngineName
    from coremlc.ir.graph import Graph, Node, Value

Arrays: TypeAlias = "dict[str, Array]"
Way: TypeAlias = "Callable[[Graph, Mapping[str, Array]], Arrays]"
"""Computes a graph's outputs from its inputs, by name."""
Judge = Literal["oracle", "xla", "reference", "onnxruntime", "coreml"]
JUDGES: tuple[Judge, ...] = get_args(Judge)
PROBES = 200
"""Values that are looked at in one compiled graph."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What is compared with what."""

    against: Judge | None = None
    """By default the oracle for a graph, the reference engine for a bundle."""
    vectors: Path | None = None
    """A `.npz` with the inputs; without one they are random."""
    seed: int = 0
    tolerance: float | None = None
    """Relative to the largest number of an array; by default that of the dtype."""
    bisect: Path | None = None
    """Find the first node that differs, and put it there as a small graph."""


@dataclass(frozen=True, slots=True)
class _Match:
    """Two ways to compute a graph, and when their results are the same."""

    ours: Way
    theirs: Way
    inputs: Mapping[str, Array]
    tolerance: float | None

    def differences(
        self, graph: Graph, wider: Mapping[str, Array] | None = None
    ) -> list[OutputDifference]:
        """Each output of a graph with the same inputs."""
        ours = self.ours(graph, self.inputs)  # first: it checks the inputs
        return _differences(ours, self.theirs(graph, self.inputs), self.tolerance, wider or {})


def _differences(
    ours: Arrays, theirs: Arrays, tolerance: float | None, wider: Mapping[str, Array]
) -> list[OutputDifference]:
    """Of each array. wider: [relative, absolute] of those that say it."""
    found = []
    for name, expected in theirs.items():
        if tolerance is None and name in wider:
            relative, absolute = wider[name].tolist()
        else:
            own = dtypes.BY_NUMPY[expected.dtype].tolerance[0]
            relative = own if tolerance is None else tolerance
            absolute = relative * _largest(expected)
        found.append(difference(name, ours[name], expected, (relative, absolute)))
    return found


def verify_model(
    model: str,
    how: VerifyOptions,
    engine: EngineOptions | None = None,
    options: CompileOptions | None = None,
) -> VerifyReport:
    """Compare what an engine computes of a model with what another witness does.

    Raises:
        UsageError: a bundle is to be judged by the oracle or by XLA, which need the graph.
        MachineError: XLA is not installed.
        CoremlcError: as compiling, loading and running do.
    """
    engine = engine or EngineOptions()
    if is_graph(model):
        return _verify_graph(Path(model), how, engine, options or CompileOptions())
    against = how.against or "reference"
    if against in ("oracle", "xla") or how.bisect is not None:
        raise UsageError(
            f"{model} is a bundle, which has no GoMLX graph", fix="give the graph.pb that it is of"
        )
    return _verify_bundle(locate(model, options), how, engine, against)


def _verify_bundle(
    located: Located, how: VerifyOptions, engine: EngineOptions, against: Judge
) -> VerifyReport:
    judge = replace(engine, engine=cast("EngineName", against))
    with load(located.bundle, engine) as ours, load(located.bundle, judge) as theirs:
        inputs = given_inputs(ours.signature, _source(how))
        wider = _wider(how, [p.name for p in ours.signature.outputs])
        outputs = _differences(ours(inputs), theirs(inputs), how.tolerance, wider)
        return _report(located.model, ours.engine, against, outputs)


def _verify_graph(
    path: Path, how: VerifyOptions, engine: EngineOptions, options: CompileOptions
) -> VerifyReport:
    recipe = options.recipe()
    graph, inputs = graph_and_inputs(path, options, _source(how))
    against = how.against or "oracle"
    ours, theirs = _on_engine(engine, recipe), _judge(against, engine, recipe)
    match = _Match(ours, theirs, inputs, how.tolerance)
    outputs = match.differences(graph, _wider(how, [o.name for o in graph.outputs]))
    report = _report(str(path), chosen(engine.engine), against, outputs)
    if how.bisect is None or report.ok:
        return report
    files.make_directory(how.bisect)  # before a long search
    return replace(report, first=_Bisection(path, recipe, graph, match).first(how.bisect))


def _source(how: VerifyOptions) -> RunOptions:
    given = () if how.vectors is None else (str(how.vectors),)
    return RunOptions(inputs=given, random=how.seed)


def _wider(how: VerifyOptions, outputs: Sequence[str]) -> dict[str, Array]:
    return {} if how.vectors is None else vectors(how.vectors, "tolerance", outputs)


def _report(
    model: str, engine: str, against: str, outputs: Sequence[OutputDifference]
) -> VerifyReport:
    ok = not any(d.mismatched for d in outputs)
    return VerifyReport(model, engine, against, ok, tuple(outputs))


def _largest(x: Array) -> float:
    """Of the finite numbers of a float or complex array."""
    dtype = dtypes.BY_NUMPY[x.dtype]
    if not (dtype.is_float or dtype.is_complex):
        return 0.0
    size = np.abs(x.astype(dtypes.working(dtype)))
    return float(np.max(size, initial=0.0, where=np.isfinite(size)))


def _judge(against: Judge, engine: EngineOptions, recipe: Recipe) -> Way:
    if against == "oracle":
        return _by_oracle
    if against == "xla":
        return _by_xla
    return _on_engine(replace(engine, engine=cast("EngineName", against)), recipe)


def _by_oracle(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
    from coremlc.ir import evaluate

    given = _typed(graph, inputs)
    results = evaluate.run(graph.main, [given[i.name] for i in graph.inputs])
    return dict(zip((o.name for o in graph.outputs), results, strict=True))


def _by_xla(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
    from coremlc.baseline import load_xla

    return load_xla(graph)(_typed(graph, inputs))


def _on_engine(engine: EngineOptions, recipe: Recipe) -> Way:
    def run(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
        from coremlc.bundle import write_mlmodelc
        from coremlc.compiler import build_model

        with tempfile.TemporaryDirectory(prefix="coremlc-") as room:
            bundle = Path(room) / "model.mlmodelc"
            write_mlmodelc(bundle, build_model(graph, recipe).model)
            with load(bundle, engine) as model:
                return model(inputs)

    return run


def _typed(graph: Graph, inputs: Mapping[str, Array]) -> Arrays:
    """The inputs in the dtypes of the graph; the engine has found them convertible."""
    return {
        given.name: np.asarray(inputs[given.name]).astype(value.type.dtype.numpy, copy=False)
        for given, value in zip(graph.inputs, graph.main.parameters, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Bisection:
    """The search in the main function of a graph; a node with bodies is one node."""

    path: Path
    recipe: Recipe
    graph: Graph
    match: _Match

    def first(self, folder: Path) -> FirstDifference | None:
        """The first node that differs, put into `folder`.

        Values are looked at as outputs of their own, many at once. Where they all agree, though the
        outputs do not, what differs is how nodes are compiled together: then the first node that
        differs as the only output.
        """
        found = next(self._apart(), None) or self._together()
        if found is None:
            return None
        index, seen = found
        return self._report(index, seen, folder)

    def _apart(self) -> Iterator[tuple[int, OutputDifference]]:
        """Nodes that differ while all values are kept."""
        indices = [i for i, node in enumerate(self.graph.main.nodes) if _can_differ(node)]
        for begin in range(0, len(indices), PROBES):
            part = indices[begin : begin + PROBES]
            owners = {f"v{i}_{k}": i for i in part for k, _ in self._results(i)}
            values = [v for i in part for _, v in self._results(i)]
            for found in self.match.differences(_probe(self.graph, values, owners)):
                if found.mismatched:
                    yield owners[found.name], found

    def _together(self) -> tuple[int, OutputDifference] | None:
        """By bisection: nodes before it agree, if difference grows along the graph."""
        indices = [i for i, node in enumerate(self.graph.main.nodes) if _can_differ(node)]
        low, high, seen = 0, len(indices), None
        while low < high:
            middle = (low + high) // 2
            found = self._alone(indices[middle])
            if found.mismatched:
                high, seen = middle, (indices[middle], found)
            else:
                low = middle + 1
        return seen

    def _alone(self, index: int) -> OutputDifference:
        names = {f"v{index}_{k}": index for k, _ in self._results(index)}
        values = [v for _, v in self._results(index)]
        found = self.match.differences(_probe(self.graph, values, names))
        return max(found, key=lambda d: d.mismatched)

    def _results(self, index: int) -> list[tuple[int, Value]]:
        results = self.graph.main.nodes[index].results
        return [(k, v) for k, v in enumerate(results) if v.type.size]

    def _report(self, index: int, seen: OutputDifference, folder: Path) -> FirstDifference:
        from coremlc.frontend import extract_node, read

        try:
            places = extract_node(self.path, index, folder)
        except OSError as error:
            raise files.unwritable(folder, error) from None
        small = read(folder / "graph.pb", self.recipe.dims)
        inputs = self._values(places)
        expected = self.match.theirs(small, inputs)
        named = {f"in.{n}": x for n, x in inputs.items()}
        named |= {f"out.{n}": x for n, x in expected.items()}
        files.write_npz(folder / "vectors.npz", named)
        again = replace(self.match, inputs=inputs).differences(small)
        node = self.graph.main.nodes[index]
        return FirstDifference(
            op=node.op.kind,
            label=node.label,
            source=node.source,
            difference=seen,
            alone=any(d.mismatched for d in again),
            graph=str(folder / "graph.pb"),
        )

    def _values(self, places: Mapping[str, tuple[int | None, int]]) -> Arrays:
        """What the judge has for the inputs of a node."""
        main = self.graph.main
        given = {n: k for n, (i, k) in places.items() if i is None}
        inner = {n: main.nodes[i].results[k] for n, (i, k) in places.items() if i is not None}
        typed = _typed(self.graph, self.match.inputs)
        values = {n: typed[self.graph.inputs[k].name] for n, k in given.items()}
        if inner:
            probe = _probe(self.graph, list(inner.values()), inner)
            values |= self.match.theirs(probe, self.match.inputs)
        return {name: values[name] for name in places}


def _can_differ(node: Node) -> bool:
    """Not constants, which are written as they are."""
    return bool(node.operands or node.op.bodies) and any(r.type.size for r in node.results)


def _probe(graph: Graph, values: Sequence[Value], names: Iterable[str]) -> Graph:
    """The graph with other results."""
    from coremlc.ir.graph import Output
    from coremlc.passes import live

    main = live(replace(graph.main, results=tuple(values)))
    return replace(graph, main=main, outputs=tuple(Output(name) for name in names))
