#!/usr/bin/env python3
"""A second reading of how rows of the outbox are stored and hashed: prints
tests/unit/vectors_outbox.h.

usage: outbox_reference.py API.tl [MTPROTO.tl] [vectors_outbox.h]

With the file's name it only checks that the file is what would be printed. Written from the words
in src/outbox/content.h and pack.c; SipHash comes from eid_reference.py, which holds it against its
published vectors.
"""
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.argv, ARGS = [sys.argv[0], sys.argv[1]], sys.argv[1:]
with open(os.devnull, "w") as null:
    out, sys.stdout = sys.stdout, null
    from eid_reference import sip128
    sys.stdout = out

IDS = {name: int(value, 16)
       for name, value in re.findall(r"^([\w.]+)#([0-9a-f]+) ", open(ARGS[0]).read(), re.M)}

# Numbers of the entities on disk, and what they have: n nothing, v a value, i a number.
ENTITIES = {"messageEntityBold": (1, "n"), "messageEntityItalic": (2, "n"),
            "messageEntityUnderline": (3, "n"), "messageEntityStrike": (4, "n"),
            "messageEntitySpoiler": (5, "n"), "messageEntityCode": (6, "n"),
            "messageEntityPre": (7, "v"), "messageEntityBlockquote": (8, "i"),
            "messageEntityTextUrl": (9, "v"), "messageEntityMentionName": (10, "i"),
            "messageEntityCustomEmoji": (11, "i"), "messageEntityMention": (13, "n"),
            "messageEntityHashtag": (14, "n"), "messageEntityBotCommand": (15, "n"),
            "messageEntityUrl": (16, "n"), "messageEntityEmail": (17, "n"),
            "messageEntityPhone": (18, "n"), "messageEntityCashtag": (19, "n"),
            "messageEntityBankCard": (20, "n")}


def number(v):
    b = b""
    while v > 0x7F:
        b += bytes([v & 0x7F | 0x80])
        v >>= 7
    return b + bytes([v])


def counted(b):
    return number(len(b)) + b


def u64(v):
    return struct.pack("<Q", v & (1 << 64) - 1)


def tl_string(b):
    head = bytes([len(b)]) if len(b) < 254 else b"\xfe" + struct.pack("<I", len(b))[:3]
    return head + b + b"\0" * (-(len(head) + len(b)) % 4)


def pack(kind, text=b"", entities=(), media=b"", markup=b"", flags=(), fields=()):
    """`fields` are (bit, bytes) behind the content's."""
    bits, body = 0, b""
    if text:
        bits, body = bits | 1, body + counted(text)
    if entities:
        bits, body, before = bits | 2, body + number(len(entities)), 0
        for name, offset, length, value, num in entities:
            disk, has = ENTITIES[name]
            body += bytes([disk]) + number(offset - before) + number(length)
            body += counted(value) if has == "v" else number(num & (1 << 64) - 1) if has == "i" else b""
            before = offset
    if media:
        bits, body = bits | 4, body + counted(media)
    if markup:
        bits, body = bits | 8, body + counted(markup)
    for i, name in enumerate(("no_preview", "silent", "protect")):
        bits |= (name in flags) << 4 + i
    for bit, b in fields:
        bits, body = bits | 1 << bit, body + b
    return bytes([1, kind]) + number(bits) + body


def hashed(text=b"", entities=(), media=None, markup=None, flags=()):
    """media, markup: their bytes without access hashes and file references."""
    data = u64(len(text)) + text + u64(len(entities))
    for name, offset, length, value, num in entities:
        data += u64(IDS[name]) + u64(offset) + u64(length) + u64(len(value)) + value + u64(num)
    for thing in (media, markup):
        data += u64(0) if thing is None else u64(1) + thing
    data += u64(media is None and "no_preview" in flags)
    return sip128(b"gapless contents", data)


def random_at(random_id, index):
    if index == 0:
        return random_id
    digest = sip128(b"gapless randoms1", u64(random_id) + u64(index))
    return struct.unpack("<q", digest[:8])[0]


SEND, MEDIA, EDIT, DELETE, FORWARD, PIN, READ, REACT, RAW = range(1, 10)
SMILE = "\N{SLIGHTLY SMILING FACE}".encode()
marks = [("messageEntityBold", 0, 5, b"", 0), ("messageEntityPre", 0, 3, b"c", 0),
         ("messageEntityTextUrl", 1, 2, b"https://example.org/", 0),
         ("messageEntityMentionName", 3, 1, b"", 123456789012),
         ("messageEntityCustomEmoji", 5, 2, b"", -5), ("messageEntityBlockquote", 5, 2, b"", 1)]
photo = struct.pack("<II", IDS["inputMediaPhoto"], 0) + struct.pack("<Iqq", IDS["inputPhoto"], 7, 8)
photo_bytes = photo + tl_string(b"reference")
photo_plain = struct.pack("<II", IDS["inputMediaPhoto"], 0) + struct.pack("<Iq", IDS["inputPhoto"], 7)
no_rows = struct.pack("<III", IDS["replyInlineMarkup"], 0x1CB5C415, 0)
no_rows_plain = struct.pack("<II", IDS["replyInlineMarkup"], 0)
CASES = [
    ("a text", SEND, dict(text=b"hello"), {}, ()),
    ("a long text", SEND, dict(text=b"x" * 300, flags=("no_preview", "protect")), {}, ()),
    ("an answer", SEND, dict(text=b"yes", flags=("silent",)), {}, [(7, number(70000))]),
    ("an answer to a row", SEND, dict(text=b"yes"), {}, [(8, number(1 << 40))]),
    ("markup", SEND, dict(text=b"hello" + SMILE, entities=marks), {}, ()),
    ("a photo", MEDIA, dict(text=b"see", media=photo_bytes, flags=("no_preview",)),
     dict(media=photo_plain), ()),
    ("buttons", EDIT, dict(text=b"press", markup=no_rows), dict(markup=no_rows_plain),
     [(9, number(1) + number(12))]),
    ("a deletion", DELETE, {}, {}, [(9, number(3) + number(1) + number(127) + number(128)), (14, b"")]),
    ("a forward", FORWARD, {}, {}, [(9, number(1) + number(5)), (12, bytes([3]) + number(1234567890))]),
    ("a pin off", PIN, {}, {}, [(10, number(99)), (13, b"")]),
    ("reading", READ, {}, {}, [(11, number(2147483647))]),
    ("a reaction", REACT, {}, {}, [(9, number(1) + number(5)), (15, counted(SMILE))]),
    ("a call", RAW, {}, {}, [(16, bytes([2]) + counted(struct.pack("<I", IDS["help.getNearestDc"])))]),
]
lines = ["/* Written by tests/unit/outbox_reference.py, a second reading of the stored form. */",
         "#ifndef GAP_TESTS_VECTORS_OUTBOX_H", "#define GAP_TESTS_VECTORS_OUTBOX_H", "",
         "#include <stdint.h>", "", "struct vector_outbox {", "    const char *name;",
         "    const char *packed; /* hex */", "    const char *hash;   /* of its content */", "};", "",
         "static const struct vector_outbox vectors_outbox[] = {"]
for name, kind, content, plain, fields in CASES:
    packed = pack(kind, fields=fields, **content).hex()
    digest = hashed(**dict(content, **plain)).hex()
    parts = [packed[i:i + 80] for i in range(0, len(packed), 80)]
    lines += ['    {"%s",' % name] + ['     "%s"' % p for p in parts[:-1]]
    lines += ['     "%s",' % parts[-1], '     "%s"},' % digest]
lines += ["};", "", "static const struct {", "    int64_t random_id;", "    uint32_t index;",
          "    int64_t expected;", "} vectors_random[] = {"]
for random_id, index in ((1, 0), (1, 1), (1, 2), (-1, 1), (0x123456789ABCDEF, 99)):
    lines.append("    {INT64_C(%d), %d, INT64_C(%d)}," % (random_id, index, random_at(random_id, index)))
lines += ["};", "", "#endif"]
text = "\n".join(lines) + "\n"
if not ARGS[-1].endswith(".h"):
    print(text, end="")
else:
    with open(ARGS[-1], encoding="utf-8") as f:
        same = f.read() == text
    if not same:
        print("vectors_outbox.h is not what this program prints")
    print("%d passed, %d failed" % (len(CASES) if same else 0, 0 if same else 1))
    sys.exit(not same)
