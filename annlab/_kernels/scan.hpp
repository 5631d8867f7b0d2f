// The two nearest centroids of each point of a tile.
//
// Included by native.cpp, once for each kind of processor and each type Real. Every lane of a
// vector is a point of its own and adds up its features one after the other, so the width of the
// vectors changes the speed and no bit of an answer.

// Values and places of as many points as a vector holds.
typedef Real Values __attribute__((vector_size(VECTOR)));
typedef Place Places __attribute__((vector_size(VECTOR)));

constexpr int LANES = VECTOR / sizeof(Real);
//: Points of a block: two vectors of each feature lie side by side.
constexpr int BLOCK = 2 * LANES;
//: Points of a tile.
constexpr int TILE = 256;

INLINE Values load(const Real *from) {
    Values v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

INLINE Places load(const Place *from) {
    Places v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(Real *to, Values v) { __builtin_memcpy(to, &v, sizeof v); }
INLINE void store(Place *to, Places v) { __builtin_memcpy(to, &v, sizeof v); }

struct Tile {
    const Size d;
    //: Blocks of points, in a block feature after feature.
    std::vector<Real> x;
    //: The two least values of 1/2 |c|^2 - x.c for each point, and the centroids they belong to.
    Real first[TILE], second[TILE];
    Place where[TILE], runner_up[TILE];

    explicit Tile(Size features) : d(features), x(TILE * features) {}

    Real *place(Size i) { return &x[i / BLOCK * BLOCK * d + i % BLOCK]; }

    void put(Size i, const Real *row) {
        Real *to = place(i);
        for (Size f = 0; f < d; f++) to[f * BLOCK] = row[f];
    }

    void put(Size i, const Real *row, const Real *shift) {
        Real *to = place(i);
        for (Size f = 0; f < d; f++) to[f * BLOCK] = row[f] - shift[f];
    }
};

// Squared lengths of the first t points.
static void lengths(const Tile &tile, Size t, Real *norms) {
    for (Size b = 0; b * BLOCK < t; b++) {
        Values low = {}, high = {};
        for (Size f = 0; f < tile.d; f++) {
            const Real *at = &tile.x[(b * tile.d + f) * BLOCK];
            const Values x0 = load(at), x1 = load(at + LANES);
            low += x0 * x0;
            high += x1 * x1;
        }
        store(norms + b * BLOCK, low);
        store(norms + b * BLOCK + LANES, high);
    }
}

// What a comparison is to find: the nearest; the distance of the second nearest as well; which it is.
enum Depth { NEAREST, SECOND, WHICH };

// What is known of the points of one vector.
struct Least {
    Values first, second;
    Places where, runner_up;
};

// Let one centroid meet the points of one vector.
INLINE void meet(Least &least, Values value, Places place, const Depth depth) {
    const Places nearest = value < least.first;
    if (depth >= SECOND) {
        const Places second = value < least.second;
        const Values rest = second ? value : least.second;
        least.second = nearest ? least.first : rest;
        if (depth == WHICH) {
            const Places rest_place = second ? place : least.runner_up;
            least.runner_up = nearest ? least.where : rest_place;
        }
    }
    least.first = nearest ? value : least.first;
    least.where = nearest ? place : least.where;
}

// Let `many` centroids in a row, a constant, meet the points of a block; sums stay in registers.
INLINE void group(const Real *rows, const Real *centroids, const Real *halves, Size d, Size c,
                  const int many, Least &low, Least &high,
                  const Depth depth) {
    Values sum0[GROUP] = {}, sum1[GROUP] = {};
    const Real *centroid = centroids + c * d;
    for (Size f = 0; f < d; f++) {
        const Values x0 = load(rows + f * BLOCK), x1 = load(rows + f * BLOCK + LANES);
#pragma GCC unroll 8
        for (int g = 0; g < many; g++) {
            const Real value = centroid[g * d + f];
            sum0[g] += x0 * value;
            sum1[g] += x1 * value;
        }
    }
#pragma GCC unroll 8
    for (int g = 0; g < many; g++) {
        const Places place = Places{} + Place(c + g);
        meet(low, halves[c + g] - sum0[g], place, depth);
        meet(high, halves[c + g] - sum1[g], place, depth);
    }
}

INLINE void scan_block(Tile &tile, Size b, const Real *centroids, const Real *halves, Size from,
                       Size to, const Depth depth) {
    const Size at = b * BLOCK, d = tile.d;
    Least low = {load(tile.first + at), load(tile.second + at), load(tile.where + at),
                 load(tile.runner_up + at)};
    Least high = {load(tile.first + at + LANES), load(tile.second + at + LANES),
                  load(tile.where + at + LANES), load(tile.runner_up + at + LANES)};
    const Real *rows = &tile.x[at * d];
    Size c = from;
    for (; c + GROUP <= to; c += GROUP)
        group(rows, centroids, halves, d, c, GROUP, low, high, depth);
    for (; c + 2 <= to; c += 2) group(rows, centroids, halves, d, c, 2, low, high, depth);
    if (c < to) group(rows, centroids, halves, d, c, 1, low, high, depth);
    store(tile.first + at, low.first);
    store(tile.first + at + LANES, high.first);
    store(tile.where + at, low.where);
    store(tile.where + at + LANES, high.where);
    if (depth >= SECOND) {
        store(tile.second + at, low.second);
        store(tile.second + at + LANES, high.second);
    }
    if (depth == WHICH) {
        store(tile.runner_up + at, low.runner_up);
        store(tile.runner_up + at + LANES, high.runner_up);
    }
}

// Compare the first t points with m centroids.
static void scan(Tile &tile, Size t, const Real *centroids, const Real *halves, Size m,
                 Depth depth) {
    const Size blocks = (t + BLOCK - 1) / BLOCK;
    for (Size i = t; i < blocks * BLOCK; i++) {
        Real *to = tile.place(i);
        for (Size f = 0; f < tile.d; f++) to[f * BLOCK] = 0;
    }
    const Real infinity = std::numeric_limits<Real>::infinity();
    std::fill_n(tile.first, blocks * BLOCK, infinity);
    std::fill_n(tile.second, blocks * BLOCK, infinity);
    std::fill_n(tile.where, blocks * BLOCK, Place(0));
    std::fill_n(tile.runner_up, blocks * BLOCK, Place(0));
    // so many centroids stay in the nearest cache while all blocks meet them
    const Size slab = std::max<Size>(1, 16384 / Size(tile.d * sizeof(Real) * GROUP)) * GROUP;
    for (Size from = 0; from < m; from += slab) {
        const Size to = std::min(m, from + slab);
        for (Size b = 0; b < blocks; b++) {
            if (depth == NEAREST) scan_block(tile, b, centroids, halves, from, to, NEAREST);
            else if (depth == SECOND) scan_block(tile, b, centroids, halves, from, to, SECOND);
            else scan_block(tile, b, centroids, halves, from, to, WHICH);
        }
    }
}
