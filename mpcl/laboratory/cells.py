"""A table whose cells are named where they are wrong: file, row and column."""

import csv
import re
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from mpcl.errors import DatasetError

SHOWN = 5  # places named of one kind of mistake
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
EMPTY = ("", "na", "nan", "n/a", "none", "null")
PARQUET = (".parquet", ".pq")


def read_table(
    folder: Path, name: str, separator: str = ",", decimal: str = "."
) -> "Table":
    """A table of a CSV or Parquet file, each cell as the text that stands there.

    Raises:
        DatasetError: if it cannot be read.
    """
    path = folder / name
    try:
        if path.suffix.lower() in PARQUET:
            frame = pd.read_parquet(path)
        else:
            frame = _read_csv(path, separator)
    except FileNotFoundError:
        raise DatasetError("there is no such file", path) from None
    except ImportError as error:
        raise DatasetError(
            "pandas reads Parquet with pyarrow or fastparquet, and neither is here: "
            "'pip install pyarrow', or save the table as CSV",
            path,
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError("this is no UTF-8: save the table as it", path) from error
    except (OSError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"this table cannot be read ({reason})", path) from error
    return Table(name, frame, decimal)


def _read_csv(path: Path, separator: str) -> pd.DataFrame:
    """A CSV file, whose rows must have as many cells as its header.

    pandas would take the first column for names where rows have one more, and make up
    cells where they have fewer.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=separator, strict=True))
    header = rows[0] if rows else []
    if not any(header):
        raise ValueError("it has no header")
    rows = [row or [""] * len(header) for row in rows[1:]]
    for place, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(
                f"row {place + 2} has {len(row)} cells, the header {len(header)}; what "
                f"stands between columns is {separator!r}, or 'separator' in the plan"
            )
    return pd.DataFrame(rows, columns=header, dtype=object)


class Table:
    """A table, and what is wrong in it.

    Args:
        name: of its file.
        frame: its rows in the order of the file.
        decimal: what stands before decimals.
    """

    def __init__(self, name: str, frame: pd.DataFrame, decimal: str = ".") -> None:
        self.name = name
        self.frame = frame.rename(columns=lambda column: str(column).strip())
        self.decimal = decimal
        self.violations: dict[str, list[str]] = {}  # places, by what is wrong

    def row(self, place: int) -> int:
        """The number that a spreadsheet shows: the header is row 1."""
        return place + 2

    def complain(self, place: int | np.integer | None, column: str, words: str) -> None:
        """Note what is wrong in a cell, or with the whole table."""
        where = "" if place is None else f", row {self.row(int(place))}"
        where += f", column {column}" if column else ""
        self.violations.setdefault(words, []).append(f"{self.name}{where}")

    def refuse(self, *others: Self) -> None:
        """Stop, if anything is wrong in this table or in others.

        Raises:
            DatasetError: with the first places of each kind of mistake.
        """
        sentences: list[str] = []
        for table in dict.fromkeys([self, *others]):
            for words, places in table.violations.items():
                listed = "; ".join(places[:SHOWN])
                more = len(places) - SHOWN
                listed += f" and {more} more" if more > 0 else ""
                sentences.append(f"{listed}: {words}")
        if sentences:
            raise DatasetError(sentences)

    def cells(self, column: str) -> np.ndarray:
        """The cells of a column as text (row,), empty where there is nothing."""
        if str(column) not in self.frame:
            names = ", ".join(map(str, self.frame.columns))
            words = f"there is no such column; there are {names}"
            if len(self.frame.columns) == 1:
                words += " (what stands between columns is 'separator' in the plan)"
            self.complain(None, column, words)
            self.refuse()
        values = self.frame[str(column)]
        if isinstance(values, pd.DataFrame):
            self.complain(None, column, "there are two columns of this name")
            self.refuse()
        return np.array([text(value) for value in values], object)

    def texts(self, column: str) -> np.ndarray:
        """Names (row,), none of which may be empty."""
        texts = self.cells(column)
        for row in np.flatnonzero(texts == ""):
            self.complain(row, column, "this is empty")
        return texts

    def numbers(self, column: str, needed: bool = False) -> np.ndarray:
        """Numbers (row,), NaN where there is none; ``needed`` where one must be."""
        cells = self.cells(column)
        values = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            if cell.lower() in EMPTY:
                if needed:
                    self.complain(row, column, "this is empty")
                continue
            plain = cell if self.decimal == "." else _with_point(cell, self.decimal)
            if NUMBER.fullmatch(plain):
                values[row] = float(plain)
            if not np.isfinite(values[row]):
                words = f"{cell!r} is no number (decimals have {self.decimal!r})"
                self.complain(row, column, words)
        return values


def _with_point(cell: str, decimal: str) -> str:
    """A number with a point before its decimals; one that has a point is none."""
    return "" if "." in cell else cell.replace(decimal, ".")


def text(value: object) -> str:
    """A cell as text; a whole number has no decimals, whatever pandas made of it."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
