"""A quiz for the projector: question, votes of the class, answer with reason.

Frames alternate: a question, then the same question with its answer. All votes are the text of one
field, so a class may vote by buttons or by typing all letters at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import ipywidgets

from annlab import classroom
from annlab.classroom._sheets import wrapped
from annlab.widgets.base import ALARM, INK, LOOK, PALETTE, QUIET, Explorer, Job, entry

LETTERS = "ABCD"
_RIGHT = "#009E73"


def parse_votes(text: str, answers: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the votes for each question, and descriptions of invalid letters.

    A slash separates questions; case, blanks and commas do not matter.

    Examples
    --------
    >>> from annlab.classroom._quiz import parse_votes
    >>> parse_votes("a b, b / c", ["ABCD", "ABC", "AB"])
    (['ABB', 'C', ''], [])
    >>> parse_votes("abxb/d", ["ABCD", "ABC"])
    (['ABB', ''], ["'X' for question 1", "'D' for question 2"])
    """
    parts = _parts(text)
    votes, wrong = [], []
    for number, letters in enumerate(answers, 1):
        part = parts[number - 1] if number <= len(parts) else ""
        votes.append("".join(letter for letter in part if letter in letters))
        bad = "".join(dict.fromkeys(letter for letter in part if letter not in letters))
        if bad:
            wrong.append(f"{bad!r} for question {number}")
    if any(parts[len(answers) :]):
        wrong.append(f"what follows slash {len(answers)}: there is no such question")
    return votes, wrong


def _parts(text: str) -> list[str]:
    """Return the votes on each question in capitals, without blanks and commas."""
    return re.sub(r"[\s,]", "", text).upper().split("/")


class Quiz(Explorer):
    """A question, a vote, the answer; see `quiz`."""

    name = "quiz"
    title = "What do you think?"
    size = (840, 400)
    replay = True
    frame_word = "screen"
    # continue after the vote
    animated = False

    def __init__(self, questions: Any, heading: str = "") -> None:
        self.questions = tuple(questions)
        if heading:
            # the class attribute is what Explorer shows above the picture
            self.title = heading  # type: ignore[misc]
        n = len(self.questions)
        votes = entry(
            "votes",
            "Votes",
            "Letters of all votes, a slash between questions; press Enter",
            "",
            trials=["ABBC", "A/BB" if n > 1 else "A", "ABXE"],
        )
        super().__init__([votes])

    # -- buttons -----------------------------------------------------------------------------------

    def _build_parts(self) -> None:
        super()._build_parts()
        for letter in LETTERS[: max(len(one.options) for one in self.questions)]:
            self._add_button(f"vote_{letter}", letter, f"One more vote for answer {letter}")
        self._add_button("undo", "Take back", "Take the last vote of this question back")
        # the same buttons as in every explorer, with words that fit a quiz
        self.buttons["step"].description = "Reveal / next"
        self.buttons["step"].tooltip = "Show the answer; then go on to the next question"
        self.buttons["step_back"].description = "Back"

    def _widget_rows(self) -> dict[str, list[Any]]:
        keys = [key for key in self.buttons if key.startswith("vote_")]
        return {
            "votes": [ipywidgets.Label("Vote:"), *(self.buttons[key] for key in [*keys, "undo"])]
        } | super()._widget_rows()

    def press(self, key: str) -> None:
        """Act as a click on a button does."""
        if key.startswith("vote_"):
            self.vote(key.removeprefix("vote_"))
        elif key == "undo":
            with self._lock:
                part = self._part()
                last = max(map(part.rfind, self.question.letters))
                if not self.revealed and last >= 0:
                    self._put_part(part[:last] + part[last + 1 :])
        else:
            super().press(key)

    @property
    def question(self) -> Any:
        """The question on the screen."""
        return self.questions[self.frame // 2]

    @property
    def revealed(self) -> bool:
        """Whether its answer is shown."""
        return self.frame % 2 == 1

    @property
    def tally_text(self) -> str:
        """Letters of the votes for this question."""
        return self._read(self.values["votes"])[0][self.frame // 2]

    def vote(self, letter: str) -> Quiz:
        """Add a vote for this question and return the quiz.

        After the reveal, and for a letter that is no answer, only a note is shown.
        """
        with self._lock:
            letter = str(letter).strip().upper()
            if self.revealed:
                self._say_note("The answer is out: votes no longer count.")
            elif letter not in self.question.letters or not letter:
                self._say_note(f"This question has the answers {', '.join(self.question.letters)}.")
            else:
                self._put_part(self._part() + letter)
        return self

    def _part(self) -> str:
        """Return the field's text for this question, including invalid letters."""
        return [*_parts(self.values["votes"]), *[""] * len(self.questions)][self.frame // 2]

    def _put_part(self, part: str) -> None:
        parts = _parts(self.values["votes"])
        parts += [""] * (len(self.questions) - len(parts))
        parts[self.frame // 2] = part
        self.set(votes="/".join(parts).rstrip("/"))

    def _read(self, text: str) -> tuple[list[str], list[str]]:
        return parse_votes(text, [question.letters for question in self.questions])

    # -- what is shown -----------------------------------------------------------------------------

    def compute(self, job: Job) -> Any:
        """Return the questions."""
        return self.questions

    def frame_count(self, result: Any) -> int:
        """Return two screens for each question."""
        return 2 * len(result)

    def _counts(self, frame: int, votes: str) -> dict[str, int]:
        given = self._read(votes)[0][frame // 2]
        return {letter: given.count(letter) for letter in self.questions[frame // 2].letters}

    def sentence(self, result: Any, frame: int, *, votes: str) -> str:
        """Describe the question, the votes, and the answer after the reveal."""
        question, counts = result[frame // 2], self._counts(frame, votes)
        total = sum(counts.values())
        told = ", ".join(f"{letter} {count}" for letter, count in counts.items())
        start = f"question {frame // 2 + 1} of {len(result)}"
        voted = f"{total} {'vote' if total == 1 else 'votes'} ({told})" if total else "no votes"
        wrong = self._wrong(votes)
        if wrong:
            voted = f"{voted}; {wrong}"
        if frame % 2 == 0:
            return f"{start}, {voted}: {question.text}"
        share = f" ({counts[question.right] / total:.0%} of {total})" if total else ""
        return f"{start}, answer {question.right}{share}, {voted}: {question.because}"

    def _wrong(self, votes: str) -> str:
        wrong = self._read(votes)[1]
        return "not counted: " + ", ".join(wrong) if wrong else ""

    def draw(self, figure: Any, result: Any, frame: int, *, votes: str) -> None:
        """Draw the question, a bar for each answer, and the reason after the reveal."""
        question, counts = result[frame // 2], self._counts(frame, votes)
        revealed, most = frame % 2 == 1, max(1, *counts.values())
        # a page of text needs no room for labels
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, 100), ylim=(0, 100))
        axes.set_axis_off()

        def write(x: float, y: float, text: str, size: float, width: float, **font: Any) -> None:
            # break lines for the size that `projector` gives them later
            kept = {"weight": font.get("weight", "normal")}
            lines = wrapped(figure, text, size * LOOK.text, width / 100, **kept)
            axes.text(x, y, lines, fontsize=size, color=font.pop("color", INK), **font)

        write(3, 95, question.text, 17, 94, weight="bold", va="top")
        top, height = 71.0, 13.0
        for number, (letter, count) in enumerate(counts.items()):
            y = top - number * height
            right = revealed and letter == question.right
            color = _RIGHT if right else (QUIET if revealed else PALETTE[0])
            axes.barh(y, 20 * count / most, left=72, height=7, color=color)
            weight = "bold" if right else "normal"
            # the sign has a column of its own, so nothing moves at the reveal
            if revealed:
                write(3, y, "✓" if right else "✗", 15, 4, va="center", weight=weight)
            write(6.5, y, f"{letter}.", 15, 4, va="center", weight=weight)
            write(10.5, y, question.options[number], 15, 60.5, va="center", weight=weight)
            if count:
                write(73 + 20 * count / most, y, f"{count}", 14, 7, va="center")
        if revealed:
            write(3, 2.5, question.because, 13.5, 94, va="bottom")
        else:
            wrong = self._wrong(votes)
            told = f"N{wrong[1:]}. Correct it in Votes." if wrong else "Vote now."
            if wrong or not sum(counts.values()):
                write(3, 3, told, 13.5, 94, va="bottom", color=ALARM)


def quiz(topic: int | str, questions: Any = None) -> Quiz:
    """Ask the class: show a question, collect votes, then explain the answer.

    Parameters
    ----------
    topic : int or str
        ``5``, ``"5"`` or ``"05"``.
    questions : sequence of Question, optional
        Your own, instead of the topic's.

    Returns
    -------
    Quiz
        Vote with the buttons, or type the letters of all votes into the field. "Reveal / next"
        shows the answer, then the next question.

    Raises
    ------
    ValueError
        If the topic is unknown.

    Examples
    --------
    >>> from annlab import widgets
    >>> screen = widgets.quiz("01").vote("A").vote("A").vote("C")
    >>> screen.text[:60]
    'question 1 of 5, 3 votes (A 2, B 0, C 1, D 0): What does one'
    >>> screen.step().text[:40]
    'question 1 of 5, answer A (67% of 3), 3 '
    """
    if questions is None:
        questions, topic = classroom.questions(topic), int(topic)
    return Quiz(questions, f"Quiz {topic}: what do you think?")


def example() -> Quiz:
    """Return the first topic's quiz."""
    return quiz(1)
