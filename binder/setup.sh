#!/bin/sh
# Make the environment that every target of the Makefile uses, or bring it up to date.
#
#   sh binder/setup.sh VENV [PYTHON [REQUIREMENTS]]
#
# PYTHON is any interpreter from 3.11 on; without it, an environment that is there already is kept,
# and a new one takes the first suitable interpreter found. REQUIREMENTS is binder/requirements.txt
# unless another list is to be tried.
set -eu

venv=$1
python=${2:-}
root=$(cd "$(dirname "$0")/.." && pwd)
pins=${3:-$root/binder/requirements.txt}

say() { printf '%s\n' "$*"; }
fail() { printf 'make env: %s\n' "$*" >&2; exit 1; }
suits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

if [ -n "$python" ]; then
    suits "$python" || fail "PYTHON=$python is not a Python >= 3.11 that runs. Pass another one: make env PYTHON=python3.12"
    if [ -x "$venv/bin/python" ] && [ "$(version "$venv/bin/python" 2>/dev/null)" != "$(version "$python")" ]; then
        say "Replacing $venv: it holds another Python than $python."
        rm -rf "$venv"
    fi
elif ! suits "$venv/bin/python"; then
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if suits "$candidate"; then python=$candidate; break; fi
    done
    [ -n "$python" ] || fail "no Python >= 3.11 was found. Install one, or name it: make env PYTHON=/path/to/python3.12"
fi

if ! suits "$venv/bin/python"; then
    say "Making $venv with $python ($(version "$python"))."
    rm -rf "$venv"
    "$python" -m venv "$venv" ||
        fail "$python cannot make an environment. On Debian and Ubuntu: apt install python3-venv"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check"

say "Installing the pinned packages (the first time takes a minute or two)."

# the one package that is compiled here: binder/hnswlib.sh says how, and why
if grep -q '^hnswlib==' "$pins" &&
    ! sh "$root/binder/hnswlib.sh" "$venv/bin/python" "$pins" here >"$venv/hnswlib.log" 2>&1; then
    if [ "${CI:-}" = true ]; then cat "$venv/hnswlib.log"; fail "hnswlib could not be built"; fi
    say "hnswlib could not be built here (the log is $venv/hnswlib.log; it needs a C++ compiler"
    say "and Python's headers). Everything works without it: the hnsw index then runs on faiss."
fi

grep -v '^hnswlib==' "$pins" >"$venv/pins.txt"
$pip install -qq -r "$venv/pins.txt"
# the log says why the loops could not be compiled, where they could not
$pip install --verbose --no-deps --no-build-isolation -e "$root" >"$venv/annlab.log" 2>&1 ||
    { cat "$venv/annlab.log"; fail "annlab could not be installed"; }
# Python asks an editable installation last. A script beside a checkout that is called annlab would
# import the checkout's own folder, as a package without content; on the path it comes before that
printf '%s\n' "$root" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/annlab-checkout.pth"
if ! "$venv/bin/python" -c 'from annlab._kernels import loops; exit(loops.processor == "numpy")'; then
    if [ "${CI:-}" = true ]; then cat "$venv/annlab.log"; fail "annlab's loops could not be compiled"; fi
    say "annlab's loops could not be compiled here (the log is $venv/annlab.log; it needs a C++ compiler"
    say "and Python's headers). Everything works without them: annlab computes in NumPy, only slower."
fi
if grep -q '^Repository = "https://github.com/OWNER/' "$root/pyproject.toml"; then
    say "pyproject.toml has a placeholder for the repository's address: the first push to GitHub fills it in."
fi
say "The environment $venv is ready."
