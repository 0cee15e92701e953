#!/usr/bin/env python3
"""A second reading of how events are named: prints tests/unit/vectors_eid.h.

usage: eid_reference.py API.tl [vectors_eid.h]

With the file's name it only checks that the file is what would be printed. SipHash is written here
from its paper, and held against the vectors that were published with it; nothing is shared with the
library.
"""
import hashlib
import hmac
import re
import struct
import sys

MASK = (1 << 64) - 1


def rotl(x, b):
    return ((x << b) | (x >> (64 - b))) & MASK


def sip128(key, data):
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    v[1] ^= 0xEE

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotl(v[1], 13) ^ v[0]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotl(v[1], 17) ^ v[2]
            v[2] = rotl(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for (m,) in struct.iter_unpack("<Q", padded):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xEE
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    rounds(4)
    return struct.pack("<QQ", first, v[0] ^ v[1] ^ v[2] ^ v[3])


PUBLISHED = {  # input 00 01 02 ..., key 00 01 ... 0f
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
    2: "8177228da4a45dc7fca38bdef60affe4",
    63: "5150d1772f50834a503e069a973fbd7c",
}
for length, expected in PUBLISHED.items():
    assert sip128(bytes(range(16)), bytes(range(length))).hex() == expected, length

with open(sys.argv[1], encoding="utf-8") as f:
    IDS = dict(re.findall(r"^([A-Za-z_.]+[A-Za-z0-9_.]*)#([0-9a-f]+) ", f.read(), re.M))


def u32(v):
    return struct.pack("<I", v & 0xFFFFFFFF)


def u64(v):
    return struct.pack("<Q", v & MASK)


def con(name):
    return u32(int(IDS[name], 16))


def string(b):
    head = bytes([len(b)]) if len(b) < 254 else b"\xfe" + struct.pack("<I", len(b))[:3]
    out = head + b
    return out + b"\0" * (-len(out) % 4)


SECRET = bytes(range(100, 132))
ACCOUNT = 4711
KEY = hmac.new(SECRET, b"gapless event names", hashlib.sha256).digest()[:16]
MESSAGE, EDIT, QTS, QUERY, SECRET_CHAT, CONTENT = 1, 2, 3, 4, 5, 6
TEXT, ENTITIES, MEDIA, MARKUP, EDIT_DATE, INVERTED, RICH, ACTION = range(1, 9)
KINDS = {"user": 1, "chat": 2, "channel": 3}


def name(kind, *parts):
    return sip128(KEY, b"".join(u64(p) for p in (ACCOUNT, kind) + parts))


def content(*pieces):
    data = u64(ACCOUNT) + u64(CONTENT)
    for mark, b in pieces:
        data += u64(mark << 56 | len(b)) + b
    return struct.unpack("<Q", sip128(KEY, data)[:8])[0]


def peer(kind, number):
    return con({"user": "peerUser", "chat": "peerChat", "channel": "peerChannel"}[kind]) + u64(number)


def photo(number, reference):
    return (con("messageMediaPhoto") + u32(1) + con("photo") + u32(0) + u64(number) + u64(99) + string(reference)
            + u32(7) + con("vector") + u32(0) + u32(2))


def message(chat, number, text, flags=0, media=None, views=None, edit_date=None, entities=None, sender=None):
    flags |= (1 << 9 if media else 0) | (1 << 10 if views else 0) | (1 << 15 if edit_date else 0)
    flags |= (1 << 7 if entities else 0) | (1 << 8 if sender else 0)
    out = con("message") + u32(flags) + u32(0) + u32(number)
    out += peer(*sender) if sender else b""
    out += peer(*chat) + u32(1000) + string(text)
    out += media or b""
    out += con("vector") + u32(len(entities)) + b"".join(entities) if entities else b""
    out += u32(views) + u32(3) if views else b""
    return out + (u32(edit_date) if edit_date else b"")


def update(kind, body, pts=20):
    return con(kind) + body + u32(pts) + u32(1)


IDS.update(vector="1cb5c415", boolTrue="997275b5")
PEERS = {"me": ("user", 77), "club": ("channel", 500)}
cases = []


def case(label, data, eid, hashed=0):
    cases.append((label, data, eid, hashed))


def of_message(label, kind, chat, number, pieces, edit, **more):
    texts = [p[1] for p in pieces if p[0] == TEXT]
    c = content(*pieces)
    args = (KINDS[chat[0]], chat[1], number)
    eid = name(EDIT, *args, c) if edit else name(MESSAGE, *args)
    case(label, update(kind, message(chat, number, texts[0], **more)), eid, c)


ME, CLUB = PEERS["me"], PEERS["club"]
bold = con("messageEntityBold") + u32(0) + u32(2)
date = (EDIT_DATE, u32(1234))
of_message("a new message", "updateNewMessage", ME, 5, [(TEXT, b"hello")], False)
of_message("the same with a sender, seen, unread and pinned", "updateNewMessage", ME, 5, [(TEXT, b"hello")],
           False, flags=1 << 24 | 1 << 5, views=12, sender=("user", 78))
of_message("another id", "updateNewMessage", ME, 6, [(TEXT, b"hello")], False)
of_message("the same id in a channel", "updateNewChannelMessage", CLUB, 5, [(TEXT, b"hello")], False)
of_message("an edit of the first", "updateEditMessage", ME, 5, [(TEXT, b"hullo"), date], True, edit_date=1234)
of_message("a second one in the same second", "updateEditMessage", ME, 5, [(TEXT, b"hallo"), date], True,
           edit_date=1234)
of_message("the message as it is after the edit", "updateNewMessage", ME, 5, [(TEXT, b"hullo"), date], False,
           edit_date=1234)
of_message("an edit in a channel, with markup", "updateEditChannelMessage", CLUB, 5,
           [(TEXT, b"hullo"), (ENTITIES, bold), date], True, edit_date=1234, entities=[bold])
which = con("messageMediaPhoto") + u64(31337)
of_message("a photo", "updateNewMessage", ME, 7, [(TEXT, b""), (MEDIA, which)], False, media=photo(31337, b"old"))
of_message("with another file reference", "updateNewMessage", ME, 7, [(TEXT, b""), (MEDIA, which)], False,
           media=photo(31337, b"newer reference"))
case("bot stopped", con("updateBotStopped") + u64(9) + u32(50) + con("boolTrue") + u32(61),
     name(QTS, int(IDS["updateBotStopped"], 16), 61))
case("a secret message", con("updateNewEncryptedMessage") + con("encryptedMessageService") + u64(123456789012)
     + u32(33) + u32(50) + string(b"secret") + u32(62), name(SECRET_CHAT, 33, 123456789012))
case("a callback query", con("updateBotCallbackQuery") + u32(0) + u64(88888) + u64(9) + peer("user", 9) + u32(4)
     + u64(3), name(QUERY, int(IDS["updateBotCallbackQuery"], 16), 88888))
case("a shipping query", con("updateBotShippingQuery") + u64(99999) + u64(9) + string(b"p") + con("postAddress")
     + string(b"a") * 6, name(QUERY, int(IDS["updateBotShippingQuery"], 16), 99999))
case("deleted messages", con("updateDeleteMessages") + con("vector") + u32(1) + u32(5) + u32(20) + u32(1), bytes(16))


def random_id(eid, mark, rest):
    return hmac.new(SECRET, eid + mark + rest, hashlib.sha256).digest()[:8]


def rows(b):
    return "\n".join('     "%s"' % b.hex()[i:i + 88] for i in range(0, len(b.hex()), 88))


out = ["/* Made by eid_reference.py. Secret: bytes 100 to 131; account 4711. */",
       "static const struct eid_vector {", "    const char *what;", "    const char *update;",
       "    const char *eid;", "    uint64_t content;", "} eid_vectors[] = {"]
for label, data, eid, hashed in cases:
    out += ['    {"%s",' % label, rows(data) + ",", '     "%s", UINT64_C(%d)},' % (eid.hex(), hashed)]
out += ["};", "/* random_id of answers to the first of them. */"]
first = cases[0][2]
out += ['#define EID_RANDOM_0 "%s"' % random_id(first, b"n", u64(0)).hex(),
        '#define EID_RANDOM_1 "%s"' % random_id(first, b"n", u64(1)).hex(),
        '#define EID_RANDOM_RECEIPT "%s"' % random_id(first, b"k", b"receipt").hex()]
text = "\n".join(out) + "\n"
if len(sys.argv) == 2:
    sys.stdout.write(text)
else:
    with open(sys.argv[-1], encoding="utf-8") as f:
        same = f.read() == text
    if not same:
        print("vectors_eid.h is not what this program prints")
    print("%d passed, %d failed" % (len(cases) if same else 0, 0 if same else 1))
    sys.exit(not same)
