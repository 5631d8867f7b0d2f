"""Topic 14, visualization: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab.classroom._base import (
    Case,
    Exercise,
    Idea,
    Lesson,
    Mistake,
    Question,
    Sheet,
    Wrong,
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def _others(X: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Find the nearest other rows of each row, the nearest first."""
    from annlab.distances import pairwise_sq

    gaps = pairwise_sq(X, X)
    np.fill_diagonal(gaps, np.inf)
    return gaps.argsort(axis=1)[:, :n_neighbors]


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Mean number of entries that two lists of neighbours have in common in a row."""
    return float(
        np.mean([len(set(a) & set(b)) for a, b in zip(one.tolist(), other.tolist(), strict=True)])
    )


def trust_on_paper(case: Case, answer: Any) -> str:
    """14-1: trustworthiness of a map of five points."""
    from annlab.metrics import trustworthiness

    data = np.array([0.0, 1.0, 3.0, 7.0, 15.0])[:, None]
    places = np.array([0.0, 1.0, 7.0, 15.0, 3.0])[:, None]
    truth = trustworthiness(data, places, n_neighbors=1)
    kept = _shared(_others(data, 1), _others(places, 1))
    # the formula's factor for n = 5 and m = 1
    factor = 1 / 15
    fines = (1 - truth) / factor
    n_false = len(data) * (1 - kept)
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "fine_not_trust",
                1 - truth,
                "That is what is taken away. Trustworthiness is what is left of 1.",
            ),
            Mistake("fines_not_scaled", fines, "Those are the fines: put them into the formula."),
            Mistake("fines_not_scaled", 1 - fines, "Scale the fines before you subtract them."),
            Mistake(
                "turned_round",
                trustworthiness(places, data, n_neighbors=1),
                "That is the continuity: you fine neighbours of the data that the map has lost. "
                "Fine those that the map makes up.",
            ),
            Mistake(
                "share_kept",
                kept,
                "That is the share of neighbours that are true. Trustworthiness also asks how far "
                "down the list a false neighbour really stands.",
            ),
            Mistake(
                "off_by_one",
                truth - factor * n_false,
                "Each fine is one too high: subtract m, here 1, so that the second on the list is "
                "fined 1. (And a point has no place on its own list.)",
            ),
        ],
        "For each point: who is nearest on the map, and which place has that point on the list in "
        "the data?",
        what="The trustworthiness",
    )
    return "Two false neighbours, and each is fined by how far away it really is."


def keep_neighbors(case: Case, answer: Any) -> str:
    """14-2: the share of neighbours that a map keeps."""
    for n, m in ((30, 4), (25, 6)):
        X = case.rng.randn(n, 6)
        Y = X[:, :2] + 0.2 * case.rng.randn(n, 2)
        in_data, on_map = _others(X, m), _others(Y, m)
        rows = np.arange(n)[:, None]
        shared = _shared(in_data, on_map)
        with_itself = [np.hstack([rows, found]) for found in (in_data, on_map)]
        itself = (
            _shared(*(found[:, :-1] for found in with_itself)) / m,
            _shared(*with_itself) / (m + 1),
            _shared(*with_itself) / m,
        )
        case.compare(
            case.call(answer, X, Y, m),
            shared / m,
            [
                *(
                    Mistake(
                        "counts_itself",
                        value,
                        "A point counts as its own neighbour, in the data and on the map. That "
                        "one is always kept, and makes every map look better.",
                    )
                    for value in itself
                ),
                Mistake(
                    "compares_places",
                    (in_data == on_map).mean(),
                    "It compares the lists place by place. A neighbour that is third in the data "
                    "and first on the map has been kept.",
                ),
                Mistake(
                    "mixes_points",
                    np.isin(on_map, in_data).mean(),
                    "It asks whether a neighbour on the map is a neighbour of any point. Compare "
                    "the lists of one point at a time.",
                ),
                *(
                    Mistake(
                        "count_not_share",
                        value,
                        "It returns a number of neighbours. Asked for is a share, from 0 to 1.",
                    )
                    for value in (shared, shared * n)
                ),
                Mistake(
                    "share_of_misses", 1 - shared / m, "It returns the share that the map loses."
                ),
                Mistake(
                    "percent", 100 * shared / m, "In percent it is right; return it as a share."
                ),
            ],
            "It is not the share of nearest others in the data that are nearest others on the map.",
            what="What your function returns",
        )
    return "That is what a map is to be judged by."


def make_null(case: Case, answer: Any) -> str:
    """14-3: data of the same columns in which nothing is to be found."""
    base = case.rng.randn(300, 1)
    X = base + 0.3 * case.rng.randn(300, 4) + 10.0 * np.arange(4)
    got = case.array(
        case.call(answer, X, np.random.RandomState(case.seed)),
        X.shape,
        "What your function returns",
    )
    if np.allclose(got, X):
        raise Wrong("unchanged", "It returns the data as they are: nothing has been shuffled.")
    ordered = np.sort(X, axis=0)
    if np.allclose(got, ordered):
        raise Wrong(
            "sorts_columns",
            "The columns are sorted. Then large values stand beside large ones in every row, and "
            "that is more structure than before.",
        )
    if not np.allclose(np.sort(got, axis=0), ordered):
        if np.allclose(np.sort(np.sort(got, axis=0), axis=1), np.sort(ordered, axis=1)):
            raise Wrong(
                "swaps_columns",
                "The columns have changed places. Leave each where it is, and shuffle inside it.",
            )
        if np.allclose(np.sort(got, axis=None), np.sort(X, axis=None)):
            raise Wrong(
                "mixes_columns",
                "Values have moved from one column to another. A length and a weight must not be "
                "mixed: every column keeps its own values.",
            )
        raise Wrong(
            "other_values",
            "The columns do not hold the values that they held before. A null differs from the "
            "data in one thing only: what stands beside what.",
        )
    if np.allclose(got[np.argsort(got[:, 0])], X[np.argsort(X[:, 0])]):
        raise Wrong(
            "moves_whole_rows",
            "The rows are in another order, and each is still what it was: all columns moved in "
            "the same way. A map does not care for the order of rows.",
        )
    linked = np.corrcoef(got.T)[np.triu_indices(4, 1)]
    if np.abs(linked).max() > 0.5:
        raise Wrong(
            "still_linked",
            "Some columns still go together. Shuffle each of them by itself, in an order of its "
            "own.",
        )
    return "Every column is as before, and nothing goes together any more."


class _Nulls:
    """Makes null data that know their number, and scores them from a list."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.made = 0
        self.scored: list[int] = []

    def __deepcopy__(self, memo: Any) -> _Nulls:
        # the check hands out copies, and wants to read this one
        return self

    def __call__(self, X: Any) -> np.ndarray:
        self.made += 1
        return np.full(np.shape(X), float(self.made))

    def score(self, Z: Any) -> float:
        number = round(float(np.asarray(Z).flat[0]))
        self.scored.append(number)
        return float(self.scores[number % len(self.scores)])


def compare_with_nulls(case: Case, answer: Any) -> str:
    """14-4: how often noise scores as high as the data."""
    n_nulls = 20
    # the score of the data is number 0: seven nulls reach it, two of these only just
    scores = np.array([0.3] * 2 + [0.45, 0.5, 0.55, 0.6, 0.65] + list(np.linspace(0.1, 0.25, 13)))
    scores = np.append(0.3, case.rng.permutation(scores))
    nulls = _Nulls(scores)
    got = case.call(answer, np.zeros((6, 2)), nulls.score, nulls, n_nulls)
    if nulls.made == 0:
        raise Wrong("no_null", "It makes no null data. With what are the data compared?")
    if 0 not in nulls.scored:
        raise Wrong("no_data", "It scores the nulls, and never the data themselves.")
    if nulls.made == 1:
        raise Wrong(
            "stale_null",
            "It makes null data once and scores them again and again. A single draw says little: "
            "every round needs a fresh one.",
        )
    if nulls.made != n_nulls:
        raise Wrong(
            "off_by_one" if abs(nulls.made - n_nulls) == 1 else "other_nulls",
            f"Asked for {n_nulls} nulls, it makes {nulls.made}.",
        )
    data, drawn = scores[0], scores[1:]
    reached = drawn >= data
    case.compare(
        got,
        reached.mean(),
        [
            Mistake(
                "ignores_ties",
                (drawn > data).mean(),
                "A null that scores exactly as high as the data has reached it, too.",
            ),
            Mistake(
                "turned_round",
                (drawn < data).mean(),
                "It returns the share of nulls that stay below the data. Asked for are those that "
                "do not.",
            ),
            Mistake(
                "turned_round",
                (drawn <= data).mean(),
                "The comparison is turned round: it returns the share of nulls that do not score "
                "higher than the data.",
            ),
            Mistake(
                "count_not_share",
                reached.sum(),
                "It returns the number of nulls. Asked for is a share, from 0 to 1.",
            ),
            Mistake(
                "counts_itself",
                (reached.sum() + 1) / (n_nulls + 1),
                "The data count as one of the nulls. That is a custom in statistics, but here only "
                "the nulls are asked for.",
            ),
            Mistake(
                "percent",
                100 * reached.mean(),
                "In percent it is right; return it as a share.",
            ),
        ],
        "It is not the share of the nulls whose score is at least that of the data.",
        what="What your function returns",
    )
    return "If noise does as well as your data, then your data have said nothing."


def what_a_map_does_not_tell(case: Case, answer: Any) -> str:
    """14-5: free text."""
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_doubt",
                r"\b(not?|never|nothing|neither|nor|cannot|none|hardly|little|without)\b|n't"
                r"|\blos|giv\w+ up|less\b|arbitrar|ignor|mislead|same (room|size)|distort|wrong"
                r"|unreliabl|unjustif",
                "What do sizes and distances between groups mean on such a map?",
            ),
            Idea(
                "missing_remedy",
                r"neighbou?r|\bnear|beside|\bclos|\bdata\b|original|\bpca\b|measur|trustworth"
                r"|features|dimension|compute",
                "You say what must not be read from the map. Where can it be found instead, or "
                "what may be read?",
            ),
        ],
        claims=[
            Idea(
                "believes_distances",
                claimed(
                    r"(t-?sne|\bmaps?|\bit) ((?!never|hardly|rarely|barely|not)\w+ )?(keeps?"
                    r"|preserves?|shows?|respects?|reflects?) (the )?"
                    r"(true |real |all |original )?(distances|sizes|spread|widths?)"
                    r"|(both|they|she|he|colleague|conclusions?) (is|are|was|were) "
                    r"(both )?(right|correct|true)",
                    before=True,
                ),
                "You trust the distances or the sizes. Choose 'blobs, one far away' in the "
                "explorer, and see whether t-SNE tells you which blob is the far one.",
            ),
            Idea(
                "blames_settings",
                r"(other|another|different|better|new|more|larger|higher|bigger|right|smaller|lower)"
                r" (random )?(seeds?|starts?|iterations|perplexit\w+)[^.]{0,40}"
                r"(would|will|can|could) (?!not|never)(\w+ )?(giv|show|fix|mend|solv|repair|restor"
                r"|reveal|help|keep|preserv|correct|make)"
                r"(?!\w* an?(other)? (other|different|new|picture|map))",
                "Another setting gives another picture. It does not give back what the method has "
                "given up in each of them.",
            ),
        ],
    )
    return "A map says who is beside whom. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "14-1",
        "Trust on paper",
        "recall",
        1,
        "trust_by_hand",
        "value",
        "Only two of the five points have a false neighbour on the map.",
        trust_on_paper,
    ),
    Exercise(
        "14-2",
        "Neighbours that are kept",
        "apply",
        2,
        "neighbors_kept",
        "function",
        "argsort sorts the distances of a row; who stands first there? Sets have an intersection.",
        keep_neighbors,
    ),
    Exercise(
        "14-3",
        "Make your own null",
        "apply",
        2,
        "null_of",
        "function",
        "rng.permutation of a table moves whole rows. How often must you draw an order?",
        make_null,
    ),
    Exercise(
        "14-4",
        "How often does noise look as good?",
        "analyse",
        3,
        "share_of_nulls",
        "function",
        "Make, score and compare: which of these three belong inside the loop?",
        compare_with_nulls,
    ),
    Exercise(
        "14-5",
        "Wide and far",
        "analyse",
        2,
        "what_to_say",
        "text",
        "Read 'Distances between groups' and 'Sizes of groups' in the notebook once more.",
        what_a_map_does_not_tell,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Two groups lie far apart on a t-SNE map. What follows for the data?",
        (
            "they are far apart there, too",
            "they are not neighbours, and no more",
            "they have different sizes",
        ),
        "B",
        "Strangers cost nothing, wherever they are put. Far means that they are not neighbours; it "
        "does not say how far.",
    ),
    Question(
        "A map of noise by t-SNE, perplexity 5: what does it look like?",
        ("one even cloud", "a straight line", "many little clumps"),
        "C",
        "Each point keeps a handful of accidental neighbours, and lets go of all the others.",
    ),
    Question(
        "k-means on a flat map has a high silhouette. What does it say about the data?",
        ("nothing", "there are clusters", "k is right"),
        "A",
        "In a plane k-means always finds compact pieces, in a map of noise as well. Cluster the "
        "data and colour the map.",
    ),
    Question(
        "Which of these maps tells best which of four groups lies far away from the others?",
        ("t-SNE", "PCA", "UMAP", "all alike"),
        "B",
        "A shadow keeps large distances as well as a plane can. The other two only care for "
        "neighbours.",
    ),
    Question(
        "scikit-learn's t-SNE starts from PCA. What does another random_state change?",
        ("the whole map", "the perplexity", "next to nothing"),
        "C",
        "With this start nothing is drawn by lot. That makes the picture repeatable, and no truer. "
        "Take init='random' to see what is chance.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Three maps of the same noise, coloured by k-means of each map."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    from annlab.lloyd import kmeans
    from annlab.widgets._look import plane, scatter_clusters

    noise = np.random.RandomState(14).rand(300, 50)
    with threadpool_limits(1):
        maps = {
            "PCA": PCA(2, random_state=0).fit_transform(noise),
            "t-SNE, perplexity 30": TSNE(perplexity=30, random_state=0).fit_transform(noise),
            "t-SNE, perplexity 3": TSNE(perplexity=3, random_state=0).fit_transform(noise),
        }
    for axes, (title, Y) in zip(figure.subplots(1, 3), maps.items(), strict=True):
        # lengths on these maps mean nothing: all get the same square
        Y = (Y - Y.mean(axis=0)) / np.abs(Y - Y.mean(axis=0)).max()
        plane(axes, ((-1.08, 1.08), (-1.08, 1.08)), title)
        scatter_clusters(axes, Y, kmeans(Y, 5, n_init=4, random_state=0).labels, size=9)


SHEET = Sheet(
    draw=draw_sheet,
    caption="The same 300 points three times, drawn by lot from a cube of 50 dimensions and "
    "coloured by k-means of each map. There are no groups.",
    formula=r"$T = 1 - \frac{2}{n m (2n - 3m - 1)} \; "
    r"\sum_{i=1}^{n} \;\; \sum_{j \in F_i} (r_{ij} - m)$",
    reading="Trustworthiness: every false neighbour j of i among the m nearest on the map is fined "
    "by how far down the list of i it really stands.",
    code="""\
from annlab.datasets import load_digits_data, make_uniform_cube
from sklearn.manifold import TSNE, trustworthiness
data = [load_digits_data().X[:300], make_uniform_cube(300, 64, random_state=0)]
maps = [TSNE(random_state=0).fit_transform(X) for X in data]
print([trustworthiness(X, Y) for X, Y in zip(data, maps)])""",
    misconception="I can see the clusters on the map, so they are there.",
    truth="A map of noise has clumps and colours, too. Cluster the data, colour the map, measure "
    "how far its neighbours can be trusted; and put a map of shuffled data beside it.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "measure how far the neighbours on a map can be trusted",
        "say what on a t-SNE map means something, and what does not",
        "run the null experiment before believing in clusters that can be seen",
    ),
    prerequisites="topic 1; means, distances and sorting in NumPy; the silhouette of topic 11",
    misconceptions=(
        ("Whoever is beside a point on the map is its neighbour in the data.", "14-1"),
        ("Shuffled rows are null data.", "14-3"),
        ("A high score proves that there are clusters.", "14-4"),
        ("Distances and sizes on a t-SNE map mean something.", "14-5"),
    ),
    lecture="Show the three maps of the sheet without their titles and let the class count the "
    "groups; then say what they are. Take the vote on question 1 of the quiz before the explorer "
    "shows 'blobs, one far away', and again after it.",
)
