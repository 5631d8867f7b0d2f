// The loops; annlab/_kernels/numpy_twins.py says in plain NumPy what each of them does.
//
// Included after scan.hpp, once for each kind of processor and each type Real.

// ---- sums of fixed order and width, in float64 ------------------------------------------------

typedef double Wide __attribute__((vector_size(VECTOR)));
constexpr int WIDE = VECTOR / sizeof(double);
typedef Real NotYetWide __attribute__((vector_size(WIDE * sizeof(Real))));
//: Running sums; a multiple of every WIDE, so that each feature has the same place in all of them.
constexpr int SUMS = 16;

INLINE Wide wide(const double *from) {
    Wide v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

INLINE Wide widened(const Real *from) {
    NotYetWide v;
    __builtin_memcpy(&v, from, sizeof v);
    return __builtin_convertvector(v, Wide);
}

// The sum of (x - y)^2, or of x y: SUMS sums of every SUMS-th feature, then the features left over.
INLINE double sum_up(const Real *x, const double *y, Size d, const bool squares) {
    double sum = 0;
    Size f = 0;
    if (d >= SUMS) {
        Wide parts[SUMS / WIDE] = {};
        for (; f + SUMS <= d; f += SUMS) {
            for (int part = 0; part < SUMS / WIDE; part++) {
                const Wide a = widened(x + f + part * WIDE), b = wide(y + f + part * WIDE);
                parts[part] += squares ? (a - b) * (a - b) : a * b;
            }
        }
        double sums[SUMS];
        __builtin_memcpy(sums, parts, sizeof sums);
        for (int half = SUMS / 2; half > 0; half /= 2)
            for (int place = 0; place < half; place++) sums[place] += sums[place + half];
        sum = sums[0];
    }
    for (; f < d; f++) {
        const double a = x[f], b = y[f];
        sum += squares ? (a - b) * (a - b) : a * b;
    }
    return sum;
}

static double squared_distance(const Real *x, const double *y, Size d) {
    return sum_up(x, y, d, true);
}

static double product(const Real *x, const double *y, Size d) { return sum_up(x, y, d, false); }

static double wide_product(const double *x, const double *y, Size d) {
    double sum = 0;
    for (Size f = 0; f < d; f++) sum += x[f] * y[f];
    return sum;
}

// Half the squared length of a centroid.
static Real half_norm(const Real *row, Size d) {
    double sum = 0;
    for (Size f = 0; f < d; f++) sum += double(row[f]) * row[f];
    return Real(0.5 * sum);
}

// Add w times a row.
static void add(double *to, const Real *row, double w, Size d) {
    Size f = 0;
    for (; f + WIDE <= d; f += WIDE) {
        const Wide sum = wide(to + f) + w * widened(row + f);
        __builtin_memcpy(to + f, &sum, sizeof sum);
    }
    for (; f < d; f++) to[f] += w * row[f];
}

//: So many rows ahead.
constexpr Size AHEAD = 4;

// Ask for a row that will be needed soon: rows that lie apart come too late otherwise.
INLINE void expect(const Real *row, Size d) {
    for (Size f = 0; f < d; f += 64 / Size(sizeof(Real))) __builtin_prefetch(row + f);
}

INLINE double weight(List<const Real> weights, Size i) {
    return weights.n > 0 ? double(weights[i]) : 1.0;
}

// Squared distance from 1/2 |c|^2 - x.c and |x|^2, which rounding may take below 0.
INLINE Real squared(Real norm, Real least) {
    const Real value = norm + 2 * least;
    return value > 0 ? value : Real(0);
}

// ---- assignment -------------------------------------------------------------------------------

static double assign_fused(Table<const Real> X, List<const Real> shift, List<const Real> weights,
                           Table<const Real> centroids, List<const Real> half_norms, Size lo,
                           Size hi, List<std::int32_t> labels, List<Real> d1, List<Real> d2,
                           Table<double> sums, List<double> mass) {
    const Size k = centroids.n, d = centroids.d;
    const bool summed = mass.n == k;
    Tile tile(d);
    Real norms[TILE];
    double inertia = 0;
    for (Size start = lo; start < hi; start += TILE) {
        const Size t = std::min<Size>(TILE, hi - start);
        for (Size i = 0; i < t; i++) tile.put(i, X.row(start + i), shift.data);
        scan(tile, t, centroids.data, half_norms.data, k, SECOND);
        lengths(tile, t, norms);
        for (Size i = 0; i < t; i++) {
            const Size p = start + i, c = tile.where[i];
            labels[p] = std::int32_t(c);
            d1[p] = squared(norms[i], tile.first[i]);
            d2[p] = squared(norms[i], tile.second[i]);
            const double w = weight(weights, p);
            inertia += w * d1[p];
            if (!summed) continue;
            mass[c] += w;
            const Real *row = X.row(p);
            double *to = sums.row(c);
            for (Size f = 0; f < d; f++) to[f] += w * Real(row[f] - shift[f]);
        }
    }
    return inertia;
}

static void assign_blocks(Table<const Real> X, List<const Real> norms,
                          List<const std::int32_t> order, List<const Size> starts,
                          Table<const std::int32_t> candidates, List<const std::int32_t> counts,
                          Table<const Real> centroids, List<const Real> half_norms, Size lo,
                          Size hi, List<std::int32_t> labels, List<std::int32_t> second,
                          List<Real> d1, List<Real> d2) {
    const Size d = X.d;
    Size widest = 1;
    for (Size b = lo; b < hi; b++) widest = std::max<Size>(widest, counts[b]);
    std::vector<Real> own(widest * d), halves(widest);
    Tile tile(d);
    for (Size b = lo; b < hi; b++) {
        const std::int32_t *chosen = candidates.row(b);
        const Size m = counts[b];
        for (Size c = 0; c < m; c++) {
            halves[c] = half_norms[chosen[c]];
            std::copy_n(centroids.row(chosen[c]), d, &own[c * d]);
        }
        for (Size start = starts[b]; start < starts[b + 1]; start += TILE) {
            const Size t = std::min<Size>(TILE, starts[b + 1] - start);
            for (Size i = 0; i < t; i++) {
                if (i + AHEAD < t) expect(X.row(order[start + i + AHEAD]), d);
                tile.put(i, X.row(order[start + i]));
            }
            scan(tile, t, own.data(), halves.data(), m, WHICH);
            for (Size i = 0; i < t; i++) {
                const Size p = order[start + i];
                labels[p] = chosen[tile.where[i]];
                second[p] = chosen[tile.runner_up[i]];
                d1[p] = squared(norms[p], tile.first[i]);
                d2[p] = squared(norms[p], tile.second[i]);
            }
        }
    }
}

static void choose_candidates(Table<const Real> centroids, List<const Real> half_norms,
                              List<const std::int32_t> members, List<const Size> starts,
                              List<const std::int32_t> near, List<const Size> near_starts,
                              Size width, Size lo, Size hi, Table<std::int32_t> candidates,
                              List<std::int32_t> counts) {
    const Size d = centroids.d;
    const Real infinity = std::numeric_limits<Real>::infinity();
    std::vector<std::int32_t> ids, chosen;
    std::vector<Real> own_rows, halves, score, sorted;
    Tile tile(d);
    for (Size b = lo; b < hi; b++) {
        const Size own = starts[b + 1] - starts[b];
        // the block itself comes first in `near`
        ids.clear();
        for (Size at = near_starts[b]; at < near_starts[b + 1]; at++)
            ids.insert(ids.end(), members.data + starts[near[at]],
                       members.data + starts[near[at] + 1]);
        const Size size = Size(ids.size());
        chosen = ids;
        if (size > width) {
            own_rows.resize(own * d);
            halves.resize(own);
            for (Size i = 0; i < own; i++) {
                halves[i] = half_norms[ids[i]];
                std::copy_n(centroids.row(ids[i]), d, own_rows.data() + i * d);
            }
            score.resize(size);
            for (Size start = 0; start < size; start += TILE) {
                const Size t = std::min<Size>(TILE, size - start);
                for (Size i = 0; i < t; i++) tile.put(i, centroids.row(ids[start + i]));
                scan(tile, t, own_rows.data(), halves.data(), own, NEAREST);
                for (Size i = 0; i < t; i++)
                    score[start + i] = tile.first[i] + half_norms[ids[start + i]];
            }
            std::fill_n(score.begin(), own, -infinity);
            const Size keep = std::min(std::max(width, own), candidates.d);
            sorted = score;
            std::nth_element(sorted.begin(), sorted.begin() + (keep - 1), sorted.end());
            const Real limit = sorted[keep - 1];
            chosen.clear();
            for (Size j = 0; j < size; j++)
                if (score[j] < limit) chosen.push_back(ids[j]);
            // equally near ones in the order of the pool, until the places are filled
            for (Size j = 0; j < size && Size(chosen.size()) < keep; j++)
                if (score[j] == limit) chosen.push_back(ids[j]);
        }
        std::sort(chosen.begin(), chosen.end());
        counts[b] = std::int32_t(chosen.size());
        std::copy(chosen.begin(), chosen.end(), candidates.row(b));
    }
}

// ---- groups and clusters ----------------------------------------------------------------------

// One group of points, and the centroids that are drawn from them.
struct Group {
    Table<const Real> X;
    List<const Real> norms, weights;
    Size r0, r1, c0, m;
    Table<Real> centroids;
    List<Real> d1;
    std::vector<Real> halves;
};

// Distance of each point to the mean of the group: the first round spreads the seeds by it.
static void begin_group(Group &g) {
    const Size d = g.X.d;
    std::vector<double> mean(d);
    double mass = 0;
    for (Size i = g.r0; i < g.r1; i++) {
        const double w = weight(g.weights, i);
        mass += w;
        add(mean.data(), g.X.row(i), w, d);
    }
    for (Size f = 0; f < d; f++) mean[f] = mass > 0 ? mean[f] / mass : 0.0;
    for (Size i = g.r0; i < g.r1; i++)
        g.d1[i] = Real(squared_distance(g.X.row(i), mean.data(), d));
}

// Draw the children `done` to `done + want`, each from an equal share of the summed distances.
static void draw_seeds(Group &g, List<const double> uniforms, Size done, Size want) {
    const Size d = g.X.d;
    double whole = 0;
    for (Size i = g.r0; i < g.r1; i++) whole += weight(g.weights, i) * g.d1[i];
    double running = 0;
    Size i = g.r0 - 1;
    for (Size c = done; c < done + want; c++) {
        if (whole > 0) {
            const double target = (double(c - done) + uniforms[g.c0 + c]) / double(want) * whole;
            while (running <= target && i < g.r1 - 1) {
                i++;
                running += weight(g.weights, i) * g.d1[i];
            }
        } else {
            // fewer distinct points than children: repeat the group's first point
            i = g.r0;
        }
        std::copy_n(g.X.row(i), d, g.centroids.row(g.c0 + c));
        g.halves[c] = half_norm(g.centroids.row(g.c0 + c), d);
    }
}

// Take the distances to the children `done` to `done + want` where they are the least so far.
static void come_nearer(Group &g, Tile &tile, Size done, Size want) {
    for (Size start = g.r0; start < g.r1; start += TILE) {
        const Size t = std::min<Size>(TILE, g.r1 - start);
        for (Size i = 0; i < t; i++) tile.put(i, g.X.row(start + i));
        scan(tile, t, g.centroids.row(g.c0 + done), g.halves.data() + done, want, NEAREST);
        for (Size i = 0; i < t; i++) {
            const Real v = squared(g.norms[start + i], tile.first[i]);
            if (done == 0 || v < g.d1[start + i]) g.d1[start + i] = v;
        }
    }
}

static void seed_groups(Table<const Real> X, List<const Real> norms, List<const Real> weights,
                        Size lo, Size hi, Size rounds, List<const Size> plan,
                        List<const double> uniforms, Table<Real> centroids, List<Real> d1) {
    const Size n_groups = (plan.n - 2) / 2;
    Tile tile(X.d);
    for (Size number = lo; number < hi; number++) {
        const Size c0 = plan[n_groups + 1 + number], m = plan[n_groups + 2 + number] - c0;
        Group g{X, norms, weights, plan[number], plan[number + 1], c0, m, centroids, d1, {}};
        if (m == 0 || g.r1 == g.r0) continue;
        g.halves.resize(m);
        begin_group(g);
        Size done = 0;
        for (Size r = 0; r < rounds; r++) {
            const Size want = m * (r + 1) / rounds - done;
            if (want == 0) continue;
            draw_seeds(g, uniforms, done, want);
            if (done + want < m) come_nearer(g, tile, done, want);
            done += want;
        }
    }
}

static void cluster_sums(Table<const Real> X, List<const Real> weights,
                         List<const std::int32_t> order, List<const Size> starts, Size lo, Size hi,
                         Table<double> sums, List<double> mass) {
    for (Size c = lo; c < hi; c++) {
        double *to = sums.row(c), total_weight = 0;
        std::fill_n(to, X.d, 0.0);
        for (Size at = starts[c]; at < starts[c + 1]; at++) {
            const double w = weight(weights, order[at]);
            if (at + AHEAD < starts[c + 1]) expect(X.row(order[at + AHEAD]), X.d);
            total_weight += w;
            add(to, X.row(order[at]), w, X.d);
        }
        mass[c] = total_weight;
    }
}

// The points of one cluster, and what cutting it in two needs.
struct Cut {
    Table<const Real> X;
    List<const Real> weights;
    const std::int32_t *points;
    Size size;
    std::vector<double> mean, axis, sums;
    double mass;
};

// Mean of the cluster, and the direction from it to the farthest point.
static void point_at_farthest(Cut &cut) {
    const Size d = cut.X.d;
    std::fill(cut.mean.begin(), cut.mean.end(), 0.0);
    for (Size i = 0; i < cut.size; i++)
        add(cut.mean.data(), cut.X.row(cut.points[i]), weight(cut.weights, cut.points[i]), d);
    for (Size f = 0; f < d; f++) cut.mean[f] /= cut.mass;
    double farthest = -1;
    Size away = 0;
    for (Size i = 0; i < cut.size; i++) {
        const double v = squared_distance(cut.X.row(cut.points[i]), cut.mean.data(), d);
        if (v > farthest) {
            farthest = v;
            away = i;
        }
    }
    const Real *row = cut.X.row(cut.points[away]);
    for (Size f = 0; f < d; f++) cut.axis[f] = row[f] - cut.mean[f];
}

// One round of the power method; false where the points are all alike.
static bool turn_axis(Cut &cut) {
    const Size d = cut.X.d;
    std::fill(cut.sums.begin(), cut.sums.end(), 0.0);
    const double level = wide_product(cut.mean.data(), cut.axis.data(), d);
    double mass = 0;
    for (Size i = 0; i < cut.size; i++) {
        const Real *row = cut.X.row(cut.points[i]);
        const double v = weight(cut.weights, cut.points[i]) *
                         (product(row, cut.axis.data(), d) - level);
        mass += v;
        add(cut.sums.data(), row, v, d);
    }
    for (Size f = 0; f < d; f++) cut.sums[f] -= mass * cut.mean[f];
    const double length = std::sqrt(wide_product(cut.sums.data(), cut.sums.data(), d));
    if (!(length > 0)) return false;
    for (Size f = 0; f < d; f++) cut.axis[f] = cut.sums[f] / length;
    return true;
}

static void split_clusters(Table<const Real> X, List<const Real> weights,
                           List<const std::int32_t> order, List<const Size> starts,
                           List<const std::int32_t> chosen, Size lo, Size hi, List<double> gains,
                           List<std::int32_t> half) {
    const Size d = X.d;
    Cut cut{X, weights, nullptr, 0, std::vector<double>(d), std::vector<double>(d),
            std::vector<double>(2 * d), 0};
    double *const sums[2] = {cut.sums.data(), cut.sums.data() + d};
    for (Size number = lo; number < hi; number++) {
        const Size c = chosen[number];
        cut.points = order.data + starts[c];
        cut.size = starts[c + 1] - starts[c];
        cut.mass = 0;
        gains[c] = 0;
        for (Size i = 0; i < cut.size; i++) {
            half[cut.points[i]] = 0;
            cut.mass += weight(weights, cut.points[i]);
        }
        if (cut.size < 2 || !(cut.mass > 0)) continue;
        point_at_farthest(cut);
        for (int turn = 0; turn < 2 && turn_axis(cut); turn++) {}
        double middle = wide_product(cut.mean.data(), cut.axis.data(), d);
        // then three rounds of 2-means: a plane between the two means
        for (int turn = 0; turn < 4; turn++) {
            double mass[2] = {0, 0};
            std::fill(cut.sums.begin(), cut.sums.end(), 0.0);
            for (Size i = 0; i < cut.size; i++) {
                const Size p = cut.points[i];
                const int side = product(X.row(p), cut.axis.data(), d) > middle;
                const double w = weight(weights, p);
                half[p] = side;
                mass[side] += w;
                add(sums[side], X.row(p), w, d);
            }
            if (!(mass[0] > 0 && mass[1] > 0)) break;
            double apart = 0, level = 0;
            for (Size f = 0; f < d; f++) {
                const double a = sums[0][f] / mass[0], b = sums[1][f] / mass[1];
                cut.axis[f] = b - a;
                apart += (b - a) * (b - a);
                level += (b - a) * (b + a);
            }
            middle = 0.5 * level;
            gains[c] = apart * mass[0] * mass[1] / (mass[0] + mass[1]);
        }
    }
}

// ---- all rows ---------------------------------------------------------------------------------

static double moments(Table<const Real> X, List<const double> weights, Size lo, Size hi,
                      List<double> first, List<double> second, List<Real> extremes) {
    const Size d = X.d;
    const bool weighted = weights.n > 0;
    const Size together = weighted ? 1 : std::max<Size>(1, 128 / d), width = together * d;
    const Real infinity = std::numeric_limits<Real>::infinity();
    std::vector<Real> low(width, infinity), high(width, -infinity), odd(width);
    std::vector<double> sums(width), squares(width);
    double mass = 0;
    for (Size i = lo; i < hi;) {
        // several short rows at once, as one long row; the rest one by one
        const Size several = i + together <= hi ? together : 1;
        const double w = weighted ? weights[i] : 1.0;
        const Real *row = X.row(i);
        mass += w * double(several);
        for (Size f = 0; f < several * d; f++) {
            const Real v = row[f];
            low[f] = v < low[f] ? v : low[f];
            high[f] = v > high[f] ? v : high[f];
            // stays 0 for finite values, becomes NaN for NaN and for infinity
            odd[f] += v * 0;
            sums[f] += w * v;
            squares[f] += w * v * v;
        }
        i += several;
    }
    extremes[0] = infinity;
    extremes[1] = -infinity;
    extremes[2] = 0;
    for (Size f = 0; f < width; f++) {
        first[f % d] += sums[f];
        second[f % d] += squares[f];
        extremes[0] = std::min(extremes[0], low[f]);
        extremes[1] = std::max(extremes[1], high[f]);
        extremes[2] += odd[f];
    }
    return mass;
}

//: Centroids side by side: their sums with one row are a whole number of vectors.
constexpr Size ABREAST = 8;
//: So many of them have sums in registers at once.
constexpr Size MOST_ABREAST = VECTOR == 64 ? 64 : 32;

// Add up one sparse row with `many` vectors of centroids, a constant; sums stay in registers.
INLINE void meet_sparse(const Real *values, const std::int32_t *features, Size n,
                        const Real *columns, Size width, double *scores, const int many) {
    Wide sums[64 / WIDE] = {};
    for (Size at = 0; at < n; at++) {
        const Real *column = columns + features[at] * width;
        if (at + AHEAD < n) expect(columns + features[at + AHEAD] * width, many * WIDE);
        const double value = values[at];
#pragma GCC unroll 16
        for (int v = 0; v < many; v++) sums[v] += value * widened(column + v * WIDE);
    }
    __builtin_memcpy(scores, sums, many * sizeof(Wide));
}

// Rows with a feature out of range are counted and left alone.
static Size assign_sparse(List<const Real> values, List<const std::int32_t> features,
                          List<const Size> starts, List<const double> weights,
                          Table<const Real> columns, List<const double> half_norms, Size lo,
                          Size hi, List<std::int32_t> labels, List<double> d1, List<double> d2,
                          Table<double> sums, List<double> mass) {
    constexpr int ONE = ABREAST / WIDE;
    const Size width = columns.d;
    const bool summed = mass.n > 0;
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> scores(width);
    Size spoilt = 0;
    for (Size i = lo; i < hi; i++) {
        const Real *row = values.data + starts[i];
        const std::int32_t *places = features.data + starts[i];
        const Size n = starts[i + 1] - starts[i];
        double norm = 0;
        bool in_range = true;
        for (Size at = 0; at < n; at++) {
            norm += double(row[at]) * row[at];
            in_range = in_range && places[at] >= 0 && places[at] < columns.n;
        }
        if (!in_range) {
            spoilt++;
            continue;
        }
        Size c = 0;
        while (c < width) {
            const Real *from = columns.data + c;
            const Size many = std::min(width - c, MOST_ABREAST) / ABREAST;
            if (many == 8) meet_sparse(row, places, n, from, width, &scores[c], 8 * ONE);
            else if (many == 7) meet_sparse(row, places, n, from, width, &scores[c], 7 * ONE);
            else if (many == 6) meet_sparse(row, places, n, from, width, &scores[c], 6 * ONE);
            else if (many == 5) meet_sparse(row, places, n, from, width, &scores[c], 5 * ONE);
            else if (many == 4) meet_sparse(row, places, n, from, width, &scores[c], 4 * ONE);
            else if (many == 3) meet_sparse(row, places, n, from, width, &scores[c], 3 * ONE);
            else if (many == 2) meet_sparse(row, places, n, from, width, &scores[c], 2 * ONE);
            else meet_sparse(row, places, n, from, width, &scores[c], ONE);
            c += many * ABREAST;
        }
        double first = infinity, second = infinity;
        Size nearest = 0;
        for (c = 0; c < width; c++) {
            const double value = half_norms[c] - scores[c];
            if (value < first) {
                second = first;
                first = value;
                nearest = c;
            } else if (value < second) {
                second = value;
            }
        }
        labels[i] = std::int32_t(nearest);
        d1[i] = std::max(norm + 2 * first, 0.0);
        d2[i] = std::max(norm + 2 * second, 0.0);
        if (!summed) continue;
        const double w = weights.n > 0 ? weights[i] : 1.0;
        mass[nearest] += w;
        double *to = sums.row(nearest);
        for (Size at = 0; at < n; at++) to[places[at]] += w * row[at];
    }
    return spoilt;
}

static double paired_inertia(Table<const Real> X, List<const double> weights,
                             List<const std::int32_t> labels, Table<const double> centroids,
                             Size lo, Size hi) {
    double inertia = 0;
    for (Size i = lo; i < hi; i++) {
        if (labels[i] < 0) continue;
        const double w = weights.n > 0 ? weights[i] : 1.0;
        inertia += w * squared_distance(X.row(i), centroids.row(labels[i]), X.d);
    }
    return inertia;
}
