// scan.hpp and loops.hpp for float32 and for float64. Included by native.cpp, in a namespace for
// each kind of processor.

namespace narrow {
using Real = float;
using Place = std::int32_t;
#include "scan.hpp"
#include "loops.hpp"
} // namespace narrow

namespace wide {
using Real = double;
using Place = std::int64_t;
#include "scan.hpp"
#include "loops.hpp"
} // namespace wide
