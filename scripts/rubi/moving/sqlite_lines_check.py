"""Whether a batch that SQLite wrote is plain: each value as the careful way would write it.

Few bars are checked where they are read. Of many, a process of its own checks one batch while the
next is read and the last is on its way. This module imports no other of ours, so the process starts
fast and stays small. Its first argument is `hashed` where the hash is wanted, else `plain`:
`python sqlite_lines_check.py hashed KIND…`.
"""

from __future__ import annotations

import re
import struct
import sys
from calendar import isleap
from collections.abc import Sequence

try:
    from _md5 import md5  # CPython's own: OpenSSL's takes three times as long for a short text
except ImportError:
    from hashlib import md5

DAY = (
    "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9])"
    "|(?:0[13-9]|1[0-2])-30|(?:0[13578]|1[02])-31)"
)
LEAP_DAY = re.compile(b"([0-9]{4})-02-29 ")
# a match is never tried shorter (the second +): a third of the time
FORMS = {
    "integer": "(?:0|-?[1-9][0-9]{0,16}+)",
    # below a million, 15 digits hold 8 behind the point: no other number is meant
    "decimal": r"(?:-(?!0[\t\n]))?(?:0|[1-9][0-9]{0,5}+)(?:\.[0-9]{1,8}+(?<=[1-9]))?",
    # quoted, or it is a number of which SQLite wrote 15 digits: not its shortest text
    "text": r'"[^\x00-\x1f\x7f\\"]++"',
    "word": '"[A-Z][A-Z0-9_]*+"',
    "time": f'"{DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\+00"',
}
LENGTH = 8  # bytes of a length that goes before what is sent
HASH = 16  # bytes of the sum of a batch's hashes


def pattern(kinds: Sequence[str]) -> re.Pattern:
    """All lines of a batch when each value is plain."""
    return re.compile(("(?:" + "\t".join(FORMS[kind] for kind in kinds) + "\n)++").encode())


def hash_of(rows: Sequence[bytes]) -> int:
    """The rows' part of the hash: of each the first 8 of MD5's 16 bytes."""
    digests = b"".join([md5(row).digest() for row in rows])
    return sum(struct.unpack(f">{len(digests) // 8}q", digests)[::2])


def plain_text(lines: bytes, form: re.Pattern, hashed: bool) -> tuple[bytes, int] | None:
    """A batch in COPY's form and its hash, 0 unless wanted; None when one of its values is not

    plain. Not plain is a text that could be NULL, or that holds a comma.
    """
    if b"null" in lines:
        return None
    text = lines[1:-1] + b"\n"
    text = text.replace(b"]\n[", b"\n").replace(b".0,", b",").replace(b".0\n", b"\n")
    text = text.replace(b",", b"\t")
    if not form.fullmatch(text):
        return None
    text = text.replace(b'"', b"")
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    if b"-02-29 " in text and not all(isleap(int(year)) for year in set(LEAP_DAY.findall(text))):
        return None
    return text, hash_of(text[:-1].split(b"\n")) if hashed else 0


def serve(kinds: Sequence[str], hashed: bool) -> None:
    """Answer batches until there are no more, also when the sender was killed."""
    form = pattern(kinds)
    coming, going = sys.stdin.buffer, sys.stdout.buffer
    while length := coming.read(LENGTH):
        lines = coming.read(int.from_bytes(length))
        text, total = plain_text(lines, form, hashed) or (b"", 0)
        going.write(total.to_bytes(HASH, signed=True) + len(text).to_bytes(LENGTH))
        going.write(text)
        going.flush()


if __name__ == "__main__":
    serve(sys.argv[2:], sys.argv[1] == "hashed")
