// annlab's loops as a Python module: see README.md beside this file.

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "arguments.hpp"

#define INLINE static inline __attribute__((always_inline))
//: Centroids whose sums with two vectors of points stay in registers.
#define GROUP 4

// ---- the loops, for every kind of processor that one build serves -------------------------------

namespace any {
#define VECTOR 16
#include "both_types.hpp"
#undef VECTOR
} // namespace any

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
namespace avx2 {
#define VECTOR 32
#include "both_types.hpp"
#undef VECTOR
} // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq"))),        \
                             apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq")
#endif
namespace avx512 {
#define VECTOR 64
#include "both_types.hpp"
#undef VECTOR
} // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#endif

// ---- loops without floating-point numbers --------------------------------------------------------

static void counting_sort(List<const std::int32_t> keys, List<std::int32_t> order,
                          List<Size> starts) {
    std::fill_n(starts.data, starts.n, Size(0));
    for (Size i = 0; i < keys.n; i++) starts[keys[i] + 1]++;
    for (Size c = 1; c < starts.n; c++) starts[c] += starts[c - 1];
    std::vector<Size> next(starts.data, starts.data + starts.n);
    for (Size i = 0; i < keys.n; i++) order[next[keys[i]]++] = std::int32_t(i);
}

static Size pair_relocations(List<const std::int32_t> order, List<const Size> starts,
                             List<const std::int32_t> second, List<const std::int32_t> cheapest,
                             List<const double> costs, List<const std::int32_t> dearest,
                             List<const double> gains, Size most, List<std::int32_t> removed,
                             List<std::int32_t> divided) {
    enum Status : char { FREE, GONE, HELD };
    std::vector<Status> status(starts.n - 1, FREE);
    Size pairs = 0, next_cut = 0;
    for (Size rank = 0; rank < cheapest.n && pairs < most; rank++) {
        const std::int32_t c = cheapest[rank];
        if (status[c] != FREE) continue;
        while (next_cut < dearest.n && status[dearest[next_cut]] == GONE) next_cut++;
        if (next_cut == dearest.n) break;
        const std::int32_t cut = dearest[next_cut];
        if (!(gains[cut] > costs[c])) break;
        if (cut == c) continue;
        bool alone = true;
        for (Size at = starts[c]; at < starts[c + 1] && alone; at++)
            alone = status[second[order[at]]] != GONE;
        if (!alone) continue;
        status[c] = GONE;
        for (Size at = starts[c]; at < starts[c + 1]; at++) status[second[order[at]]] = HELD;
        status[cut] = HELD;
        removed[pairs] = c;
        divided[pairs] = cut;
        pairs++;
        next_cut++;
    }
    return pairs;
}

// ---- the module ----------------------------------------------------------------------------------

#define METHOD(name, function)                                                                     \
    { name, reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(function)), METH_FASTCALL, "" }
#define EITHER(kind, name) METHOD(#name, (either<kind::narrow::name, kind::wide::name>))
#define LOOPS(kind)                                                                                \
    static PyMethodDef kind##_methods[] = {                                                        \
        METHOD("counting_sort", single<counting_sort>),                                            \
        METHOD("pair_relocations", single<pair_relocations>),                                      \
        EITHER(kind, assign_fused),                                                                \
        EITHER(kind, assign_sparse),                                                               \
        EITHER(kind, assign_blocks),                                                               \
        EITHER(kind, choose_candidates),                                                           \
        EITHER(kind, seed_groups),                                                                 \
        EITHER(kind, cluster_sums),                                                                \
        EITHER(kind, split_clusters),                                                              \
        EITHER(kind, moments),                                                                     \
        EITHER(kind, paired_inertia),                                                              \
        {nullptr, nullptr, 0, nullptr},                                                            \
    };                                                                                             \
    static PyModuleDef kind##_module = {                                                           \
        PyModuleDef_HEAD_INIT, "_native", "", -1, kind##_methods, nullptr, nullptr, nullptr, nullptr};

LOOPS(any)
#if defined(__x86_64__)
LOOPS(avx2)
LOOPS(avx512)
#endif

// A module of loops with its own name as `processor`, and the version of numpy_twins.py.
static PyObject *make(PyModuleDef *definition, const char *processor) {
    PyObject *module = PyModule_Create(definition);
    if (module && (PyModule_AddStringConstant(module, "processor", processor) ||
                   PyModule_AddIntConstant(module, "version", 2)))
        Py_CLEAR(module);
    return module;
}

// The loops for this processor; `kinds` holds every set that runs here, for the tests.
PyMODINIT_FUNC PyInit__native() {
    std::vector<std::pair<PyModuleDef *, const char *>> here = {{&any_module, "any"}};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) here.push_back({&avx2_module, "avx2"});
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        here.push_back({&avx512_module, "avx512"});
#endif
    PyObject *module = make(here.back().first, here.back().second);
    PyObject *kinds = PyList_New(0);
    for (const auto &[definition, processor] : here) {
        PyObject *one = make(definition, processor);
        const bool failed = !module || !kinds || !one || PyList_Append(kinds, one);
        Py_XDECREF(one);
        if (failed) return nullptr;
    }
    PyModule_AddObject(module, "kinds", kinds);
    return module;
}
