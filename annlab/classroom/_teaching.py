"""The part of ``notebooks/TEACHING.md`` that comes from the topics' modules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from annlab import classroom
from annlab.classroom._base import Exercise
from annlab.classroom._source import exercises_folder

BEGIN = "<!-- made by: annlab classroom build; edit annlab/classroom/content instead -->"
END = "<!-- end of what is made -->"


def overview() -> str:
    """Table of the topics: minutes, exercises, points, questions."""
    from annlab.widgets._topics import TOPICS

    lines = [
        "| topic | notebook | exercises | points | questions | misconceptions |",
        "|---|---|---|---|---|---|",
    ]
    for number in classroom.topics():
        module, place = classroom.topic(number), TOPICS[number - 1]
        lesson, exercises = module.LESSON, module.EXERCISES
        lines.append(
            f"| [{number}. {place.title}]({place.file}.ipynb) | {lesson.minutes} min "
            f"| {len(exercises)} ({lesson.exercise_minutes} min) "
            f"| {sum(one.points for one in exercises)} | {len(module.QUESTIONS)} "
            f"| {len(lesson.misconceptions)} |"
        )
    return "\n".join(lines)


def section(number: int) -> str:
    """What a teacher wants to know about a topic."""
    from annlab.widgets._topics import TOPICS

    module, place = classroom.topic(number), TOPICS[number - 1]
    lesson = module.LESSON
    aims = "\n".join(f"- {aim}" for aim in lesson.aims)
    beliefs = "\n".join(f"| {belief} | {id} |" for belief, id in lesson.misconceptions)
    exercises = "\n".join(
        f"| {one.id} | {one.title} | {one.level} | {one.points} |" for one in module.EXERCISES
    )
    return f"""\
### {number}. {place.title}

{lesson.minutes} minutes with the notebook, {lesson.exercise_minutes} with the exercises.
Prerequisites: {lesson.prerequisites}.

Afterwards a student can

{aims}

{lesson.lecture}

| what students believe | exposed by |
|---|---|
{beliefs}

| exercise | | level | points |
|---|---|---|---|
{exercises}

{rubric(module.EXERCISES)}
"""


def rubric(exercises: Sequence[Exercise]) -> str:
    """Say what to look for in the free text of a topic."""
    (one,) = (one for one in exercises if one.takes == "text")
    share = one.points / len(one.ideas)
    points = "1 point" if share == 1 else f"{share:g} points"
    lines = [f"Free text {one.id}, {points} for an answer to each of these:", ""]
    lines += [f"- {idea.message}" for idea in one.ideas]
    lines += ["", "What students claim instead, and what to write beside it:", ""]
    lines += [f"- {claim.message}" for claim in one.claims]
    return "\n".join(lines)


def made() -> str:
    """All that is made, between the two markers."""
    parts = [overview(), *(section(number).rstrip("\n") for number in classroom.topics())]
    return "\n\n".join([BEGIN, *parts, END])


def build(folder: Path | None = None, *, check: bool = False) -> list[str]:
    """Bring ``TEACHING.md`` up to date.

    Parameters
    ----------
    folder : Path, optional
        The notebooks' folder; by default that of the checkout.
    check : bool, default=False
        Only look.

    Returns
    -------
    list of str
        The file, if it was not in step.

    Raises
    ------
    ValueError
        If the markers are missing.
    """
    folder = exercises_folder().parent if folder is None else folder
    path = folder / "TEACHING.md"
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path.name} must hold both markers once: {BEGIN} … {END}")
    head, rest = text.split(BEGIN)
    new = head + made() + rest.split(END)[1]
    if new == text:
        return []
    if not check:
        path.write_text(new, encoding="utf-8", newline="\n")
    return [path.name]
