"""Topic 9, document clustering: checks, quiz, sheet and notes for the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np

from annlab.classroom._base import (
    NEGATION,
    Case,
    Exercise,
    Idea,
    Lesson,
    Mistake,
    Question,
    Sheet,
    claimed,
)

# -- checks --------------------------------------------------------------------------------------


def cosine_by_hand(case: Case, answer: Any) -> str:
    """09-1: the cosine between two texts of five words."""
    texts = ["milk milk tea lemon lemon".split(), "tea milk milk sugar sugar".split()]
    terms = sorted({word for text in texts for word in text})
    x, y = np.array([[text.count(term) for term in terms] for text in texts], dtype=np.float64)
    lengths, product = np.sqrt([x @ x, y @ y]), float(x @ y)
    truth = product / lengths.prod()
    has_x, has_y = x > 0, y > 0
    shared = float((has_x & has_y).sum())
    case.compare(
        answer,
        truth,
        [
            Mistake(
                "not_scaled",
                product,
                "That is the product of the two rows. A cosine does not depend on their lengths: "
                "divide by both.",
            ),
            Mistake("not_scaled", product / lengths[0], "Divide by the lengths of both rows."),
            Mistake(
                "lengths_squared",
                product / (x @ x * (y @ y)),
                "You divide by the squared lengths. The length of a row has a root.",
            ),
            Mistake(
                "words_for_length",
                product / (x.sum() * y.sum()),
                "You divide by the numbers of words. The length of a row is the root of its sum "
                "of squares.",
            ),
            Mistake(
                "ignores_counts",
                shared / np.sqrt(has_x.sum() * has_y.sum()),
                "You count each word once. A word that stands twice in a text counts two.",
            ),
            Mistake(
                "share_of_words",
                shared / (has_x | has_y).sum(),
                "That is the share of the words that both texts have, another measure.",
            ),
            Mistake(
                "cosine_distance",
                1 - truth,
                "That is the cosine distance. The cosine itself is large for texts that are alike.",
            ),
            Mistake(
                "angle_not_cosine",
                np.degrees(np.arccos(truth)),
                "That is the angle in degrees. Its cosine is asked for.",
            ),
            Mistake("angle_not_cosine", np.arccos(truth), "That is the angle. Take its cosine."),
            Mistake(
                "euclidean",
                np.linalg.norm(x - y),
                "That is the Euclidean distance between the two rows of counts.",
            ),
            Mistake(
                "euclidean",
                np.square(x - y).sum(),
                "That is the squared Euclidean distance between the two rows of counts.",
            ),
        ],
        "Write the counts of tea, milk, sugar and lemon below each other, one row for each text.",
        what="The cosine",
    )
    return "The same angle, however long the texts are."


def weigh_words(case: Case, answer: Any) -> str:
    """09-2: TF-IDF from counts, with a text that has no word."""
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = case.rng.poisson(0.9, size=(12, 7))
    # each word stands in some text, often in some and seldom in others
    counts[:7] += 2 * np.eye(7, dtype=counts.dtype)
    counts[7:, 0] += 1 + case.rng.randint(3, size=5)
    counts[:, 6] *= counts[:, 6] > 1
    empty = 9
    counts[empty] = 0
    n = len(counts)
    truth = TfidfTransformer().fit_transform(counts).toarray()
    n_with = (counts > 0).sum(axis=0)
    idf = 1 + np.log((1 + n) / (1 + n_with))

    def unit(X: np.ndarray, power: float = 2, axis: int = 1) -> np.ndarray:
        size = (np.abs(X) ** power).sum(axis=axis, keepdims=True) ** (1 / power)
        return X / np.where(size > 0, size, 1)

    def broken(X: np.ndarray) -> np.ndarray:
        changed = X.astype(np.float64)
        changed[empty] = np.nan
        return changed

    slips = [
        (
            "counts_not_texts",
            unit(counts * (1 + np.log((1 + n) / (1 + counts.sum(axis=0))))),
            "You count how often a word occurs. The formula asks in how many texts it stands: a "
            "text that has it five times is one text.",
        ),
        (
            "forgets_idf",
            unit(counts.astype(np.float64)),
            "The rows are scaled, but every word has the same weight. What turns down the words "
            "that stand everywhere?",
        ),
        (
            "forgets_the_one",
            unit(counts * (idf - 1)),
            "The one before the logarithm is missing. A word that stands everywhere would vanish.",
        ),
        (
            "other_logarithm",
            unit(counts * (1 + np.log10((1 + n) / (1 + n_with)))),
            "That is the decimal logarithm. The formula has the natural one.",
        ),
        (
            "not_smoothed",
            unit(counts * (1 + np.log(n / n_with))),
            "The formula adds one to both numbers, as if one more text had all the words.",
        ),
        (
            "sums_to_one",
            unit(counts * idf, power=1),
            "The rows sum to one. Their length should be one: the root of the sum of squares.",
        ),
    ]
    got = case.call(answer, counts)
    case.compare(
        # a sparse matrix is as right
        got.toarray() if hasattr(got, "toarray") else got,
        truth,
        [
            Mistake(
                "empty_text_nan",
                broken(truth),
                "One text has no word at all, and its row became NaN: zero divided by zero. Leave "
                "that row zero. (A text of stop words only is not so rare.)",
            ),
            Mistake(
                "empty_text_dropped",
                np.delete(truth, empty, axis=0),
                "The text without words is gone, and the rows behind it belong to other texts "
                "from now on. Leave its row zero.",
            ),
            Mistake(
                "not_scaled",
                counts * idf,
                "The weights are right; scale each row to the length one. A long text would "
                "otherwise count for more.",
            ),
            Mistake(
                "scales_columns",
                unit(counts * idf, axis=0),
                "It scales the columns, the words. The rows are the texts.",
            ),
            *(
                Mistake(kind, version(value), message)
                for kind, value, message in slips
                for version in (np.asarray, broken)
            ),
        ],
        "Three steps: the weight of each word, counts times weights, and rows of length one.",
        what="What your function returns",
        rtol=1e-4,
    )
    return "Rows of length one, and no NaN for the text that says nothing."


def measure_purity(case: Case, answer: Any) -> str:
    """09-3: purity, with cluster numbers that leave gaps."""
    from annlab.metrics import purity

    # rows are clusters, columns are subjects; the noise keeps each row's largest where it is
    table = np.array([(12, 2, 1), (3, 9, 4), (1, 1, 8), (20, 10, 6)])
    table[table > 7] += case.rng.randint(3, size=(table > 7).sum())
    rows = np.concatenate(
        [np.tile((c, s), (table[i, s], 1)) for i, c in enumerate((0, 2, 3, 5)) for s in range(3)]
    )
    labels, subjects = case.rng.permutation(rows).T
    truth = purity(labels, subjects)
    shares = table.max(axis=1) / table.sum(axis=1)
    case.compare(
        case.call(answer, labels.copy(), subjects.copy()),
        truth,
        [
            Mistake(
                "mean_of_clusters",
                shares.mean(),
                "That is the mean of the purities of the clusters. Purity is a share of the texts: "
                "a large cluster weighs more than a small one.",
            ),
            Mistake(
                "empty_cluster_nan",
                np.nan,
                "It returns NaN: some cluster numbers occur nowhere, and the mean of no texts is "
                "zero divided by zero. Look at the numbers that do occur.",
            ),
            Mistake(
                "empty_cluster_zero",
                shares.sum() / 6,
                "Cluster numbers that occur nowhere are counted as clusters of purity zero.",
            ),
            Mistake(
                "turned_round",
                purity(subjects, labels),
                "It asks which cluster has most texts of a subject. It is the other way round: "
                "which subject has most texts of a cluster?",
            ),
            Mistake(
                "compares_names",
                (labels == subjects).mean(),
                "It compares the numbers. Cluster 2 need not hold subject 2: labels are names.",
            ),
            Mistake(
                "count_not_share",
                table.max(axis=1).sum(),
                "That is a number of texts. Purity is a share, from 0 to 1.",
            ),
            Mistake("share_of_strays", 1 - truth, "That is the share of those that do not belong."),
            Mistake(
                "one_cluster",
                shares.max(),
                "That is the purity of the purest cluster. All texts count.",
            ),
        ],
        "In each cluster count the texts of its most frequent subject. What share of all texts is "
        "that?",
        what="What your function returns",
    )
    return "Names of clusters do not matter, and a gap in their numbers does not either."


def move_themes(case: Case, answer: Any) -> str:
    """09-4: the centroids of spherical k-means, texts of unlike length, a theme without texts."""
    from sklearn.preprocessing import normalize

    n, d, k = 30, 6, 4
    X = case.rng.rand(n, d) ** 3
    # from a note to a novel: within each theme, the lengths differ by a factor of a hundred
    X = normalize(X) * np.logspace(0, 2, n)[case.rng.permutation(n), None]
    labels = case.rng.choice([0, 2, 3], size=n)
    labels[:6] = [0, 2, 3, 0, 2, 3]
    centroids = normalize(case.rng.rand(k, d))
    used = np.unique(labels)

    def means(rows: np.ndarray) -> np.ndarray:
        moved = centroids.copy()
        for j in used:
            moved[j] = rows[labels == j].mean(axis=0)
        return moved

    def empty_as(values: np.ndarray, what: float) -> np.ndarray:
        changed = values.copy()
        changed[1] = what
        return changed

    unit, sums = normalize(X), centroids.copy()
    for j in used:
        sums[j] = X[labels == j].sum(axis=0)
    truth = normalize(means(unit))
    slips = [
        (
            "long_texts_win",
            normalize(means(X)),
            "A long text pulls its theme a hundred times as hard as a short one. Only the angle of "
            "a text should count: when do you scale its row?",
        ),
        (
            "not_scaled",
            means(unit),
            "The directions are right, but the centroids have lost their length of one: texts "
            "that point different ways cancel a part of each other.",
        ),
        (
            "plain_kmeans",
            means(X),
            "Those are the means of plain k-means. Both the texts and the centroids should have "
            "the length one.",
        ),
        ("sum_not_scaled", sums, "Those are sums of raw rows. Scale the texts, and the centroids."),
    ]
    case.compare(
        case.call(answer, X, labels, centroids),
        truth,
        [
            Mistake(
                "empty_theme_nan",
                empty_as(truth, np.nan),
                "One theme has no texts, and its centroid became NaN: the mean of no rows is zero "
                "divided by zero. Let it stay where it is.",
            ),
            Mistake(
                "empty_theme_zero",
                empty_as(truth, 0.0),
                "The theme without texts got a centroid of zeros, which points nowhere: it has no "
                "angle to anything. Let it stay where it is.",
            ),
            Mistake(
                "empty_theme_dropped",
                truth[used],
                "A theme without texts has vanished, and the labels behind it name another one "
                "from now on. Let its centroid stay where it is.",
            ),
            *(
                Mistake(kind, version, message)
                for kind, value, message in slips
                for version in (value, empty_as(value, np.nan), empty_as(value, 0.0))
            ),
            Mistake("never_moves", centroids, "The centroids come back as they were."),
        ],
        "A centroid should point where the texts of its theme point on average.",
        what="What your function returns",
        rtol=1e-4,
    )
    return "A note and a novel count the same, and every centroid is a direction."


def why_svd_helps(case: Case, answer: Any) -> str:
    """09-5: free text."""
    together = (
        r"company|together|co-?occur"
        r"|(common|similar) (texts|documents|context|neighbou?r|companion)"
        r"|same (other )?(texts|documents|words|context|direction|terms|compan|axis|dimension)"
        r"|direction|related|context|associat|combin|mixture|latent|themes?\b|correlat"
        r"|other (texts|documents|words)|(with|as|like) (night|orbit|telescope)|third (text|word)"
    )
    case.explain(
        answer,
        ideas=[
            Idea(
                "missing_right_angle",
                r"right angle|orthogonal|perpendicular|\b90\b|\b(zero|0|nought|nil)\b"
                r"|far (apart|away|from)|as (far|different|distant)|unrelated|nothing in common"
                r"|unlike|strangers|not (at all )?(near|close|similar|alike)|no similarity"
                r"|dissimilar|maximal",
                "Two rows without a common word: which cosine do they have? And how do they look "
                "to k-means, compared with any other pair?",
            ),
            Idea(
                "missing_company",
                together,
                "What does an SVD do with words that stand in the same texts of the corpus?",
            ),
        ],
        claims=[
            Idea(
                "understands_meaning",
                claimed(
                    r"svd|tf-?idf|k-?means|computer|algorithm|\bit\b",
                    r"\b(understands?|knows?|recogni[sz]es?)\b[^.]{0,25}"
                    r"\b(meanings?|means?|synonyms?|language)\b",
                    unless=NEGATION + r"|\bonly\b|compan|together|occur|as if",
                ),
                "Nothing in the program knows what a word means. It sees only which words stand in "
                "which texts. What can be had from that?",
            ),
            Idea(
                "only_faster",
                claimed(
                    r"svd|reduc|dimension|column",
                    r"fast|speed|quick|memory|cheaper|less (work|time)",
                    unless=NEGATION + rf"|\bonly\b|{together}|similar|angle|near",
                ),
                "Fewer columns are faster, true. But the themes get better, too: what do the few "
                "directions have in them?",
            ),
            Idea(
                "blames_iterations",
                claimed(
                    r"more (iterations|starts|clusters|runs)|n_init|max_iter|larger k\b",
                    r"help|need|better|would|find",
                ),
                "No further run can see what the numbers do not say: the loop is not the problem.",
            ),
        ],
    )
    return "Words that keep company stand for each other. (Your teacher may want to read it, too.)"


EXERCISES = (
    Exercise(
        "09-1",
        "An angle between texts",
        "recall",
        1,
        "cosine_by_hand",
        "value",
        "How long is a row with the numbers 1, 2 and 2?",
        cosine_by_hand,
    ),
    Exercise(
        "09-2",
        "TF-IDF, and a text without words",
        "apply",
        2,
        "tfidf",
        "function",
        "counts > 0 is true where a word stands in a text. For the empty text, np.where can "
        "replace a length of zero before you divide.",
        weigh_words,
    ),
    Exercise(
        "09-3",
        "Purity",
        "apply",
        2,
        "purity_of",
        "function",
        "np.unique(..., return_counts=True) counts the subjects; look at one cluster at a time.",
        measure_purity,
    ),
    Exercise(
        "09-4",
        "A note counts as much as a novel",
        "analyse",
        3,
        "move_themes",
        "function",
        "Which rows are too long before you take a mean? And how long is a mean of unit rows?",
        move_themes,
    ),
    Exercise(
        "09-5",
        "Stars and planets",
        "analyse",
        2,
        "why_svd",
        "text",
        "Think of a third text, which has words of both.",
        why_svd_helps,
    ),
)

# -- quiz ----------------------------------------------------------------------------------------

QUESTIONS = (
    Question(
        "Two texts on the same subject share no word. What is the cosine of their TF-IDF rows?",
        ("1", "about a half", "0", "it depends on their lengths"),
        "C",
        "Each word is an axis of its own. Without a common word the rows are at right angles, "
        "whatever they are about.",
    ),
    Question(
        "A word stands in every text of the collection. What does TF-IDF do with it?",
        ("it gives it the least weight", "it gives it the most weight", "it raises an error"),
        "A",
        "A word that stands everywhere tells nothing about a text. Rare words weigh more.",
    ),
    Question(
        "Why does the ball tree refuse the texts of the deck?",
        (
            "there are too few",
            "there are too many words",
            "they are strings",
            "the rows are sparse",
        ),
        "D",
        "A tree needs rows without gaps. TF-IDF rows are stored without their zeros, and nearly "
        "all entries are zero.",
    ),
    Question(
        "Every second text is repeated six times within itself. Which measure does not notice?",
        ("Euclidean distance on counts", "the cosine", "both notice"),
        "B",
        "The repeated text points the same way and is six times as long. Euclid sorts by length.",
    ),
    Question(
        "Purity is 0.68 with 8 clusters and 0.81 with 200. Are the 200 the better themes?",
        ("no, clusters buy purity", "yes, purity decides", "only with more texts"),
        "A",
        "With one text in each cluster purity is one, and nothing is understood. Compare at one k, "
        "and with chance.",
    ),
)

# -- sheet ---------------------------------------------------------------------------------------


def draw_sheet(figure: Any) -> None:
    """Show the cosines of all pairs of texts, with plain words and after an SVD."""
    from sklearn.preprocessing import normalize

    from annlab.applications import cluster_documents
    from annlab.datasets import load_documents
    from annlab.widgets._look import chart

    corpus = load_documents()
    order = np.argsort(corpus.labels, kind="stable")
    edges = np.searchsorted(corpus.labels[order], np.arange(len(corpus.label_names)))
    made = cluster_documents(corpus, 8, n_components=20, n_init=1, random_state=9)
    words = (made.tfidf @ made.tfidf.T).toarray()
    directions = normalize(made.X)
    panels = {"plain words": words, "20 directions of an SVD": directions @ directions.T}
    middle = edges + np.diff([*edges, len(order)]) / 2
    for axes, (title, cosines) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        chart(axes, title=title)
        axes.grid(False)
        image = axes.imshow(
            cosines[np.ix_(order, order)], cmap="gray_r", vmin=0, vmax=0.7, interpolation="nearest"
        )
        for edge in edges[1:]:
            axes.axhline(edge - 0.5, color="#0072B2", linewidth=0.4)
            axes.axvline(edge - 0.5, color="#0072B2", linewidth=0.4)
        axes.set_xticks([])
        axes.set_yticks(middle, corpus.label_names if title == "plain words" else [], fontsize=10)
        axes.tick_params(length=0)
    figure.colorbar(image, ax=figure.axes, shrink=0.7, label="cosine", pad=0.02, extend="max")


SHEET = Sheet(
    draw=draw_sheet,
    caption="The cosine between any two of 416 short texts, sorted by subject. The words alone "
    "leave nearly all of them at right angles; an SVD brings the subjects out.",
    formula=r"$x_{it} = \mathrm{count}_{it} \left( 1 + \ln \frac{1 + n}{1 + n_t} \right)$"
    r"$, \quad \mathrm{then}\ \| x_i \| = 1$",
    reading="TF-IDF: a word counts in a text, and counts less the more texts have it. Every row is "
    "scaled to length one.",
    code="""\
from annlab import cluster_documents, datasets
corpus = datasets.load_documents()
for d in (2, 20, 100):
    found = cluster_documents(corpus, 8, n_components=d, random_state=0)
    print(d, found.purity)""",
    misconception="Texts on the same subject are near each other.",
    truth="Not as rows of words: most pairs of short texts share none. Words that keep company "
    "have to stand for each other first, and then the angle tells.",
)

# -- notes for the teacher -----------------------------------------------------------------------

LESSON = Lesson(
    minutes=45,
    exercise_minutes=45,
    aims=(
        "turn texts into rows of weights, by hand and with one call",
        "explain what an SVD and the cosine do for short texts",
        "judge a purity by its baseline and by the number of clusters",
    ),
    prerequisites="topic 3, or the loop of k-means from elsewhere; matrices, the angle between "
    "vectors",
    misconceptions=(
        ("Texts are near if they share many words, however long they are.", "09-1"),
        ("Every text has words.", "09-2"),
        ("Purity is the mean over the clusters.", "09-3"),
        ("The mean of a theme is its centroid, as in plain k-means.", "09-4"),
        ("An SVD is there to make things faster.", "09-5"),
    ),
    lecture="Give the class ten sentences on paper and let them sort them by hand; then ask which "
    "words they used. Ask question 1 of the quiz before the notebook counts the pairs that share "
    "no word, and read the strays of one theme aloud at the end.",
)
