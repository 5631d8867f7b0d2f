#!/bin/sh
# Build hnswlib for a level of processors and not for the machine that builds it.
#
#   sh binder/hnswlib.sh PYTHON REQUIREMENTS [any|here]
#
# hnswlib comes as source and asks for -march=native. A build made so is kept in pip's cache and in
# images, travels, and kills the process on an older processor (SIGILL). HNSWLIB_NO_NATIVE takes
# the flag away. What takes its place:
#
#   any    nothing: the plain architecture, for an image that is built on one machine and runs on
#          others (Binder does not say which processors its members have, and a student's cell
#          that is 15 % slower is better than a kernel that dies)
#   here   x86-64-v3 (AVX2: every server and nearly every laptop since 2013) where compiler and
#          processor know it, else the plain architecture; on other architectures no flag at all
#
# Measured on a machine with AVX-512, one thread, queries on 4,096 centroids of 192 dimensions:
# native 20 us, v3 19 us, plain 22 us. --no-cache-dir keeps out a wheel that an earlier, native
# build left in pip's cache. In an image the build that is there already is replaced.
set -eu

python=$1
pin=$(sed -n 's/^\(hnswlib==[^ ;]*\).*/\1/p' "$2")
level=${3:-here}
[ -n "$pin" ] || exit 0

march=
again=
[ "$level" = here ] || again=--force-reinstall
if [ "$level" = here ] && [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] &&
    grep -qw avx2 /proc/cpuinfo 2>/dev/null &&
    echo 'int main() {}' | ${CXX:-c++} -march=x86-64-v3 -x c++ -fsyntax-only - 2>/dev/null; then
    march=-march=x86-64-v3
fi
# newer versions of setuptools read CXXFLAGS where C++ is compiled, older ones CFLAGS
HNSWLIB_NO_NATIVE=1 CFLAGS="${CFLAGS:-} $march" CXXFLAGS="${CXXFLAGS:-} $march" \
    "$python" -m pip --disable-pip-version-check install --verbose \
    --no-deps --no-cache-dir $again "$pin"
