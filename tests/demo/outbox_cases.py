"""Does the verdict on sends condemn what it has to? Handmade cases, each with what must be said of
it, and doctored records: what a run has brought, with one thing spoilt."""
import copy

from outbox_verdict import METHODS, SENDING, Rate, S, Said, Terms, cuts_of, is_cut, judge

TERMS = Terms(Rate(10, 1, 4), Rate(1, 1, 2), Rate(2, 1, 2), jitter_s=0.01)
CHAT, OTHER, PERSON = "channel:7", "channel:8", "user:5"


# --- handmade -------------------------------------------------------------------------------

def new(n, number, text, chat=CHAT, **more):
    box = chat if chat.startswith("channel:") else "common"
    return dict({"n": n, "kind": "new_message", "account": 1, "box": box, "chat": chat, "id": number,
                 "text": text, "out": True, "random_id": 100 + n, "via": "call", "t_us": n}, **more)


def edit(n, number, text, **more):
    return dict(new(n, number, text, **more), kind="edit_message", random_id=None)


def gone(n, number, chat=CHAT):
    return {"n": n, "kind": "delete_messages", "box": chat, "chat": chat, "ids": [number],
            "via": "call", "t_us": n}


def call(seconds, chat=CHAT, method="messages.sendMessage", **more):
    return dict({"kind": "call", "account": 1, "method": method, "peer": chat,
                 "t_us": int(seconds * S)}, **more)


def calls(times, *args, **more):
    return [call(t, *args, **more) for t in times]


def pin(n, number, **more):
    return dict({"n": n, "kind": "pin", "box": CHAT, "chat": CHAT, "id": number, "ids": [number],
                 "pinned": True, "via": "call", "t_us": n}, **more)


FIRST = Said(1, 1, CHAT, "send", "one", base="https://t.me/c/7")
SECOND = Said(2, 2, CHAT, "put", "two")
SAID = [FIRST, SECOND]
NEWER = Said(3, 1, CHAT, "send", "one more")
NEWEST = Said(4, 1, CHAT, "send", "one at last")
LINKED = Said(2, 2, CHAT, "put", "two", link=1)
BOTH = [new(1, 1, "one"), new(2, 2, "two")]
ADDRESS = {"urls": ["https://t.me/c/7/1"]}

# why, ledger, what was committed, what must be found
MESSAGES = [
    ("all there", BOTH, SAID, []),
    ("one lost", BOTH[:1], SAID, ["lost"]),
    ("one twice", BOTH + [new(3, 3, "two")], SAID, ["doubled"]),
    ("one twice under one random_id", BOTH + [new(3, 3, "two", random_id=102)], SAID,
     ["doubled", "doubled"]),
    ("a later version as a second message", BOTH + [new(3, 3, "one more")], SAID + [NEWER],
     ["doubled", "wrong text"]),
    ("swapped", [new(1, 1, "two"), new(2, 2, "one")], SAID, ["out of order"]),
    ("of two chats in any order", [new(1, 1, "two", OTHER), new(2, 1, "one")],
     [FIRST, Said(2, 2, OTHER, "put", "two")], []),
    ("never committed", BOTH + [new(3, 3, "three")], SAID, ["unknown"]),
    ("an edit that was never committed", BOTH + [edit(3, 1, "three")], SAID, ["unknown"]),
    ("in another chat", [new(1, 1, "one", OTHER), BOTH[1]], SAID, ["misplaced"]),
    ("under another random_id", BOTH, [Said(1, 1, CHAT, "send", "one", random_id=9), SECOND],
     ["misplaced"]),
    ("under its random_id", BOTH, [Said(1, 1, CHAT, "send", "one", random_id=101), SECOND], []),
    ("edited", BOTH + [edit(3, 1, "one more")], SAID + [NEWER], []),
    ("edited before it was sent", [new(1, 1, "one more"), BOTH[1]], SAID + [NEWER], []),
    ("not edited", BOTH, SAID + [NEWER], ["wrong text"]),
    ("only the last of two edits", BOTH + [edit(3, 1, "one at last")], SAID + [NEWER, NEWEST], []),
    ("the older edit last", BOTH + [edit(3, 1, "one at last"), edit(4, 1, "one more")],
     SAID + [NEWER, NEWEST], ["older edit", "wrong text"]),
    ("the older edit in between",
     BOTH + [edit(3, 1, "one at last"), edit(4, 1, "one more"), edit(5, 1, "one at last")],
     SAID + [NEWER, NEWEST], ["older edit"]),
    ("an edit of another message", BOTH + [edit(3, 2, "one more")], SAID + [NEWER],
     ["misplaced", "wrong text"]),
    ("linked", [BOTH[0], dict(BOTH[1], **ADDRESS)], [FIRST, LINKED], []),
    ("linked by an edit", BOTH + [edit(3, 2, "two", **ADDRESS)], [FIRST, LINKED], []),
    ("never linked", BOTH, [FIRST, LINKED], ["wrong link"]),
    ("linked to something else", [BOTH[0], dict(BOTH[1], urls=["https://t.me/c/7/2"])],
     [FIRST, LINKED], ["wrong link", "wrong link"]),
    ("linked without a wish", [BOTH[0], dict(BOTH[1], **ADDRESS)], SAID,
     ["wrong link", "wrong link"]),
    ("named, but it has no address", BOTH, [Said(1, 1, CHAT, "send", "one"), LINKED], []),
    ("pinned", BOTH + [pin(3, 1)], SAID + [Said(3, 1, CHAT, "pin")], []),
    ("pinned twice", BOTH + [pin(3, 1), pin(4, 1)], SAID + [Said(3, 1, CHAT, "pin")], ["doubled"]),
    ("not pinned", BOTH + [pin(3, 2, via="push")], SAID + [Said(3, 1, CHAT, "pin")], ["lost"]),
    ("pinned without a wish", BOTH + [pin(3, 1)], SAID, ["doubled"]),
    ("cancelled", BOTH[:1], SAID + [Said(3, 2, CHAT, "cancel")], []),
    ("cancelled, and sent", BOTH, SAID + [Said(3, 2, CHAT, "cancel")], ["taken back"]),
    ("deleted", BOTH + [gone(3, 2)], SAID + [Said(3, 2, CHAT, "remove")], []),
    ("deleted before it was sent", BOTH[:1], SAID + [Said(3, 2, CHAT, "remove")], []),
    ("not deleted", BOTH, SAID + [Said(3, 2, CHAT, "remove")], ["taken back"]),
    ("deleted without a wish", BOTH + [gone(3, 2)], SAID, ["taken back"]),
]

FLOOD = {"error": "FLOOD_WAIT_3"}
SLOW = {"error": "SLOWMODE_WAIT_3"}
EDITS = "messages.editMessage"
LIVES = [(0, 100 * S)]
SOON, LATER = [(0, int(1.2 * S)), (int(1.3 * S), 100 * S)], [(0, 3 * S), (int(3.1 * S), 100 * S)]

# why, calls, lives, what must be found
CALLS = [
    ("a burst and then in step", calls((1, 1, 1.5, 2, 2.5)), LIVES, []),
    ("one more at once", calls((1, 1, 1)), LIVES, ["too fast"]),
    ("a second burst after a pause that was too short", calls((1, 1, 1.5, 1.6)), LIVES,
     ["too fast"]),
    ("a second burst after a restart", calls((1, 1, 1.4, 1.4)), SOON, ["too fast"]),
    ("slowly too fast", calls(1 + 0.4 * i for i in range(8)), LIVES, ["too fast"]),
    ("a person has a rate of its own", calls((1, 1, 1.5), PERSON), LIVES, ["too fast"]),
    ("many chats, together too fast", [call(1, f"channel:{i}") for i in range(5)], LIVES,
     ["too fast"]),
    ("many chats, in step", [call(1 + i / 10, f"channel:{i}") for i in range(50)], LIVES, []),
    ("refused calls count", calls((1, 1, 1), method=EDITS, error="MESSAGE_ID_INVALID"), LIVES,
     ["too fast"]),
    ("others don't", calls((1, 1, 1, 1), method="users.getUsers"), LIVES, []),
    ("waited", calls((1,), **FLOOD) + calls((4.1,)), LIVES, []),
    ("did not wait", calls((1,), **FLOOD) + calls((3.9,)), LIVES, ["impatient"]),
    ("another method, another chat", calls((1,), **FLOOD) + [call(2, method=EDITS), call(2, OTHER)],
     LIVES, []),
    ("forgotten over a restart", calls((1,), **FLOOD) + calls((3.9,)), LATER, ["impatient"]),
    ("killed before it could know", calls((1,), **FLOOD) + calls((3.9,)), SOON, []),
    ("the answer never came", calls((1,), answer="dropped", **FLOOD) + calls((3.9,)), LIVES, []),
    ("the connection was cut before the answer came", calls((1,), late_us=50000, **FLOOD) +
     [call(1.02, OTHER, answer="session_lost")] + calls((3.9,)), LIVES, []),
    ("a session was lost long before", [call(0.5, OTHER, answer="session_lost")] +
     calls((1,), **FLOOD) + calls((3.9,)), LIVES, ["impatient"]),
    ("the answer came too late for this life", calls((1,), late_us=1900000, **FLOOD) +
     calls((3.9,)), LATER, []),
    ("slow mode holds sends back", calls((1,), **SLOW) + calls((3.9,)), LIVES, ["impatient"]),
    ("and forwards", calls((1,), **SLOW) + calls((3.9,), method="messages.forwardMessages"), LIVES,
     ["impatient"]),
    ("but no edits", calls((1,), **SLOW) + calls((3.9,), method=EDITS), LIVES, []),
    ("two chats are refused: the method waits",
     [call(1, **FLOOD), call(2.5, OTHER, **FLOOD), call(4.5, "channel:9")], LIVES, ["impatient"]),
    ("until the second may",
     [call(1, **FLOOD), call(2.5, OTHER, **FLOOD), call(5.6, "channel:9")], LIVES, []),
    ("one chat is refused twice",
     [call(1, **FLOOD), call(4.1, **FLOOD), call(5.5, "channel:9")], LIVES, []),
]


def test_verdict(check):
    for why, lines, said, wanted in MESSAGES:
        found = [what for what, _ in judge(lines, said, LIVES, TERMS).problems]
        check(sorted(found) == sorted(wanted), f"verdict, {why}: {found}, wanted {wanted}")
    for why, lines, lives, wanted in CALLS:
        found = [what for what, _ in judge(lines, [], lives, TERMS).problems]
        check(found == wanted, f"verdict, {why}: {found}, wanted {wanted}")
    open_end = Terms(TERMS.account, TERMS.person, TERMS.group, settled=False)
    found = [what for what, _ in judge(BOTH[:1], SAID + [NEWER], LIVES, open_end).problems]
    check(not found, f"verdict, not through yet: {found}")


# --- doctored records: each must be found out ------------------------------------------------

class Record:
    """What a run has brought."""

    def __init__(self, lines, said, lives, terms):
        self.lines, self.said, self.lives, self.terms = lines, said, lives, terms

    def judge(self):
        return judge(self.lines, self.said, self.lives, self.terms)

    def copy(self):
        return Record(list(self.lines), [copy.copy(s) for s in self.said], self.lives, self.terms)

    def made(self, kind="new_message"):
        return [i for i, e in enumerate(self.lines) if e["kind"] == kind and e.get("via") == "call"]

    def calls(self):
        return [i for i, e in enumerate(self.lines) if e["kind"] == "call"
                and e["method"] in METHODS and "peer" in e]

    def taken_back(self):
        """Texts of what is not there in the end."""
        posts = {s.post for s in self.said if s.op in ("cancel", "remove")}
        return {s.text for s in self.said if s.post in posts}


def with_a_double(record, rng):
    i = rng.choice(record.made())
    record.lines.append(dict(record.lines[i], id=9_000_000, random_id=12345))
    return "doubled"


def with_a_second_use(record, rng):
    """Of a random_id, by another post."""
    picks = [i for i in record.made() if record.lines[i]["text"] not in record.taken_back()]
    i, k = rng.sample(picks, 2)
    record.lines[i] = dict(record.lines[i], random_id=record.lines[k]["random_id"],
                           chat=record.lines[k]["chat"])
    return "doubled"


def without_a_message(record, rng):
    picks = [i for i in record.made() if record.lines[i]["text"] not in record.taken_back()]
    del record.lines[rng.choice(picks)]
    return "lost"


def with_a_swap(record, rng):
    """Two messages of one chat, one after the other, created in the wrong order."""
    last, pairs = {}, []
    for i in record.made():
        chat = record.lines[i]["chat"]
        if chat in last:
            pairs.append((last[chat], i))
        last[chat] = i
    if not pairs:
        return None
    i, k = rng.choice(pairs)
    record.lines[i], record.lines[k] = record.lines[k], record.lines[i]
    return "out of order"


def with_a_stranger(record, rng):
    """What a process wrote that died before its commit."""
    i = rng.choice(record.made())
    record.lines.append(dict(record.lines[i], id=9_000_000, random_id=12345,
                             text=record.lines[i]["text"] + " rolled back"))
    return "unknown"


def in_another_chat(record, rng):
    i = rng.choice(record.made())
    record.lines[i] = dict(record.lines[i], chat="channel:1")
    return "misplaced"


def with_an_old_edit_again(record, rng):
    """After the newest version of a message comes an older one."""
    edited = [i for i in record.made("edit_message")]
    rng.shuffle(edited)
    for i in edited:
        e = record.lines[i]
        before = next((record.lines[k] for k in record.made() if k < i
                       and record.lines[k]["box"] == e["box"]
                       and record.lines[k]["id"] == e["id"]), None)
        if before is not None and before["text"] != e["text"]:
            record.lines.append(dict(e, text=before["text"]))
            return "older edit"
    return None


def without_its_last_edit(record, rng):
    last = {}
    for i in record.made("edit_message"):
        last[(record.lines[i]["box"], record.lines[i]["id"])] = i
    texts = {}  # what a message said before
    picks = []
    for i, e in enumerate(record.lines):
        if e.get("via") != "call" or e["kind"] not in ("new_message", "edit_message"):
            continue
        key = (e["box"], e["id"])
        if last.get(key) == i and texts.get(key) not in (None, e["text"]) and \
                e["text"] not in record.taken_back():
            picks.append(i)
        texts[key] = e["text"]
    if not picks:
        return None
    del record.lines[rng.choice(picks)]
    return "wrong text"


def with_a_wrong_link(record, rng):
    picks = [i for i in record.made() + record.made("edit_message") if record.lines[i].get("urls")]
    if not picks:
        return None
    i = rng.choice(picks)
    record.lines[i] = dict(record.lines[i], urls=[record.lines[i]["urls"][0] + "9"])
    return "wrong link"


def with_a_cancelled_one(record, rng):
    """It was taken back before it was begun, and is there."""
    i = rng.choice(record.made())
    post = next(s for s in record.said if s.text == record.lines[i]["text"])
    record.said.append(Said(10**9, post.post, post.chat, "cancel"))
    return "taken back"


def with_a_deleted_one(record, rng):
    picks = [i for i in record.made() if record.lines[i]["text"] not in record.taken_back()]
    e = record.lines[rng.choice(picks)]
    record.lines.append({"kind": "delete_messages", "box": e["box"], "chat": e["chat"],
                         "ids": [e["id"]], "via": "call", "t_us": e["t_us"]})
    return "taken back"


def with_a_second_pin(record, rng):
    picks = record.made("pin")
    if not picks:
        return None
    record.lines.append(dict(record.lines[rng.choice(picks)]))
    return "doubled"


def without_a_pin(record, rng):
    picks = record.made("pin")
    if not picks:
        return None
    del record.lines[rng.choice(picks)]
    return "lost"


def with_a_burst(record, rng):
    """Of one chat."""
    e = record.lines[rng.choice(record.calls())]
    burst = record.terms.of_chat(e["peer"])
    more = int(burst.burst + burst.per_s * record.terms.jitter_s) + 1
    record.lines.extend([dict(e, error="RPC_CALL_FAIL")] * more)
    return "too fast"


def with_more_than_the_account(record, rng):
    """Each chat is within its limits."""
    e = record.lines[rng.choice(record.calls())]
    rate = record.terms.account
    more = int(rate.burst + rate.per_s * record.terms.jitter_s) + 1
    record.lines.extend(dict(e, peer=f"channel:{i}", error="RPC_CALL_FAIL") for i in range(more))
    return "too fast"


def impatient(record, rng, name, methods):
    """A call in the middle of a wait that was known."""
    picks = []
    cuts = cuts_of(record.lines)
    for i in record.calls():
        e = record.lines[i]
        kind, _, seconds = (e.get("error") or "").rpartition("_")
        at = e["t_us"] + int(seconds or 0) * S // 2 if kind == name else 0
        if at and "answer" not in e and not is_cut(e, cuts) and \
                any(a <= e["t_us"] and at <= b for a, b in record.lives):
            picks.append((e, at))
    if not picks:
        return None
    e, at = rng.choice(picks)
    clean = {k: v for k, v in e.items() if k not in ("error", "late_us")}
    record.lines.append(dict(clean, method=rng.choice(methods) if methods else e["method"],
                             t_us=at))
    return "impatient"


def in_a_flood_wait(record, rng):
    return impatient(record, rng, "FLOOD_WAIT", ())


def in_a_slow_mode_wait(record, rng):
    return impatient(record, rng, "SLOWMODE_WAIT", SENDING)


DOCTORS = (with_a_double, with_a_second_use, without_a_message, with_a_swap, with_a_stranger,
           in_another_chat, with_an_old_edit_again, without_its_last_edit, with_a_wrong_link,
           with_a_cancelled_one, with_a_deleted_one, with_a_second_pin, without_a_pin, with_a_burst,
           with_more_than_the_account,
           in_a_flood_wait, in_a_slow_mode_wait)
