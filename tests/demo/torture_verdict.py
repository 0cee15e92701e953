"""What an account must have got, and done, that was killed again and again: judged from the ledger of
gapless-dc, the lines that its lives wrote, and what their database held after each death. Shares
nothing with the library or the userbot's own verdict.

The rules:
  lost         every event that a difference can bring was delivered at least once, or was
               superseded: the ledger lists it as folded into a difference, and what it was about
               arrived in this or a later form.
               A query can't be brought again. It counts from the moment that it is in the journal:
               if it lay in gapless_inbox when a life had ended, or if it was pushed to a connected
               life that had a second or more to write it down, it must be delivered, then or later.
               (Nothing of this without a journal; status is never judged.)
  doubled      one life delivers nothing twice. Reads, pins and deletes have no identity: one that
               the journal brought again may come once more, marked, with a difference.
  unmarked     what an earlier life had delivered carries maybe_repeated when it comes again.
  run again    what was recorded as done, together with its count, is not delivered by a later life.
  out of order within a life, and over the first deliveries of all lives together: new messages of
               a chat by ascending id, an edit or delete after its message and after older edits,
               pushes of a chat in a sequence by ascending pts. What was delivered before and says
               maybe_repeated is passed over in the second of these: a life begins again where the
               watermark stood.
  counted      no row of userbot_count says anything but 1; there is one row for a message, qts event
               or query, never two; one for each delivered one that no difference folded; for the
               edits of a message at least those that were never folded, at most the texts that came.
  answered     of the messages that the account sent none is there twice, and each delivered message
               that no difference folded has its answer, but for those that the server refused.
  given up     what died with its process in ATTEMPTS lives may be a dead letter, and counts as
               handled then; nothing else may.
  left over    after a good end nothing waits in the journal.
  unknown, wrong text: nothing is delivered that the ledger does not know.
"""
import collections

KINDS = ("new_message", "edit_message", "delete_messages", "pin", "read", "qts")
QUERIES = ("callback_query",)
NAMELESS = ("read", "pin", "delete_messages")
ATTEMPTS = 5  # of an update, before it is given up
TIME_TO_WRITE_US = 1_000_000  # a push that came so long before its life's end was written down


def message_space(e):
    """Ids of messages are an account's own, or a channel's."""
    return e["box"] if e["box"].startswith("channel:") else "account"


def keys(e):
    """What an event is about: one key, deletes one for each id."""
    kind = e["kind"]
    if kind == "new_message":
        return [(kind, e["chat"], e["id"])]
    if kind == "edit_message":
        return [(kind, e["chat"], e["id"], e["text"])]
    if kind == "delete_messages":
        return [(kind, message_space(e), i) for i in e["ids"]]
    if kind == "pin":
        return [(kind, e["chat"], tuple(e["ids"]), e["pinned"])]
    if kind == "read":
        return [(kind, e["chat"], e["max_id"], e["outbox"])]
    if kind == "qts":
        return [(kind, e["qts"], e.get("chat"), e.get("id"))]
    return [(kind, e["query_id"])]


class Snapshot:
    """What the database held when a life had ended."""

    def __init__(self, counts=(), queries=(), inbox=0, dead=()):
        self.counts = list(counts)   # (kind, chat, id, count)
        self.queries = set(queries)  # ids of queries in the journal
        self.inbox = inbox           # rows of the journal
        self.dead = list(dead)       # (attempts, text of the message or None) of dead letters


class Life:
    """One process: what it wrote, and what it left."""

    def __init__(self, lines, end_us=0, snapshot=None, late_us=0):
        self.lines, self.end_us = lines, end_us
        self.snapshot = snapshot
        self.late_us = late_us  # its disk failed, and was tried again so much later

    def connected_us(self):
        """When it had certainly begun to receive; None: never."""
        return next((e["t_us"] for e in self.lines if e.get("via") not in (None, "journal")), None)


class Terms:
    """What was promised to this account."""

    def __init__(self, journal=True, counts=False, replies=False, steady=False, drained=False,
                 refused=0):
        self.journal, self.counts, self.replies = journal, counts, replies
        self.steady = steady    # no connection was cut
        self.drained = drained  # the last life had the time to handle everything
        self.refused = refused  # answers that the server refused: so many may be missing


class Event:
    """An event of the ledger and what became of it."""

    def __init__(self, e, is_before):
        self.e = e
        self.n = e["n"]
        self.is_before = is_before
        self.folded = False
        self.open = {k: [] for k in keys(e)}  # key -> lives that delivered it

    def delivered(self):
        return all(self.open.values())


class Ledger:
    """Events of an account, in order; `is_before` those from before its first state."""

    def __init__(self, lines, account):
        self.account = account
        self.events, self.by_key, self.by_pts = [], collections.defaultdict(list), {}
        self.messages = collections.defaultdict(list)  # (chat, id) -> its texts, in order
        self.pushed = collections.defaultdict(list)    # n -> when it went out
        self.sent = collections.Counter()              # (chat, text) of the account's own calls
        self.before_state = self.differences = 0
        base = self.find_base(lines)
        by_n = {}
        for index, e in enumerate(lines):
            if e["kind"] in KINDS + QUERIES and e["account"] in (account, None):
                by_n[e["n"]] = self.add(e, index < base)
        for e in lines:
            if e["kind"] == "push" and e["account"] == account and e["fate"] != "dropped":
                self.pushed[e["n"]].append(e["t_us"])
            if e["kind"] != "difference" or e["account"] != account:
                continue
            self.differences += 1
            for n in e["folded"]:
                if n in by_n:
                    by_n[n].folded = True
        self.folded = sum(1 for event in self.events if event.folded)

    def find_base(self, lines):
        """Index of the answer that the account's positions began with: what the ledger has before
        it was there already."""
        base = 0
        for index, e in enumerate(lines):
            if e["kind"] != "call" or e["account"] != self.account or e.get("error"):
                continue
            if e["method"] == "updates.getState":
                base = index
            if e["method"] == "updates.getDifference":
                break
        return base

    def add(self, e, is_before):
        event = Event(e, is_before)
        self.before_state += is_before
        self.events.append(event)
        for key in event.open:
            self.by_key[key].append(event)
        if e["box"] != "none":
            self.by_pts[(e["box"], e["pts"])] = event
        if "text" in e:
            self.messages[(e["chat"], e["id"])].append(e["text"])
        if e.get("via") == "call" and e["kind"] == "new_message":
            self.sent[(e["chat"], e["text"])] += 1
        return event


class Judge:
    """Collects problems: (what, text)."""

    def __init__(self, ledger_lines, lives, account, terms):
        self.ledger = Ledger(ledger_lines, account)
        self.terms = terms
        self.problems = []
        self.deliveries = self.repeated = self.replayed = 0
        self.arrived = collections.defaultdict(set)  # message -> texts that came
        self.edits = collections.defaultdict(set)    # the same, of edits
        self.done = set()                            # counted by an earlier life
        self.firsts = Order()
        for number, life in enumerate(lives):
            self.walk(number, life)
        self.complete()
        if terms.journal:
            self.check_queries(lives)
        last = next((v.snapshot for v in reversed(lives) if v.snapshot is not None), None)
        # Messages; a difference may have brought one with the text of a later edit.
        gone = {text for _, text in last.dead} if last is not None else set()
        self.given_up = {(e["chat"], e["id"]) for e in ledger_lines
                         if e["kind"] in ("new_message", "edit_message") and e["text"] in gone}
        if terms.counts and last is not None:
            self.check_counts(last)
        if terms.replies:
            self.check_answers()
        if last is not None:
            self.check_rest(last)

    def problem(self, what, e, life=None):
        where = "" if life is None else f" in life {life}"
        shown = {k: e[k] for k in ("n", "kind", "box", "pts", "chat", "id", "ids", "text", "max_id",
                                   "query_id", "via", "maybe_repeated") if k in e}
        self.problems.append((what, f"{what}{where}: {shown}"))

    # --- one life ---

    def walk(self, number, life):
        seen, replayed, order = set(), set(), Order()
        for e in life.lines:
            if e["kind"] not in KINDS + QUERIES:
                continue
            self.deliveries += 1
            self.replayed += e.get("via") == "journal"
            first, is_new = None, True
            for key in keys(e):
                event, sure = self.match(e, key, seen)
                if event is None:
                    self.problem("unknown", e, number)
                    continue
                first = first or event
                if (event.n, key) in seen:
                    if not (key in replayed and e.get("maybe_repeated")):
                        self.problem("doubled", e, number)
                    continue
                if e["kind"] in NAMELESS and e.get("via") == "journal":
                    replayed.add(key)
                seen.add((event.n, key))
                if event.open[key]:
                    self.repeated += 1
                    is_new = False
                    if sure and not e.get("maybe_repeated"):
                        self.problem("unmarked", e, number)
                event.open[key].append(number)
                if key in self.done:
                    self.problem("run again", e, number)
            if first is not None:
                self.note_text(e, number)
                for what in order.step(e, first):
                    self.problem("out of order: " + what, e, number)
                for what in self.firsts.step(e, first) if is_new else ():
                    self.problem("out of order over lives: " + what, e, number)
        if life.snapshot is not None:
            self.done.update(tuple(row[:3]) for row in life.snapshot.counts
                             if row[0] == "new_message")

    def match(self, e, key, seen):
        """The event that a delivery is, and whether that is sure. A difference says no pts: where
        several events are alike (a message is pinned, unpinned, and pinned again) the first one is
        taken that nobody has got, then one that this life has not got."""
        position = e.get("pts") or e.get("position")
        found = self.ledger.by_key.get(key, ())
        if position is not None:
            event = self.ledger.by_pts.get((e["box"], position))
            if event is None or key not in event.open:
                return None, True
            if (event.n, key) not in seen or len(found) == 1 or e["kind"] == "qts":
                return event, len(found) == 1 or e["kind"] == "qts"
        if not found:
            return None, True
        best = min(found, key=lambda v: ((v.n, key) in seen, bool(v.open[key]), v.folded, v.n))
        return best, len(found) == 1

    def note_text(self, e, number):
        if "text" not in e:
            return
        message = (e["chat"], e["id"])
        self.arrived[message].add(e["text"])
        if e["kind"] == "edit_message":
            self.edits[message].add(e["text"])
        elif e["text"] not in self.ledger.messages[message]:
            self.problem("wrong text", e, number)

    # --- all of them ---

    def complete(self):
        self.lost = self.superseded = 0
        for index, event in enumerate(self.ledger.events):
            if event.delivered() or event.is_before or event.e["kind"] in QUERIES:
                continue
            if event.folded and self.is_superseded(index, event.e):
                self.superseded += 1
            else:
                self.lost += 1
                self.problem("lost", event.e)

    def deleted(self, e, message):
        key = ("delete_messages", message_space(e), message)
        return any(v.open[key] for v in self.ledger.by_key.get(key, ()))

    def is_superseded(self, index, e):
        kind = e["kind"]
        later = [v for v in self.ledger.events[index + 1:]
                 if v.e["kind"] == kind and v.e["chat"] == e["chat"] and v.delivered()]
        if kind in ("new_message", "edit_message"):
            texts = self.ledger.messages[(e["chat"], e["id"])]
            fit = texts[texts.index(e["text"]):]
            return self.deleted(e, e["id"]) or bool(self.arrived[(e["chat"], e["id"])] & set(fit))
        if kind == "read":
            return any(v.e["max_id"] >= e["max_id"] and v.e["outbox"] == e["outbox"] for v in later)
        if kind == "pin":
            return bool(later) or any(self.deleted(e, i) for i in e["ids"])
        return False

    def check_queries(self, lives):
        owed = set()
        for life in lives:
            owed |= life.snapshot.queries if life.snapshot is not None else set()
        self.journalled = len(owed)
        for event in self.ledger.events:
            if event.e["kind"] not in QUERIES or event.delivered() or event.is_before:
                continue
            pushed = self.ledger.pushed[event.n] if self.terms.steady else ()
            if event.e["query_id"] in owed or any(self.had_time(life, t) for life in lives
                                                  for t in pushed):
                self.lost += 1
                self.problem("lost", event.e)

    @staticmethod
    def had_time(life, t_us):
        since = life.connected_us()
        return since is not None and since < t_us and \
            t_us + TIME_TO_WRITE_US + life.late_us < life.end_us

    def check_rest(self, snapshot):
        for attempts, text in snapshot.dead:
            if attempts < ATTEMPTS:
                self.problems.append(("given up", f"given up after {attempts} attempts: {text}"))
        if self.terms.drained and snapshot.inbox:
            self.problems.append(("left over", f"left over: {snapshot.inbox} in the journal"))

    def check_counts(self, snapshot):
        rows = collections.Counter()
        edits = collections.Counter()
        for kind, chat, number, count in snapshot.counts:
            e = {"kind": kind, "chat": chat, "id": number}
            if count != 1:
                self.problem("counted", dict(e, text=f"{count} times"))
            if kind == "edit_message":
                edits[(chat, number)] += 1
            elif kind == "new_message":
                rows[(kind, chat, number)] += 1
        for (kind, chat, number), count in rows.items():
            if count > 1:
                self.problem("counted", {"kind": kind, "chat": chat, "id": number,
                                         "text": f"as {count} events"})
        alone = collections.Counter()
        for event in self.ledger.events:
            e = event.e
            if event.folded or not event.delivered() or \
                    (e.get("chat"), e.get("id")) in self.given_up:
                continue
            if e["kind"] == "edit_message":
                alone[(e["chat"], e["id"])] += 1
            if e["kind"] == "new_message" and not rows[("new_message", e["chat"], e["id"])]:
                self.problem("counted", dict(e, text="not at all"))
        for chat, number in set(alone) | set(edits):
            here = edits[(chat, number)]
            if (chat, number) in self.given_up:
                continue
            if not alone[(chat, number)] <= here <= len(self.edits[(chat, number)]):
                self.problem("counted", {
                    "kind": "edit_message", "chat": chat, "id": number,
                    "text": f"{here} times, {alone[(chat, number)]} were never folded, "
                            f"{len(self.edits[(chat, number)])} came"})
        self.counted = len(snapshot.counts)
        # Their rows don't say which event it was. A query may have been seen, and lost by a kill.
        unnamed = sum(1 for _, text in snapshot.dead if text is None)
        for kind, least in (("qts", 1), ("callback_query", 0)):
            found = sum(1 for row in snapshot.counts if row[0] == kind)
            came = sum(1 for v in self.ledger.events if v.e["kind"] == kind and v.delivered())
            if not came * least - unnamed <= found <= came:
                self.problem("counted", {"kind": kind, "text": f"{found} rows, {came} came"})

    def wants_answer(self, event):
        e = event.e
        return e["kind"] == "new_message" and not e.get("out") and e.get("via") != "call" and \
            event.delivered() and not event.folded and (e["chat"], e["id"]) not in self.given_up

    def check_answers(self):
        sent = self.ledger.sent
        for (chat, text), times in sent.items():
            if times > 1:
                self.problem("answered", {"kind": "new_message", "chat": chat,
                                          "text": f"{times} times: {text}"})
        missing = [v.e for v in self.ledger.events if self.wants_answer(v)
                   and not sent[(v.e["chat"], f"got {v.e['id']}")]]
        for e in missing if len(missing) > self.terms.refused else ():
            self.problem("answered", dict(e, text="not at all"))
        self.answers = sum(sent.values())


class Order:
    """The order of deliveries."""

    def __init__(self):
        self.newest = {}   # chat -> highest new message
        self.pts = {}      # (box, chat) -> of the last push
        self.touched = {}  # message -> n of its newest edit
        self.gone = set()  # deleted messages

    def step(self, e, event):
        problems = []
        kind = e["kind"]
        if e.get("pts") and e.get("chat") is not None:
            lane = (e["box"], e["chat"])
            if e["pts"] <= self.pts.get(lane, 0):
                problems.append("pts")
            self.pts[lane] = e["pts"]
        if kind == "delete_messages":
            self.gone.update((message_space(e), i) for i in e["ids"])
        if kind not in ("new_message", "edit_message"):
            return problems
        message = (message_space(e), e["id"])
        if message in self.gone:
            problems.append("after its delete")
        if kind == "new_message":
            if e["id"] < self.newest.get(e["chat"], 0):
                problems.append("an older message")
            if message in self.touched:
                problems.append("after its edit")
            self.newest[e["chat"]] = max(e["id"], self.newest.get(e["chat"], 0))
        else:
            if event.n < self.touched.get(message, 0):
                problems.append("an older edit")
            self.touched[message] = max(event.n, self.touched.get(message, 0))
        return problems


def judge(ledger_lines, lives, account, terms):
    """A Judge whose `problems` is empty if all is well."""
    return Judge(ledger_lines, lives, account, terms)
