"""Values that break things, by what stands there otherwise."""

import json
import re
from collections.abc import Sequence
from typing import Any

# Written into JSON as they are: numbers that Python's writer would not write.
RAW = {
    f"@raw{number}@": text
    for number, text in enumerate(("1e400", "-1e400", "1e1000000", "1" + "0" * 4000, "-0", "1E-400", "0." + "1" * 5000))
}

TEXTS: Sequence[Any] = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "a\udfffb",
    "\x01\x1b[31m",
    "\u202egnp.exe",
    "\u2028\u2029\u0085",
    "\ufeffBOM",
    "x" * 201,
    "x" * 20_000,
    "é" * 2000,
    "💥" * 70,
    "İ" * 64,
    "ﬃ" * 200,
    "a\r\nBcc: eve@example.com",
    "=?utf-8?q?a=0d=0aBcc:_eve@example.com?=",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "'; DROP TABLE lead; --",
    "%",
    "\\",
    "%00",
    "../../../../etc/passwd",
    "{{ 7 * 7 }}",
    "{% for x in range(1000000000) %}x{% endfor %}",
    "${jndi:ldap://example.com/a}",
    "(((((((((((((((((((((((((((((a+)+)+)+)+",
    "null",
    "²",
    "٣",
)
MOMENTS: Sequence[Any] = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "2026-01-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-01-01T25:61:61Z",
    "2026-01-01T00:00:00+99:99",
    "1e400",
    "-62135596801",
    "253402300800",
    "99999999999999999999",
    "10000-01-01T00:00:00Z",
)
DAYS: Sequence[Any] = ("0001-01-01", "9999-12-31", "2026-02-30", "10000-01-01", "-0001-01-01", "20260101", "1e400", "0")
AMOUNTS: Sequence[Any] = (
    "0",
    "-0",
    "-1",
    "0.000000000000000000001",
    "999999999999999",
    "1e14",
    "1e1000000",
    "1E-1000000",
    "-1e1000000",
    "NaN",
    "sNaN",
    "Infinity",
    "1_000",
    "1,5",
    "٣",
    "0x10",
    "9" * 5000,
    "0." + "3" * 30,
)
IDS: Sequence[Any] = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "not-an-id",
    "{}",
    "\x00",
    "urn:uuid:1",
)
NUMBERS: Sequence[Any] = (
    0,
    -1,
    1.5,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**30,
    1e308,
    5e-324,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    "1",
    *RAW,
)
OTHER_KINDS: Sequence[Any] = (
    None,
    True,
    0,
    10**30,
    "x",
    [],
    {},
    [None],
    [[]],
    {"": ""},
    {"\x00": "\x00"},
    {"\ud800": 1},
    ["\x00"],
    ["x"] * 3000,
)
ADDRESSES: Sequence[Any] = (
    "a@b",
    "a@b.c\nBcc: eve@example.com",
    "a@" + "b." * 120 + "c",
    "@",
    "a@\ud800.com",
    "a\x00@example.com",
    "é@ü.example",
    "a@[127.0.0.1]",
)
PATHS: Sequence[str] = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "..",
    "%2e%2e%2fetc",
    "x" * 3000,
    "0",
    "-1",
    "9" * 30,
    "%20",
    "'",
    "💥",
    "\u202e",
)
HEADERS: Sequence[tuple[str, bytes]] = (
    ("idempotency-key", b"a\x00b"),
    ("idempotency-key", b"\xff\xfe"),
    ("idempotency-key", b""),
    ("idempotency-key", b"k" * 5000),
    ("if-match", b"\xff"),
    ("if-match", b'"999999999999999999999"'),
    ("if-match", b"*"),
    ("traceparent", b"\xff\x00"),
    ("traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"),
    ("tracestate", b"a=" + b"\x00"),
    ("accept-language", b"\xff;q=1e400,zh;q=NaN"),
    ("accept", b"\xff"),
    ("content-type", b"application/json; charset=utf-16"),
    ("content-type", b"text/plain"),
    ("content-type", b"multipart/form-data"),
    ("content-type", b"multipart/form-data; boundary=\xff"),
    ("content-type", b"application/x-www-form-urlencoded"),
    ("content-type", b"\x00"),
    ("cookie", b"ltc_token=\xff\x00"),
    ("x-forwarded-for", b"\xff, ::1%\x00"),
    ("user-agent", b"\x00" * 50),
    ("origin", b"http://[::1"),
    ("referer", b"\xff"),
)
BODIES: Sequence[bytes] = (
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"\xff\xfe{\x00}\x00",
    '{"name": "Müller"}'.encode("latin-1"),
    '{"name": "Müller"}'.encode("utf-16"),
    '{"name": "Müller"}'.encode("utf-8-sig"),
    b"[" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"name": NaN}',
    b'{"a": 1, "a": 2}',
    b'{"\\ud800": "\\udfff"}',
    b"\x00",
    b"name=\x00&name=%ff",
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="\x00"\r\n\r\n\x00\r\n--x--',
)


def for_value(value: Any) -> list[Any]:
    """Values to put where this one stands: those of its own kind first, and others."""
    kinds: list[Sequence[Any]] = []
    if isinstance(value, str):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}T.*", value):
            kinds.append(MOMENTS)
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            kinds.append(DAYS)
        elif re.fullmatch(r"-?\d+(\.\d+)?", value):
            kinds.append(AMOUNTS)
        elif re.fullmatch(r"[0-9a-f]{8}-.*|\$[A-Z_]+", value):
            kinds.append(IDS)
        elif "@" in value:
            kinds.append(ADDRESSES)
        kinds.append(TEXTS)
    elif isinstance(value, bool):
        kinds.append((0, 1, "true", 2))
    elif isinstance(value, int | float):
        kinds.append(NUMBERS)
    kinds.append(OTHER_KINDS)
    return [each for kind in kinds for each in kind]


def written(value: Any) -> bytes:
    """JSON with everything that JSON can carry, and some that it cannot."""
    text = json.dumps(value)
    for mark, raw in RAW.items():
        text = text.replace(f'"{mark}"', raw)
    return text.encode()
