"""``annlab warmup``: compile the fast loops into their cache."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab warmup``."""
    parser.description = (
        "Compile annlab's loops into machine code for this processor and keep them in your cache\n"
        "folder. The first time takes some seconds; afterwards every process loads them in less\n"
        "than one. Setting up an image or a class room's machines is the time to run it."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab warmup            compile, or load what is there, and say how long it took\n"
        "  annlab warmup --quiet    in a script that sets up a machine\n\n"
        "The folder is NUMBA_CACHE_DIR if that is set, else the user's cache folder.\n"
        "annlab doctor says which one it is, and whether the loops are ready."
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing if it works")


def run(options: argparse.Namespace) -> int:
    """Compile or load every kernel and say how long it took."""
    from annlab._kernels_cache import cache_folder, load_kernels, warmup

    seconds = warmup()
    if options.quiet:
        return 0
    if load_kernels(compile=False) is None:
        print("The loops cannot be compiled here (numba is missing or switched off); annlab then")
        print("computes with NumPy alone: the same results, only slower on large data.")
        return 0
    print(f"The compiled loops were ready after {seconds:.1f} s.")
    folder = cache_folder()
    if folder is None:
        print("No folder here can keep them, so every process will compile them anew.")
    else:
        print(f"They are kept in {folder}.")
    return 0
