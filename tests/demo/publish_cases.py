"""Does the verdict on a published folder condemn what it has to? Handmade cases, each with what must
be said of it, and doctored records: what a run has brought, with one thing spoilt."""
import copy

from publish_verdict import Life, Part, judge


# --- handmade -------------------------------------------------------------------------------

def part(note, text, number=1, chat="channel:7", marks=()):
    return Part(note, number, note + ".md", chat, "https://t.me/c/7", text, list(marks))


def life(*parts, broken=(), delete=False, status=0, began=0):
    return Life(began, {p.note + (f"#{p.number}" if p.number > 1 else ""): p for p in parts},
                set(broken), delete, status)


def new(n, text, number=None, chat="channel:7", **more):
    return dict({"kind": "new_message", "box": chat, "chat": chat, "id": number or n, "text": text,
                 "random_id": 100 + n, "via": "call", "t_us": n}, **more)


def edit(n, number, text, **more):
    return dict(new(n, text, number, **more), kind="edit_message", random_id=None)


def gone(n, *numbers):
    return {"kind": "delete_messages", "box": "channel:7", "chat": "channel:7", "ids": numbers,
            "via": "call", "t_us": n}


A, B, A2 = part("a", "one"), part("b", "two"), part("a", "one, part two", 2)
NEWER = part("a", "one more")
LEADING = part("b", "two", marks=[("Bold", 0, 1, None), ("TextUrl", 0, 3, "a")])
BOTH = [new(1, "one"), new(2, "two")]
LED = dict(new(2, "two"), marks="Bold 0+1, TextUrl 0+3", urls=["https://t.me/c/7/1"])
KILLED = -9

# why, ledger, lives, what must be found
CASES = [
    ("all there", BOTH, [life(A, B)], []),
    ("one lost", BOTH[:1], [life(A, B)], ["lost"]),
    ("one twice", BOTH + [new(3, "two")], [life(A, B)], ["doubled"]),
    ("one twice under one random_id", BOTH + [new(3, "two", random_id=102)], [life(A, B)],
     ["doubled", "doubled"]),
    ("as a second message in a later version", BOTH + [new(3, "one more")],
     [life(A, B), life(NEWER, B)], ["doubled", "wrong text"]),
    ("in another chat", [BOTH[0], new(2, "two", chat="channel:8")], [life(A, B)], ["misplaced"]),
    ("what nobody wrote", BOTH + [new(3, "three")], [life(A, B)], ["unknown"]),
    ("an edit that nobody wrote", BOTH + [edit(3, 1, "three")], [life(A, B)],
     ["unknown"]),
    ("swapped", [new(1, "two"), new(2, "one")], [life(A, B)], ["out of order"]),
    ("the later one was there earlier", [new(1, "two"), new(2, "one")], [life(B), life(A, B)], []),
    ("the later one may have been there earlier", [new(1, "two"), new(2, "one")],
     [life(B, status=KILLED), life(A, B)], []),
    ("the earlier one was there earlier", [new(1, "two"), new(2, "one")], [life(A), life(A, B)],
     ["out of order"]),
    ("parts swapped", [new(1, "one, part two"), new(2, "one")], [life(A, A2)], ["out of order"]),
    ("edited", BOTH + [edit(3, 1, "one more")], [life(A, B), life(NEWER, B)], []),
    ("not edited", BOTH, [life(A, B), life(NEWER, B)], ["wrong text"]),
    ("an older version again", BOTH + [edit(3, 1, "one more"), edit(4, 1, "one"),
                                       edit(5, 1, "one more")],
     [life(A, B), life(NEWER, B)], ["older edit"]),
    ("back to what it was", BOTH + [edit(3, 1, "one more"), edit(4, 1, "one")],
     [life(A, B), life(NEWER, B), life(A, B)], []),
    ("an edit of another message", BOTH + [edit(3, 2, "one more")], [life(A, B), life(NEWER, B)],
     ["misplaced", "wrong text"]),
    ("linked", [BOTH[0], LED], [life(A, LEADING)], []),
    ("never linked", BOTH, [life(A, LEADING)], ["wrong link"]),
    ("linked to something else", [BOTH[0], dict(LED, urls=["https://t.me/c/7/2"])],
     [life(A, LEADING)], ["wrong link", "wrong link"]),
    ("without its marks", [BOTH[0], dict(LED, marks="TextUrl 0+3")], [life(A, LEADING)],
     ["wrong text"]),
    ("removed, and left", BOTH, [life(A, B), life(B)], []),
    ("removed, and deleted", BOTH + [gone(3, 1)], [life(A, B), life(B)], ["taken back", "lost"]),
    ("deleted", BOTH + [gone(3, 1)], [life(A, B), life(B, delete=True)], []),
    ("not deleted", BOTH, [life(A, B), life(B, delete=True)], ["taken back"]),
    ("deleted before it was sent", BOTH[1:], [life(A, B, status=KILLED), life(B, delete=True)], []),
    ("deleted by a life that was killed", BOTH + [gone(3, 1)],
     [life(A, B), life(B, delete=True, status=KILLED), life(B)], []),
    ("deleted too early", BOTH + [gone(3, 1)], [life(A, B), life(B, delete=True, began=9)],
     ["taken back"]),
    ("removed before it was sent", BOTH[1:], [life(A, B, status=KILLED), life(B)], []),
    ("deleted and put back", BOTH + [gone(3, 1), new(4, "one")],
     [life(A, B), life(B, delete=True), life(A, B)], []),
    ("put back, and twice there", BOTH + [new(4, "one")],
     [life(A, B), life(B, delete=True), life(A, B)], ["doubled"]),
    ("put back twice", BOTH + [gone(3, 1), new(4, "one"), gone(5, 4), new(6, "one")],
     [life(A, B), life(B, delete=True), life(A, B)], ["doubled"]),
    ("put back, and sent again", BOTH + [new(4, "one")], [life(A, B), life(B), life(A, B)],
     ["doubled"]),
    ("became shorter", [BOTH[0], new(2, "one, part two"), gone(3, 2)], [life(A, A2), life(A)], []),
    ("became shorter, and its part is there", [BOTH[0], new(2, "one, part two")],
     [life(A, A2), life(A)], ["taken back"]),
    ("broken, and left alone", BOTH, [life(A, B), life(B, broken="a", delete=True)], []),
    ("broken, and deleted", BOTH + [gone(3, 1)], [life(A, B), life(B, broken="a", delete=True)],
     ["taken back", "lost"]),
    ("another's message was deleted", BOTH + [gone(3, 9)], [life(A, B)], ["unknown"]),
    ("sent again later", BOTH + [edit(1001, 1, "one")], [life(A, B)], ["restless"]),
    ("called again later", BOTH + [{"kind": "call", "method": "messages.editMessage",
                                    "t_us": 1001}], [life(A, B)], ["restless"]),
]


def test_verdict(check):
    for why, lines, lives, wanted in CASES:
        found = [what for what, _ in judge(lines, lives, 1000).problems]
        check(sorted(found) == sorted(wanted), f"verdict, {why}: {found}, wanted {wanted}")


# --- doctored records: each must be found out ------------------------------------------------

class Record:
    """What a run has brought."""

    def __init__(self, lines, lives, quiet_us):
        self.lines, self.lives, self.quiet_us = lines, lives, quiet_us

    def judge(self):
        return judge(self.lines, self.lives, self.quiet_us)

    def copy(self):
        return Record(list(self.lines), [copy.copy(v) for v in self.lives], self.quiet_us)

    def made(self, kind="new_message"):
        return [i for i, e in enumerate(self.lines) if e["kind"] == kind and e.get("via") == "call"]

    def final(self):
        """Places of the last events of those that are there in the end."""
        last = {id(m.now) for k, m in self.judge().there.items() if k in self.lives[-1].parts}
        return [i for i, e in enumerate(self.lines) if id(e) in last]

    def alone(self):
        """Places of messages that came once and were never edited or deleted."""
        return [i for i in self.final() if self.lines[i]["kind"] == "new_message"]


def with_a_double(record, rng):
    e = record.lines[rng.choice(record.alone())]
    record.lines.append(dict(e, id=9_000_000, random_id=12345))
    return "doubled"


def with_a_second_use(record, rng):
    """Of a random_id."""
    chats = {}
    for i in record.made():
        chats.setdefault(record.lines[i]["chat"], []).append(i)
    i, k = rng.sample(max(chats.values(), key=len), 2)
    record.lines[i] = dict(record.lines[i], random_id=record.lines[k]["random_id"])
    return "doubled"


def without_a_message(record, rng):
    del record.lines[rng.choice(record.alone())]
    return "lost"


def with_a_stranger(record, rng):
    i = rng.choice(record.made())
    record.lines.append(dict(record.lines[i], id=9_000_000, random_id=12345,
                             text=record.lines[i]["text"] + " and more"))
    return "unknown"


def in_another_chat(record, rng):
    i = rng.choice(record.made())
    record.lines[i] = dict(record.lines[i], chat="channel:1")
    return "misplaced"


def with_a_swap(record, rng):
    """Two messages of one chat, one after the other, with their ids."""
    chats = {}
    for i in record.made():
        chats.setdefault(record.lines[i]["chat"], []).append(i)
    for places in sorted(chats.values()):
        for i, k in zip(places, places[1:]):
            spoilt = record.copy()
            a, b = spoilt.lines[i], spoilt.lines[k]
            spoilt.lines[i], spoilt.lines[k] = dict(b, id=a["id"]), dict(a, id=b["id"])
            if any(w == "out of order" for w, _ in spoilt.judge().problems):
                record.lines = spoilt.lines
                return "out of order"
    return None


def without_its_last_edit(record, rng):
    texts, picks, last = {}, [], set(record.final())
    for i, e in enumerate(record.lines):
        if e.get("via") == "call" and e["kind"] in ("new_message", "edit_message"):
            if i in last and texts.get((e["box"], e["id"])) not in (None, e["text"]):
                picks.append(i)
            texts[(e["box"], e["id"])] = e["text"]
    if not picks:
        return None
    del record.lines[rng.choice(picks)]
    return "wrong text"


def with_an_old_edit_again(record, rng):
    first = {}
    for i in record.made() + record.made("edit_message"):
        first.setdefault((record.lines[i]["box"], record.lines[i]["id"]), record.lines[i]["text"])
    picks = [i for i in record.final() if record.lines[i]["kind"] == "edit_message" and
             first[(record.lines[i]["box"], record.lines[i]["id"])] != record.lines[i]["text"]]
    if not picks:
        return None
    e = record.lines[rng.choice(picks)]
    record.lines.append(dict(e, text=first[(e["box"], e["id"])], urls=[]))
    return "older edit"


def without_a_mark(record, rng):
    picks = [i for i in record.final() if record.lines[i].get("marks")]
    i = rng.choice(picks)
    record.lines[i] = dict(record.lines[i], marks="")
    return "wrong text"


def with_a_wrong_link(record, rng):
    picks = [i for i in record.final() if record.lines[i].get("urls")]
    i = rng.choice(picks)
    record.lines[i] = dict(record.lines[i], urls=[record.lines[i]["urls"][0] + "9"] +
                           record.lines[i]["urls"][1:])
    return "wrong link"


def without_a_link(record, rng):
    picks = [i for i in record.final() if record.lines[i].get("urls")]
    i = rng.choice(picks)
    record.lines[i] = dict(record.lines[i], urls=record.lines[i]["urls"][1:])
    return "wrong link"


def with_a_deleted_one(record, rng):
    """One that was in the folder all the time."""
    always = {key for key in record.lives[0].parts
              if all(key in v.parts or not v.may_delete(key) for v in record.lives)}
    there = [m.now for k, m in record.judge().there.items()
             if k in always and k in record.lives[-1].parts]
    e = rng.choice(there)
    record.lines.append({"kind": "delete_messages", "box": e["box"], "chat": e["chat"],
                         "ids": [e["id"]], "via": "call", "t_us": e["t_us"]})
    return "taken back"


def without_a_deletion(record, rng):
    """Of what must be gone in the end."""
    for i in reversed(record.made("delete_messages")):
        spoilt = record.copy()
        del spoilt.lines[i]
        if any(w == "taken back" for w, _ in spoilt.judge().problems):
            record.lines = spoilt.lines
            return "taken back"
    return None


def with_a_late_call(record, rng):
    e = rng.choice([c for c in record.lines if c["kind"] == "call" and "peer" in c])
    record.lines.append(dict(e, t_us=record.quiet_us + 1))
    return "restless"


DOCTORS = (with_a_double, with_a_second_use, without_a_message, with_a_stranger, in_another_chat,
           with_a_swap, without_its_last_edit, with_an_old_edit_again, without_a_mark,
           with_a_wrong_link, without_a_link, with_a_deleted_one, without_a_deletion,
           with_a_late_call)
