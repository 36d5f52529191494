"""Paper, printed by the real typst and read back with a reader of somebody else's."""

import asyncio
import hashlib
import io
import logging
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from pypdf import PdfReader

from ltc_chassis import paper
from ltc_chassis.letterhead import Account, Letterhead, NewLetterhead
from ltc_chassis.paper import Attachment, PaperBusy, PaperTookTooLong, PaperTooLarge, TemplateFailed, print_pdf
from ltc_chassis.press import Press

PACKAGE = "ltc_chassis.tests.echo"
NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
HEAD = NewLetterhead(
    name="Nord & Söhne GmbH",
    address=["Hafenstraße 1", "20457 Hamburg", "Germany"],
    email="sales@nord.example",
    tax_id="DE123456789",
    registration="AG Hamburg HRB 12345",
    bank=[Account(bank="Hafenbank", number="DE02 1203 0000 0000 2020 51", bic="BYLADEM1001")],
    footer="Managing director: A. Nord",
)


def png(width: int = 2, height: int = 2) -> bytes:
    """A red picture."""
    rows = b"".join(b"\x00" + b"\xd0\x20\x20" * width for _ in range(height))
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + body


def letterhead(**changed: Any) -> Letterhead:
    return Letterhead(1, HEAD.model_copy(update=changed), png(), "test", NOW)


def given(**changed: Any) -> dict[str, Any]:
    return {"title": "List 1", "name": "Rossi", "rows": [["1", "Pump", "950.00"]], **changed}


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_a_document_has_letterhead_page_numbers_and_properties() -> None:
    pdf = await print_pdf(PACKAGE, "list", given(), letterhead=letterhead(), created_at=NOW)
    read = PdfReader(io.BytesIO(pdf))
    text = text_of(pdf)
    for wanted in (
        "Nord & Söhne GmbH",
        "20457 Hamburg",
        "DE123456789",
        "BYLADEM1001",
        "A. Nord",
        "Page 1 of 1",
        "Pump",
        "950.00",
    ):
        assert wanted in text
    assert read.metadata is not None
    assert (read.metadata.title, read.metadata.author, read.metadata.creation_date) == ("List 1", "Nord & Söhne GmbH", NOW)
    assert len(read.pages[0].images) == 1
    # Nothing is left to the reader's own fonts.
    fonts: Any = read.pages[0]["/Resources"]
    for font in fonts["/Font"].values():
        descendant = font.get_object()["/DescendantFonts"][0].get_object()
        assert any(name.startswith("/FontFile") for name in descendant["/FontDescriptor"])


async def test_the_same_input_gives_the_same_bytes() -> None:
    first, again = [await print_pdf(PACKAGE, "list", given(), letterhead=letterhead(), created_at=NOW) for _ in range(2)]
    paper._PRINTER.stop()
    fresh = await print_pdf(PACKAGE, "list", given(), letterhead=letterhead(), created_at=NOW)
    assert len({hashlib.sha256(pdf).hexdigest() for pdf in (first, again, fresh)}) == 1
    assert await print_pdf(PACKAGE, "list", given(name="Rosso"), letterhead=letterhead(), created_at=NOW) != first
    undated = PdfReader(io.BytesIO(await print_pdf(PACKAGE, "list", given())))
    assert undated.metadata is not None
    assert undated.metadata.creation_date is None


@pytest.mark.parametrize(
    "name",
    [
        "#import evil; #panic() Ltd",
        "$x^2$ & *bold* _it_ `raw` <label> @ref // comment",
        "] #text[ \\u{41} \\",
        '<script>alert("1")</script> "quoted"',
        '#sys.inputs #read("data.json")',
        "Žluťoučký kůň & Größe ßẞ €",
        "Ελληνικά Кириллица",
    ],
)
async def test_a_name_is_text_whatever_it_looks_like(name: str) -> None:
    pdf = await print_pdf(PACKAGE, "list", given(name=name, rows=[["1", name, "0"]]), letterhead=letterhead(name=name))
    found = "".join(text_of(pdf).split())
    assert found.count("".join(name.split())) >= 3


async def test_names_in_chinese_japanese_korean_and_from_right_to_left_are_printed() -> None:
    name = "华为技术有限公司 すずき 삼성 שלום عربى"
    pdf = await print_pdf(PACKAGE, "list", given(name=name, lang="zh"), letterhead=letterhead(name="北京公司"))
    text = text_of(pdf)
    missing = Press([]).missing(name)
    for part in ("华为技术有限公司", "すずき", "삼성", "北京公司"):
        assert part in text or set(part) <= set(missing), part
    # Readers give what runs from right to left in either order.
    assert "שלום" in text or "שלום"[::-1] in text
    assert "第 1 页，共 1 页" in text or "第" in Press([]).missing("第")


async def test_a_character_no_font_has_is_named_on_the_page_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rare = Press([]).missing("அ𒀀𓀀ᢀ𐎀")
    assert rare, "a machine that can print everything shows nothing here"
    with caplog.at_level(logging.WARNING, logger="ltc_chassis.paper"):
        pdf = await print_pdf(PACKAGE, "list", given(name=f"Rossi {rare[0]} Ltd"))
    assert f"No font here can print: U+{ord(rare[0]):04X}" in text_of(pdf)
    assert f"U+{ord(rare[0]):04X}" in caplog.text
    assert "Rossi" not in caplog.text


@pytest.mark.parametrize("odd", ["\U00020000", "\uf8ff", "\x01", "\u0378", "b\u0485", "\u0600", "\u1680", "\U0010fffd"])
async def test_an_archived_document_is_printed_whatever_somebody_is_called(odd: str) -> None:
    named = given(name=f"Rossi {odd} Ltd", rows=[["1", f"{odd}{'x' * 30}", "0"]])
    pdf = await print_pdf(PACKAGE, "list", named, letterhead=letterhead(name=f"{odd} GmbH"), created_at=NOW, archival=True)
    text = text_of(pdf)
    assert "Rossi" in text
    assert pdf == await print_pdf(
        PACKAGE, "list", named, letterhead=letterhead(name=f"{odd} GmbH"), created_at=NOW, archival=True
    )
    if odd in "\U00020000\U0010fffd" and Press([]).missing("\U00020000"):
        assert f"U+{ord(odd):04X}" in text


async def test_a_long_table_repeats_its_head_and_numbers_its_pages() -> None:
    rows = [[str(number), f"Item {number}", f"{number}.00"] for number in range(1, 501)]
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(await print_pdf(PACKAGE, "list", given(rows=rows)))).pages]
    assert len(pages) > 8
    for number, page in enumerate(pages, 1):
        assert "Position" in page
        assert f"Page {number} of {len(pages)}" in page
    assert "Item 500" in pages[-1]


async def test_words_without_a_break_and_lines_stay_on_the_sheet() -> None:
    pdf = await print_pdf(PACKAGE, "list", given(name="A" * 400 + "\nsecond\r\nthird", rows=[["1", "B" * 300, "1"]]))
    right = 0.0

    def visit(text: str, _: Any, matrix: Any, *__: Any) -> None:
        nonlocal right
        if text.strip():
            right = max(right, float(matrix[4]))

    page = PdfReader(io.BytesIO(pdf)).pages[0]
    text = page.extract_text(visitor_text=visit)
    assert "second" in text
    assert text.count("A") >= 400
    assert 0 < right < float(page.mediabox.width)


async def test_a_file_travels_inside_the_document() -> None:
    attached = [Attachment("invoice.xml", b"<Invoice/>", "application/xml", "as data", "alternative")]
    read = PdfReader(io.BytesIO(await print_pdf(PACKAGE, "list", given(), attachments=attached, created_at=NOW)))
    assert read.attachments["invoice.xml"] == [b"<Invoice/>"]


async def test_the_event_loop_turns_while_a_document_is_printed() -> None:
    rows = [[str(number), "Item", "1"] for number in range(2000)]
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    await print_pdf(PACKAGE, "list", given())
    turning = asyncio.create_task(turn())
    await print_pdf(PACKAGE, "list", given(rows=rows))
    turning.cancel()
    assert turns > 20


async def test_a_document_that_takes_too_long_is_given_up_and_the_next_one_is_printed() -> None:
    with pytest.raises(PaperTookTooLong):
        await print_pdf(PACKAGE, "endless", given(n=9999), seconds=0.5)
    assert "Rossi" in text_of(await print_pdf(PACKAGE, "list", given()))


async def test_a_printing_process_that_dies_is_replaced() -> None:
    await print_pdf(PACKAGE, "list", given())
    child = paper._PRINTER._child
    assert child is not None
    child.kill()
    child.wait()
    assert "Rossi" in text_of(await print_pdf(PACKAGE, "list", given()))


async def test_a_printing_process_that_has_grown_retires() -> None:
    rows = [[str(number), "Item with some text", "1"] for number in range(3000)]
    seen = set()
    for number in range(6):
        await print_pdf(PACKAGE, "list", given(title=f"List {number}", rows=rows))
        seen.add(paper._PRINTER._child.pid if paper._PRINTER._child else None)
    assert len(seen) > 1


async def test_documents_asked_for_at_once_are_each_printed() -> None:
    printed = await asyncio.gather(*(print_pdf(PACKAGE, "list", given(name=f"Customer {n}")) for n in range(20)))
    assert [f"Customer {n}" in text_of(pdf) for n, pdf in enumerate(printed)] == [True] * 20


async def test_too_much_data_and_too_long_a_queue_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PaperTooLarge):
        await print_pdf(PACKAGE, "list", given(name="x" * paper.MAX_DATA_BYTES))
    monkeypatch.setattr(paper, "MAX_WAITING", 0)
    with pytest.raises(PaperBusy):
        await print_pdf(PACKAGE, "list", given())


async def test_a_template_that_does_not_fit_is_a_defect_of_ours_and_says_where() -> None:
    with pytest.raises(TemplateFailed, match="nothing"):
        await print_pdf(PACKAGE, "broken", given())
    assert "Rossi" in text_of(await print_pdf(PACKAGE, "list", given()))


async def test_a_template_reads_no_file_of_the_machine() -> None:
    with pytest.raises(TemplateFailed):
        await print_pdf(PACKAGE, "curious", given(path="etc/passwd"))
