"""The one part of annlab that is compiled; everything else is said in pyproject.toml."""

from setuptools import Extension, setup

FOLDER = "annlab/_kernels"

loops = Extension(
    "annlab._kernels._native",
    sources=[f"{FOLDER}/native.cpp"],
    depends=[f"{FOLDER}/{name}.hpp" for name in ("arguments", "both_types", "loops", "scan")],
    # No flag asks for the builder's own processor: the module holds loops for several kinds and
    # chooses when it is loaded. No product and sum may become one operation, so that all of them
    # give the same bits.
    extra_compile_args=[
        "-std=c++17",
        "-O3",
        "-g0",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fvisibility=hidden",
        "-Wno-psabi",
    ],
    language="c++",
    # the stable interface: one build serves every Python from 3.11 on
    py_limited_api=True,
    # without a compiler the installation goes on, and annlab computes in NumPy
    optional=True,
)

setup(ext_modules=[loops], options={"bdist_wheel": {"py_limited_api": "cp311"}})
