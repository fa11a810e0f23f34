"""Complex numbers of all sizes, lengths of all kinds, and arrays in and out of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from coremlc.arrays import read_npz
from coremlc.cli import cli
from coremlc.compiler import Recipe, build_model
from coremlc.engine.base import load_program
from coremlc.ir.op import Op
from coremlc.ops import binary, complex, fft, unary
from coremlc.ops.elementwise import Elementwise
from coremlc.signature import Signature
from coremlc.targets import DEFAULT
from tests.frontend.files import File
from tests.ops.samples import Sample, expected, graph_of, pairs
from tests.ops.test_samples import ENGINES

N = 20_000
SEED = 7


def outputs(sample: Sample) -> Iterator[np.ndarray]:
    """The result on each engine."""
    graph, given = graph_of(sample)
    program = build_model(graph, Recipe()).model.program
    signature = Signature.of_graph(graph, DEFAULT)
    for engine in ENGINES:
        with load_program(program, engine=engine) as executable:
            yield signature.decode(executable.run(signature.encode(given)))["y0"]


def wide(low: float, high: float) -> Callable[[np.random.Generator], np.ndarray]:
    """Parts of magnitudes 10^low .. 10^high."""

    def make(rng: np.random.Generator) -> np.ndarray:
        z = np.empty(N, np.complex64)
        for part in (z.real, z.imag):
            part[:] = rng.choice([-1, 1], N) * 10 ** rng.uniform(low, high, N)
        return z

    return make


def near_one(rng: np.random.Generator) -> np.ndarray:
    size, angle = 10 ** rng.uniform(-0.1, 0.1, N), rng.uniform(-3, 3, N)
    return (size * np.exp(1j * angle)).astype(np.complex64)


# op, operands, largest relative error (of the complex number; float32's unit is 6e-8)
ACCURACY: list[tuple[Op, tuple[Callable[..., np.ndarray], ...], float]] = [
    (unary.Abs(), (wide(-18, 37),), 3e-7),
    (unary.Sign(), (wide(-18, 37),), 3e-7),
    (unary.Sqrt(), (wide(-18, 37),), 4e-7),
    (unary.Rsqrt(), (wide(-18, 30),), 5e-7),
    (unary.Log(), (wide(-18, 37),), 5e-7),
    (unary.Log(), (near_one,), 6e-7),
    (unary.Log1p(), (wide(-12, 0),), 7e-7),
    (unary.Exp(), (wide(-5, 1.5),), 9e-7),
    (unary.Expm1(), (wide(-8, 0),), 9e-7),
    (binary.Mul(), (wide(-10, 18), wide(-10, 18)), 3e-7),
    (binary.Div(), (wide(-10, 18), wide(-10, 18)), 4e-7),
    (binary.Pow(), (wide(-2, 2), wide(-1, 0.5)), 5e-6),
]


@pytest.mark.parametrize("case", ACCURACY, ids=lambda c: f"{c[0].kind}-{c[2]}")
def test_no_digits_are_lost_at_any_size(case) -> None:
    op, makers, bound = case
    rng = np.random.default_rng(SEED)
    operands = tuple(make(rng) for make in makers)
    with np.errstate(all="ignore"):
        exact = op.evaluate(*[x.astype(np.complex128) for x in operands])
    for got in outputs(Sample(op, operands)):
        rounded = exact.astype(got.dtype)
        known = np.isfinite(rounded) & (np.abs(exact) > 1e-35)
        assert known.sum() > N / 2
        assert np.array_equal(np.isfinite(got), np.isfinite(rounded))
        error = np.abs(got[known].astype(exact.dtype) - exact[known]) / np.abs(exact[known])
        assert error.max() < bound


def spectra(kind: str, n: int, rows: int = 1) -> Sample:
    rng = np.random.default_rng([SEED, n])
    half = n // 2 + 1 if kind == "InverseReal" else n
    x = rng.normal(size=(rows, half)) + 1j * rng.normal(size=(rows, half))
    given = x.real.astype(np.float32) if kind == "ForwardReal" else x.astype(np.complex64)
    return Sample(fft.FFT(kind, (n,)), (given,))


def small_error(sample: Sample) -> None:
    """Within a few units of the root mean square: what an FFT in float32 gives."""
    (wanted,) = expected(sample)
    size = np.sqrt(np.mean(np.abs(wanted) ** 2))
    for got in outputs(sample):
        assert got.dtype == wanted.dtype
        assert np.abs(got - wanted).max() < 3e-6 * size


@pytest.mark.parametrize("n", np.random.default_rng(SEED).integers(129, 6000, 12).tolist())
def test_fft_of_any_length(n: int) -> None:
    small_error(spectra(fft.TYPES[n % 4], n))


@pytest.mark.slow
@pytest.mark.parametrize("n", [65536, 65535, 65521, 50000, 2 * 32749, 131 * 499])
@pytest.mark.parametrize("kind", fft.TYPES)
def test_fft_of_great_length(kind: str, n: int) -> None:
    small_error(spectra(kind, n))


@pytest.mark.slow
@pytest.mark.parametrize("n", range(1, 1025, 7))
def test_fft_of_small_length(n: int) -> None:
    for kind in fft.TYPES:
        small_error(spectra(kind, n, 2))


def test_cuts_follow_the_sign_of_zero() -> None:
    """Above and below the negative axis: log, sqrt and pow see -0."""
    z = np.array([complex_(-4, 0.0), complex_(-4, -0.0), complex_(-0.0, -0.0)])
    for got in outputs(Sample(unary.Sqrt(), (z,))):
        np.testing.assert_allclose(got[:2], [2j, -2j], atol=1e-6)
        assert np.signbit(got[2].imag)
    for got in outputs(Sample(unary.Log(), (z[:2],))):
        np.testing.assert_allclose(got.imag, [np.pi, -np.pi], rtol=1e-6)
    for got in outputs(Sample(complex.Conj(), (z,))):
        assert np.signbit(got.imag).tolist() == [True, False, False]


SPECIAL = [0.0, -0.0, 1.5, -2.0, np.inf, -np.inf, np.nan]
XLA = {
    **{op: op.__name__.lower() for op in (unary.Abs, unary.Sign, unary.Exp, unary.Expm1)},
    **{op: op.__name__.lower() for op in (unary.Log, unary.Log1p, unary.Sqrt, unary.Rsqrt)},
    **{op: op.__name__.lower() for op in (binary.Add, binary.Mul, binary.Div, binary.Pow)},
}


@pytest.mark.parametrize("op", XLA, ids=lambda op: op.__name__)
def test_where_numpy_and_xla_agree_so_do_we(op: type[Elementwise]) -> None:
    """Every complex number, and pair of them, whose parts are 0, finite, infinite or NaN."""
    jax = pytest.importorskip("jax")
    z = np.array([complex_(re, im) for re in SPECIAL for im in SPECIAL])
    operands = (z,) if op.arity == 1 else pairs(z, z)
    sample = Sample(op(), operands)
    (numpy,) = expected(sample)
    xla = np.asarray(jax.jit(getattr(jax.lax, XLA[op]))(*operands))
    agreed = alike(numpy, xla)
    assert agreed.mean() > 0.6
    for got in outputs(sample):
        assert np.all(alike(got, numpy) | ~agreed)


def alike(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Part by part, NaN included."""
    with np.errstate(all="ignore"):
        near = [
            (p == q) | (np.isnan(p) & np.isnan(q)) | (np.abs(p - q) <= 1e-5 * np.abs(q))
            for p, q in ((x.real, y.real), (x.imag, y.imag))
        ]
    return near[0] & near[1]


def complex_(re: float, im: float) -> np.complex64:
    """With its -0, which `re + im * 1j` loses."""
    z = np.empty((), np.complex64)
    z.real, z.imag = re, im
    return z[()]


@pytest.mark.parametrize("dtype", ["Complex64", "Complex128"])
@pytest.mark.parametrize("engine", ["reference", "onnxruntime"])
def test_arrays_travel_whole(tmp_path: Path, dtype: str, engine: str) -> None:
    """`coremlc run` takes and gives complex arrays; inside they are two features each."""
    file = File()
    z = file.input("wave.in", dtype, 2, 6)
    scalar = file.input("gain", dtype)
    y = file.node("FFT", (z,), dtype, 2, 6, fft_type="Forward", fft_length=[6])
    file.result(file.node("Mul", (y, scalar), dtype, 2, 6), "wave.out")
    file.result(file.node("Conj", (scalar,), dtype), "conj")
    path = file.save(tmp_path)
    numpy = np.dtype(dtype.lower())
    rng = np.random.default_rng(SEED)
    wave = (rng.normal(size=(2, 6)) + 1j * rng.normal(size=(2, 6))).astype(numpy)
    np.save(tmp_path / "wave.npy", wave)
    np.save(tmp_path / "gain.npy", np.array(2 - 1j, numpy))
    out = tmp_path / "out.npz"
    command = ["run", path, "-i", f"wave.in={tmp_path}/wave.npy", "-i"]
    command += [f"gain={tmp_path}/gain.npy", "--engine", engine, "-o", out, "--repeat", "0"]
    result = CliRunner().invoke(cli, [str(word) for word in command])
    assert result.exit_code == 0, result.stderr
    assert ("float64" in result.stderr) == (dtype == "Complex128")
    got = read_npz(out)
    assert {name: x.dtype for name, x in got.items()} == {"wave.out": numpy, "conj": numpy}
    np.testing.assert_allclose(got["wave.out"], np.fft.fft(wave) * (2 - 1j), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(got["conj"], np.array(2 + 1j, numpy))
