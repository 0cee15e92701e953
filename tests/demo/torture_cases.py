"""Does the verdict condemn what it has to? Handmade cases, each with what must be said of it, and
doctored records: what a run has brought, with one thing spoilt."""
import collections
import copy

from torture_verdict import KINDS, Life, Snapshot, Terms, judge, keys, message_space


# --- handmade -------------------------------------------------------------------------------

def new(n, pts, **more):
    return dict({"n": n, "kind": "new_message", "account": 1, "box": "common", "pts": pts,
                 "pts_count": 1, "chat": "user:5", "id": n, "text": f"t{n}", "t_us": n}, **more)


def got(e, **more):
    return dict({k: v for k, v in e.items() if k != "n"}, **dict({"via": "push"}, **more))


def unplaced(e, **more):
    return got(dict(e, pts=None), **more)


TWO = [new(1, 2), new(2, 3)]
EDIT = dict(new(3, 4), kind="edit_message", id=1, text="e1")
EDIT_2 = dict(new(4, 5), kind="edit_message", id=1, text="e2")
READ = {"n": 4, "kind": "read", "account": 1, "box": "common", "pts": 5, "chat": "user:5",
        "max_id": 2, "outbox": False}
LATER = dict(READ, n=5, pts=6, max_id=3)
FOLD = {"kind": "difference", "account": 1, "box": "common", "from": 1, "to": 9}
QUERY = {"n": 6, "kind": "callback_query", "account": 1, "box": "none", "pts": 0, "query_id": 77,
         "chat": "user:5", "t_us": 6}
QTS = {"n": 7, "kind": "qts", "account": 1, "box": "qts", "pts": 2, "chat": "user:5",
       "qts": "updateBotStopped", "t_us": 7}
PUSH = {"kind": "push", "n": 6, "account": 1, "fate": "sent", "t_us": 6}
FLAG = {"maybe_repeated": True}
ROWS = [("new_message", "user:5", 1, 1), ("new_message", "user:5", 2, 1)]
ANSWER = dict(new(8, 8), text="got 1", out=True, via="call")
ANSWER_2 = dict(new(9, 9), text="got 2", out=True, via="call")

BOTH = [got(e) for e in TWO]

# why, ledger, what each life wrote, what must be found
STREAMS = [
    ("all there", TWO, [[got(e) for e in TWO]], []),
    ("one lost", TWO, [[got(TWO[0])]], ["lost"]),
    ("two lives", TWO, [[got(TWO[0])], [got(TWO[1])]], []),
    ("repeated, flagged", TWO, [[got(TWO[0])], [unplaced(TWO[0], **FLAG), got(TWO[1])]], []),
    ("repeated, not flagged", TWO, [[got(TWO[0])], [got(TWO[0]), got(TWO[1])]], ["unmarked"]),
    ("twice in one life, flagged or not", TWO,
     [[got(TWO[0]), unplaced(TWO[0], **FLAG), got(TWO[1])]], ["doubled"]),
    ("a read from the journal, and once more", TWO + [READ],
     [BOTH, [unplaced(READ, via="journal", **FLAG), unplaced(READ, **FLAG)]], []),
    ("the same not marked", TWO + [READ],
     [BOTH, [unplaced(READ, via="journal", **FLAG), unplaced(READ)]], ["doubled"]),
    ("a message from the journal, and once more", TWO,
     [BOTH, [unplaced(TWO[0], via="journal", **FLAG), unplaced(TWO[0], **FLAG)]],
     ["doubled", "out of order over lives: an older message"]),
    ("swapped", TWO, [[got(TWO[1]), got(TWO[0])]],
     ["out of order: pts", "out of order: an older message",
      "out of order over lives: pts", "out of order over lives: an older message"]),
    ("of two chats in any order", [TWO[0], dict(TWO[1], chat="user:6")],
     [[got(dict(TWO[1], chat="user:6")), got(TWO[0])]], []),
    ("a later life gets an older message for the first time", TWO, [[got(TWO[1])], [got(TWO[0])]],
     ["out of order over lives: pts", "out of order over lives: an older message"]),
    ("a later life begins with repeats", TWO,
     [[got(e) for e in TWO], [unplaced(e, via="journal", **FLAG) for e in TWO]], []),
    ("not in the ledger", TWO, [[got(e) for e in TWO] + [got(new(9, 9))]], ["unknown"]),
    ("another text", TWO, [[got(TWO[0], text="x"), got(TWO[1])]], ["wrong text"]),
    ("edit before its message", TWO + [EDIT],
     [[unplaced(EDIT), unplaced(TWO[0]), unplaced(TWO[1])]],
     ["out of order: after its edit", "out of order over lives: after its edit"]),
    ("folded edit, message with its text", TWO + [EDIT, dict(FOLD, folded=[3])],
     [[unplaced(TWO[0], text="e1"), got(TWO[1])]], []),
    ("folded edit, message with the old text", TWO + [EDIT, dict(FOLD, folded=[3])],
     [[got(TWO[0]), got(TWO[1])]], ["lost"]),
    ("edit not folded, and missing", TWO + [EDIT], [[unplaced(TWO[0], text="e1"), got(TWO[1])]],
     ["lost"]),
    ("an older edit after a newer one, in a later life", TWO + [EDIT, EDIT_2],
     [[got(TWO[0]), got(TWO[1]), unplaced(EDIT_2)], [unplaced(EDIT)]],
     ["out of order over lives: an older edit"]),
    ("folded read, a later one came", TWO + [READ, LATER, dict(FOLD, folded=[4])],
     [[got(TWO[0]), got(TWO[1]), got(LATER)]], []),
    ("folded read, none came", TWO + [READ, dict(FOLD, folded=[4])],
     [[got(TWO[0]), got(TWO[1])]], ["lost"]),
    ("a query that nobody wrote down", TWO + [QUERY], [[got(e) for e in TWO]], []),
]

S = 1_000_000


def full(lines, end_us=0, **snapshot):
    return Life(lines, end_us, Snapshot(**snapshot))


# why, ledger, lives, terms, what must be found
RECORDS = [
    ("a journalled query comes", TWO + [QUERY],
     [full(BOTH, queries=[77]), full([got(QUERY, via="journal", **FLAG)])], {}, []),
    ("a journalled query never comes", TWO + [QUERY], [full(BOTH, queries=[77]), full([])], {},
     ["lost"]),
    ("the same without a journal", TWO + [QUERY], [full(BOTH, queries=[77]), full([])],
     {"journal": False}, []),
    ("a query that there was time for", TWO + [QUERY, PUSH], [full(BOTH, end_us=3 * S)],
     {"steady": True}, ["lost"]),
    ("a query that there was no time for", TWO + [QUERY, PUSH], [full(BOTH, end_us=S // 2)],
     {"steady": True}, []),
    ("a query that a failing disk took late", TWO + [QUERY, PUSH],
     [Life(BOTH, 3 * S // 2, Snapshot(), S)], {"steady": True}, []),
    ("and one that it had the time to take", TWO + [QUERY, PUSH],
     [Life(BOTH, 3 * S, Snapshot(), S)], {"steady": True}, ["lost"]),
    ("a query of a time with cuts", TWO + [QUERY, PUSH], [full(BOTH, end_us=3 * S)], {}, []),
    ("a query before the connection", TWO + [QUERY, PUSH],
     [full([got(e, t_us=9) for e in TWO], end_us=3 * S)], {"steady": True}, []),
    ("a query that was dropped", TWO + [QUERY, dict(PUSH, fate="dropped")],
     [full(BOTH, end_us=3 * S)], {"steady": True}, []),
    ("counted", TWO, [full(BOTH, counts=ROWS)], {"counts": True}, []),
    ("counted twice", TWO, [full(BOTH, counts=[ROWS[0], ROWS[1][:3] + (2,)])], {"counts": True},
     ["counted"]),
    ("not counted", TWO, [full(BOTH, counts=ROWS[:1])], {"counts": True}, ["counted"]),
    ("counted as two events", TWO, [full(BOTH, counts=ROWS + ROWS[:1])], {"counts": True},
     ["counted"]),
    ("not counted, and folded since", TWO + [dict(FOLD, folded=[2])],
     [full(BOTH, counts=ROWS[:1])], {"counts": True}, []),
    ("run again though counted", TWO,
     [full(BOTH, counts=ROWS), full([unplaced(TWO[0], **FLAG)], counts=ROWS)], {"counts": True},
     ["run again"]),
    ("run again, not counted yet", TWO,
     [full(BOTH, counts=ROWS[1:]), full([unplaced(TWO[0], **FLAG)], counts=ROWS)],
     {"counts": True}, []),
    ("an edit counted once", TWO + [EDIT],
     [full(BOTH + [got(EDIT)], counts=ROWS + [("edit_message", "user:5", 1, 1)])],
     {"counts": True}, []),
    ("an edit counted as two", TWO + [EDIT],
     [full(BOTH + [got(EDIT)], counts=ROWS + [("edit_message", "user:5", 1, 1)] * 2)],
     {"counts": True}, ["counted"]),
    ("an edit not counted", TWO + [EDIT], [full(BOTH + [got(EDIT)], counts=ROWS)],
     {"counts": True}, ["counted"]),
    ("a qts event not counted", TWO + [QTS],
     [full(BOTH + [got(QTS, position=2, pts=2)], counts=ROWS)], {"counts": True}, ["counted"]),
    ("a query seen and not counted", TWO + [QUERY], [full(BOTH + [got(QUERY)], counts=ROWS)],
     {"counts": True}, []),
    ("a query counted twice", TWO + [QUERY],
     [full(BOTH + [got(QUERY)], counts=ROWS + [("callback_query", None, None, 1)] * 2)],
     {"counts": True}, ["counted"]),
    ("answered", TWO + [ANSWER, ANSWER_2], [full(BOTH + [got(ANSWER), got(ANSWER_2)])],
     {"replies": True}, []),
    ("answered twice", TWO + [ANSWER, ANSWER_2, dict(ANSWER, n=10, id=10, pts=10)],
     [full(BOTH + [got(ANSWER), got(ANSWER_2), got(dict(ANSWER, id=10, pts=10))])],
     {"replies": True}, ["answered"]),
    ("not answered", TWO + [ANSWER], [full(BOTH + [got(ANSWER)])], {"replies": True},
     ["answered"]),
    ("not answered, refused", TWO + [ANSWER], [full(BOTH + [got(ANSWER)])],
     {"replies": True, "refused": 1}, []),
    ("not answered, and folded since", TWO + [ANSWER, dict(FOLD, folded=[2])],
     [full(BOTH + [got(ANSWER)])], {"replies": True}, []),
    ("something left in the journal", TWO, [full(BOTH, inbox=1)], {"drained": True},
     ["left over"]),
    ("something given up too early", TWO, [full(BOTH, dead=[(4, "t1")])], {}, ["given up"]),
    ("something given up", TWO, [full(BOTH, dead=[(5, "t1")], counts=ROWS[1:])],
     {"counts": True}, []),
    ("another given up", TWO, [full(BOTH, dead=[(5, "t1")], counts=ROWS[:1])],
     {"counts": True}, ["counted"]),
    ("given up, not answered", TWO + [ANSWER_2], [full(BOTH + [got(ANSWER_2)], dead=[(5, "t1")])],
     {"replies": True}, []),
]


def test_verdict(check):
    for why, ledger, lives, wanted in STREAMS:
        judged = judge(ledger, [Life(lines) for lines in lives], 1, Terms())
        found = [what for what, _ in judged.problems]
        check(sorted(found) == sorted(wanted), f"verdict, {why}: {found}, wanted {wanted}")
    for why, ledger, lives, terms, wanted in RECORDS:
        found = [what for what, _ in judge(ledger, lives, 1, Terms(**terms)).problems]
        check(sorted(found) == sorted(wanted), f"verdict, {why}: {found}, wanted {wanted}")


# --- doctored records: each must be found out ------------------------------------------------

class Record:
    """What a run has brought."""

    def __init__(self, ledger, lives, account, terms):
        self.ledger, self.lives, self.account, self.terms = ledger, lives, account, terms

    def judge(self):
        return judge(self.ledger, self.lives, self.account, self.terms)

    def copy(self):
        lives = [Life(list(v.lines), v.end_us, copy.deepcopy(v.snapshot), v.late_us)
                 for v in self.lives]
        return Record(list(self.ledger), lives, self.account, self.terms)

    def all_lines(self):
        return [(p, i, e) for p, life in enumerate(self.lives) for i, e in enumerate(life.lines)]

    def plain(self):
        """Where new messages are that were never edited or deleted."""
        edited = {(e["chat"], e["id"]) for e in self.ledger if e["kind"] == "edit_message"}
        deleted = {(message_space(e), i) for e in self.ledger if e["kind"] == "delete_messages"
                   for i in e["ids"]}
        return [(p, i, e) for p, i, e in self.all_lines() if e["kind"] == "new_message"
                and (e["chat"], e["id"]) not in edited
                and (message_space(e), e["id"]) not in deleted]


def counts_of(record):
    return collections.Counter(k for _, _, e in record.all_lines() if e["kind"] in KINDS
                               for k in keys(e))


def without_a_line(record, rng):
    """One that came once, and that nothing supersedes."""
    once = counts_of(record)
    picks = [(p, i) for p, i, e in record.plain() if once[keys(e)[0]] == 1]
    p, i = rng.choice(picks)
    del record.lives[p].lines[i]
    return "lost"


def with_a_double(record, rng):
    picks = [(p, i) for p, i, e in record.all_lines()
             if e["kind"] in ("new_message", "edit_message")]
    p, i = rng.choice(picks)
    lines = record.lives[p].lines
    lines.insert(rng.randint(i + 1, len(lines)), lines[i])
    return "doubled"


def pairs(record):
    """Two new messages of one chat that one life got, one after the other."""
    for p, life in enumerate(record.lives):
        last = {}
        for i, e in enumerate(life.lines):
            if e["kind"] == "new_message":
                if e["chat"] in last:
                    yield p, last[e["chat"]], i
                last[e["chat"]] = i


def with_a_swap(record, rng):
    p, i, j = rng.choice(list(pairs(record)))
    lines = record.lives[p].lines
    lines[i], lines[j] = lines[j], lines[i]
    return "out of order: an older message"


def with_a_late_first(record, rng):
    """What came first in one life comes first in a later one."""
    once = counts_of(record)
    last = len(record.lives) - 1
    picks = [(p, i) for p, i, j in pairs(record) if p < last
             and once[keys(record.lives[p].lines[i])[0]] == 1]
    if not picks:
        return None
    p, i = rng.choice(picks)
    record.lives[last].lines.append(dict(record.lives[p].lines.pop(i), pts=None, **FLAG))
    return "out of order over lives: an older message"


def without_a_flag(record, rng):
    """A repetition that does not say so."""
    seen, picks = set(), []
    for p, life in enumerate(record.lives):
        for i, e in enumerate(life.lines):
            if e["kind"] in ("new_message", "edit_message") and keys(e)[0] in seen:
                picks.append((p, i))
        seen.update(k for e in life.lines if e["kind"] in KINDS for k in keys(e))
    if not picks:
        return None
    p, i = rng.choice(picks)
    lines = record.lives[p].lines
    lines[i] = {k: v for k, v in lines[i].items() if k != "maybe_repeated"}
    return "unmarked"


def with_a_second_answer(record, rng):
    picks = [e for e in record.ledger if e.get("via") == "call" and e["kind"] == "new_message"]
    if not record.terms.replies or not picks:
        return None
    record.ledger.append(rng.choice(picks))
    return "answered"


def without_an_answer(record, rng):
    """To a message that was not given up: nobody misses one to those."""
    given_up = record.judge().given_up
    folded = {n for e in record.ledger if e["kind"] == "difference" for n in e["folded"]}
    asked = {(e["chat"], f"got {e['id']}") for e in record.ledger
             if e["kind"] == "new_message" and e["n"] not in folded
             and (e["chat"], e["id"]) not in given_up}
    picks = [e for e in record.ledger if e.get("via") == "call" and e["kind"] == "new_message"
             and (e["chat"], e["text"]) in asked]
    if not record.terms.replies or record.terms.refused or not picks:
        return None
    record.ledger.remove(rng.choice(picks))
    return "answered"


def with_a_second_count(record, rng):
    counts = record.lives[-1].snapshot.counts if record.terms.counts else []
    if not counts:
        return None
    i = rng.randrange(len(counts))
    counts[i] = tuple(counts[i][:3]) + (2,)
    return "counted"


def without_a_count(record, rng):
    """Of a message that was not given up, nor an edit of it: nobody misses its count."""
    given_up = record.judge().given_up
    folded = {n for e in record.ledger if e["kind"] == "difference" for n in e["folded"]}
    wanted = {("new_message", e["chat"], e["id"]) for e in record.ledger
              if e["kind"] == "new_message" and e["n"] not in folded}
    counts = record.lives[-1].snapshot.counts if record.terms.counts else []
    picks = [row for row in counts if tuple(row[:3]) in wanted and tuple(row[1:3]) not in given_up]
    if not picks:
        return None
    counts.remove(rng.choice(picks))
    return "counted"


def run_after_its_count(record, rng):
    """A life gets what an earlier one had counted."""
    if not record.terms.counts:
        return None
    counted = {tuple(row[:3]) for life in record.lives[:-1] if life.snapshot is not None
               for row in life.snapshot.counts}
    there = {keys(e)[0] for e in record.lives[-1].lines if e["kind"] == "new_message"}
    picks = [e for _, _, e in record.all_lines() if e["kind"] == "new_message"
             and keys(e)[0] in counted and keys(e)[0] not in there]
    if not picks:
        return None
    record.lives[-1].lines.append(dict(rng.choice(picks), pts=None, **FLAG))
    return "run again"


def without_a_query(record, rng):
    """One that lay in the journal."""
    owed = {q for life in record.lives if life.snapshot is not None
            for q in life.snapshot.queries}
    picks = [e["query_id"] for _, _, e in record.all_lines()
             if e["kind"] == "callback_query" and e["query_id"] in owed]
    if not record.terms.journal or not picks:
        return None
    gone = rng.choice(picks)
    for life in record.lives:
        life.lines = [e for e in life.lines if e.get("query_id") != gone]
    return "lost"


def with_a_hasty_end(record, _rng):
    """Given up at the first failure."""
    if record.lives[-1].snapshot is None:
        return None
    record.lives[-1].snapshot.dead.append((1, None))
    return "given up"


def with_a_rest(record, _rng):
    if not record.terms.drained or record.lives[-1].snapshot is None:
        return None
    record.lives[-1].snapshot.inbox = 1
    return "left over"


DOCTORS = (without_a_line, with_a_double, with_a_swap, with_a_late_first, without_a_flag,
           with_a_second_answer, without_an_answer, with_a_second_count, without_a_count,
           run_after_its_count, without_a_query, with_a_hasty_end, with_a_rest)
