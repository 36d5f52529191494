"""Bytes become a table: encoding, separator, header, and records with the line each begins on. What cannot be read is refused whole."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ltc_contracts.errors import Invalid

# By the names people know; anything else would be guessing. BOMs decide between the two byte orders of UTF-16.
ENCODINGS = {
    "utf-8": "utf-8-sig",
    "utf-16": "utf-16",
    "windows-1252": "cp1252",
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
}
_ONE_BYTE = {"cp1252", "latin-1"}
_SEPARATORS = ",;\t|"
_LONGEST_CELL = 100_000
_MOST_COLUMNS = 300
_LONGEST_NAME = 200
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Beginnings of a cell that a spreadsheet runs (OWASP, CSV injection)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record and the line of the file it begins on."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """`records` is read once, as far as it is asked for; it raises `Invalid` where the file cannot be read on."""

    encoding: str
    header: list[str]
    records: Iterator[Record]


def inert(text: str) -> str:
    """A text for a cell of a file that a spreadsheet may open: one that it would run as a formula is written as text.

    Every CSV that the suite writes passes what people wrote through this; numbers of ours it leaves to the caller, `-1.00` is one.
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def read_table(file: bytes, encoding: str | None = None) -> Table:
    """The table in a CSV file. Without `encoding` it is UTF-8, or UTF-16 by its byte order mark; others have to be named.

    An encoding of one byte per sign reads anything, and Windows-1252 cannot be told from GB18030: a guess would store wrong names.
    """
    codec = _codec(file, encoding)
    csv.field_size_limit(_LONGEST_CELL)
    try:
        reader = csv.reader(_lines(file, codec), delimiter=_separator(_lines(file, codec)))
    except UnicodeError as error:
        raise _undecodable(file, codec) from error
    records = _records(reader, file, codec)
    header = [name.strip() for name in next(records, Record(1, [])).cells]
    _check_header(header)
    return Table(codec, header, records)


def _codec(file: bytes, encoding: str | None) -> str:
    if encoding is not None:
        codec = ENCODINGS.get(encoding.strip().lower())
        if codec is None:
            raise Invalid(f"is none that we read; there are {', '.join(ENCODINGS)}", field="encoding")
        if codec in _ONE_BYTE and not file.isascii() and (file.startswith(codecs.BOM_UTF8) or _is_utf8(file)):
            raise Invalid("the file is UTF-8, whatever was said; leave the encoding out", field="encoding")
    elif file.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Invalid("the file is UTF-32; save it as UTF-8", field="file")
    elif file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = "utf-16"
    else:
        codec = "utf-8-sig"
    if codec == "utf-16":
        if not file.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise Invalid("UTF-16 needs its byte order mark", field="file")
    elif b"\x00" in file:
        raise Invalid("this is a binary file, or UTF-16 without its byte order mark; it is not CSV", field="file")
    return codec


def _is_utf8(file: bytes) -> bool:
    try:
        file.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(file: bytes, codec: str) -> io.TextIOWrapper:
    # Decoded as it is read: the text of a large file would take four times its size.
    return io.TextIOWrapper(io.BytesIO(file), encoding=codec, newline="")


def _separator(lines: io.TextIOWrapper) -> str:
    """The one that gives the first record the most cells; inside quotes none counts."""
    start = lines.read(_LONGEST_CELL)
    found = [(len(_first(start, separator)), -order, separator) for order, separator in enumerate(_SEPARATORS)]
    return max(found)[2]


def _first(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return []


def _records(reader: Any, file: bytes, codec: str) -> Iterator[Record]:
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"line {line}: {error}", field="file") from error
        except UnicodeError as error:
            raise _undecodable(file, codec) from error
        if codec == "utf-16" and any("\x00" in cell for cell in cells):
            raise Invalid(f"line {line}: this is binary, not text", field="file")
        if cells:
            yield Record(line, cells)
        line = reader.line_num + 1


def _undecodable(file: bytes, codec: str) -> Invalid:
    line = 0
    try:
        file.decode(codec)
    except UnicodeDecodeError as error:
        line = file[: error.start].decode(codec, "ignore").count("\n") + 1
    name = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252", "gb18030": "GB18030"}.get(codec, codec)
    return Invalid(f"line {line} is not {name}; name the encoding of the file: {', '.join(ENCODINGS)}", field="file")


def _check_header(header: list[str]) -> None:
    if not any(header):
        raise Invalid("the file has no header line", field="file")
    if len(header) > _MOST_COLUMNS:
        raise Invalid(f"the file has {len(header)} columns; at most {_MOST_COLUMNS} are read", field="file")
    named = [name for name in header if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise Invalid(f"the header names the column '{twice[:_LONGEST_NAME]}' twice", field="file")
    if any(len(name) > _LONGEST_NAME or "\x00" in name for name in named):
        raise Invalid(f"the name of a column is longer than {_LONGEST_NAME} characters", field="file")
