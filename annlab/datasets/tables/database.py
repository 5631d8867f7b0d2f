"""Read tables with DuckDB, and translate its errors."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.memory import available_memory
from annlab.datasets.tables.layout import Layout, Record, records
from annlab.datasets.tables.options import Options, option

if TYPE_CHECKING:
    import duckdb


class OtherEncoding(ValueError):
    """A text file is not in the encoding in which it was read."""


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


class Database:
    """A connection that reads one table, without extensions and remote files."""

    def __init__(self, name: str, options: Options, folder: str) -> None:
        import duckdb

        self.name, self.options, self.folder = name, options, folder
        free = available_memory() or 1 << 32
        self.connection = duckdb.connect(
            config={
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": f"{max(free // 2 >> 20, 256)}MB",
                "temp_directory": folder,
            }
        )

    def run(self, query: str) -> duckdb.DuckDBPyConnection:
        """Execute a query; translate errors of DuckDB."""
        import duckdb

        try:
            return self.connection.execute(query)
        except (duckdb.Error, RuntimeError) as reason:
            raise self.refusal(str(reason)) from reason

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.run(query).fetchall()

    def refusal(self, words: str) -> Exception:
        """Return the error for a message of DuckDB."""
        if "nicode" in words:
            return OtherEncoding(words)
        line = re.search(r"CSV Error on Line: (\d+)", words)
        where = f"line {line[1]}" if line else ""
        width = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", words)
        if width:
            skip = option("skip_bad_rows", True)
            remedy = f"Correct that line, or skip such rows: {skip}."
            if int(width[1]) == 2 * int(width[2]) or int(width[2]) == 2 * int(width[1]):
                comma = option("decimal", "comma")
                remedy += f" If its commas are decimal marks, say so: {comma}."
            return invalid(
                f"Each row of {self.name}",
                f"made of {width[1]} columns, as most rows are",
                f"{width[2]} in {where}",
                remedy,
            )
        if "unterminated quote" in words:
            rule = "a table whose quotes are closed"
            return invalid(self.name, rule, f"an open quote in {where}", "Close it.")
        reason = words.split("\n")[0].split(": ", 1)[-1]
        got = f"{where} {reason}".strip()
        return invalid(self.name, "a table that can be read", got, "Save it again.")

    def lines(self, path: str, encoding: str, limit: str = "") -> Iterator[str]:
        """Yield the lines of a text file without line ends and byte order mark."""
        import duckdb

        try:
            cursor = self.connection.cursor()
            cursor.execute(f"SELECT line FROM {_raw(path, encoding)} {limit}")
            while rows := cursor.fetchmany(4096):
                for (line,) in rows:
                    yield (line or "").lstrip("\ufeff")
        except (duckdb.Error, RuntimeError) as reason:
            raise self.refusal(str(reason)) from reason

    def single_blanks(self, path: str, encoding: str) -> str:
        """Copy a file, reducing runs of blanks to the single blanks of a delimiter."""
        copy = os.path.join(self.folder, f"blanks-{len(os.listdir(self.folder))}.txt")
        line = "regexp_replace(trim(line, ' \t'), '[ \t]+', ' ', 'g')"
        options = "FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '', NULLSTR ''"
        self.run(f"COPY (SELECT {line} FROM {_raw(path, encoding)}) TO {quoted(copy)} ({options})")
        return copy

    def good_rows(
        self, paths: Sequence[str], encoding: str, layout: Layout
    ) -> tuple[str, list[int], list[int]]:
        """Copy rows of the right width; return the file, row numbers, other lines."""
        copy = os.path.join(self.folder, "good-rows.txt")
        rows, lines = [], []
        with open(copy, "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter=layout.delimiter, lineterminator="\n")
            found = chain.from_iterable(self.records(path, encoding, layout) for path in paths)
            for row, (line, fields) in enumerate(found, 1):
                if len(fields) == layout.width:
                    rows.append(row)
                    table.writerow(fields)
                else:
                    lines.append(line)
        return copy, rows, lines

    def records(self, path: str, encoding: str, layout: Layout) -> Iterator[Record]:
        """Return the records of a text table below its header."""
        try:
            for line, fields in records(self.lines(path, encoding), layout.delimiter, strict=True):
                if line > layout.skip:
                    yield line, fields
        except csv.Error as reason:
            rule = "a table whose quotes are closed"
            raise invalid(self.name, rule, f"a stray quote ({reason})", "Correct it.") from reason


def _raw(path: str, encoding: str) -> str:
    """Return the lines of a text file as a relation; blank ones are NULL."""
    return (
        f"read_csv({quoted(path)}, columns={{'line': 'VARCHAR'}}, delim='\x01', quote='', "
        "escape='', header=false, auto_detect=false, strict_mode=false, "
        f"encoding='{encoding}', max_line_size=100000000)"
    )
