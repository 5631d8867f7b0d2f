"""Generate the part of ``notebooks/TEACHING.md`` that comes from the topics."""

from __future__ import annotations

from pathlib import Path

from annlab import classroom
from annlab.classroom._base import Exercise
from annlab.classroom._source import exercises_folder

BEGIN = "<!-- made by: annlab classroom build; edit annlab/classroom/content instead -->"
END = "<!-- end of what is made -->"


def overview() -> str:
    """Return a table of the topics: minutes, exercises, points, questions."""
    from annlab.widgets._topics import TOPICS

    lines = [
        "| topic | notebook | exercises | points | questions |",
        "|---|---|---|---|---|",
    ]
    for number in classroom.topics():
        module, place = classroom.topic(number), TOPICS[number - 1]
        exercises, questions = module.EXERCISES, module.QUESTIONS
        lines.append(
            f"| [{number}. {place.title}]({place.file}.ipynb) | {module.LESSON.minutes} min "
            f"| {len(exercises)} ({sum(one.minutes for one in exercises)} min) "
            f"| {sum(one.points for one in exercises)} "
            f"| {len(questions)} ({sum(one.minutes for one in questions)} min) |"
        )
    return "\n".join(lines)


def section(number: int) -> str:
    """Return the teacher's notes on a topic."""
    from annlab.widgets._topics import TOPICS

    module, place = classroom.topic(number), TOPICS[number - 1]
    lesson = module.LESSON
    aims = "\n".join(f"- {aim}" for aim in lesson.aims)
    beliefs = "\n".join(f"| {belief} | {id} |" for belief, id in lesson.misconceptions)
    exercises = "\n".join(
        f"| {one.id} | {one.title} | {one.level} | {one.minutes} | {_points(one)} |"
        for one in module.EXERCISES
    )
    (text,) = (one for one in module.EXERCISES if one.takes == "text")
    return f"""\
### {number}. {place.title}

Prerequisites: {lesson.prerequisites}. Afterwards a student can

{aims}

{lesson.lecture}

| what students believe | exposed by |
|---|---|
{beliefs}

| exercise | | level | minutes | points |
|---|---|---|---|---|
{exercises}

{rubric(text)}
"""


def _points(one: Exercise) -> str:
    part = sorted(set(one.part_points.values()))
    return f"{one.points}, or {' or '.join(map(str, part))} for a part" if part else str(one.points)


def rubric(one: Exercise) -> str:
    """Return the rubric of a free text."""
    share = one.points / len(one.rubric)
    points = "1 point" if share == 1 else f"{share:g} points"
    lines = [f"Free text {one.id}: {points} for each answer to", ""]
    lines += [f"- {criterion.asks}" for criterion in one.rubric]
    lines += ["", "What to reply to common wrong claims:", ""]
    lines += [f"- {reply}" for reply in one.replies]
    return "\n".join(lines)


def made() -> str:
    """Return the generated part of the file, including both markers."""
    parts = [overview(), *(section(number).rstrip("\n") for number in classroom.topics())]
    return "\n\n".join([BEGIN, *parts, END])


def build(folder: Path | None = None, *, check: bool = False) -> list[str]:
    """Update ``TEACHING.md``; return its name if it was out of date.

    With ``check=True`` nothing is written.

    Raises
    ------
    ValueError
        If a marker is missing.
    """
    path = (folder or exercises_folder().parent) / "TEACHING.md"
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path.name} must contain both markers once: {BEGIN} … {END}")
    new = text.split(BEGIN)[0] + made() + text.split(END)[1]
    if new == text:
        return []
    if not check:
        path.write_text(new, encoding="utf-8", newline="\n")
    return [path.name]
