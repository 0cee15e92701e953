"""What a client that was killed again and again must have delivered, judged from the ledger of
gapless-dc and its own output, process by process. Shares nothing with the userbot's own verdict.

The rules:
  - every event that a difference can bring was delivered at least once, or was superseded: the
    ledger lists it as folded into a difference, and what it was about arrived in this or a later
    form (callback queries and status can't be brought again: they are outside);
  - what an earlier process had delivered carries maybe_repeated when a later one delivers it;
  - one process delivers nothing twice; within it, new messages of a chat come by ascending id, an
    edit or delete after its message and after older edits, pushes of a sequence by ascending pts;
  - nothing is delivered that the ledger does not know, and texts are the ledger's.
"""
import collections

KINDS = ("new_message", "edit_message", "delete_messages", "pin", "read", "qts")
UNFETCHABLE = ("callback_query",)


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


class Event:
    """An event of the ledger and what became of it."""

    def __init__(self, e):
        self.e = e
        self.n = e["n"]
        self.folded = False
        self.open = {k: [] for k in keys(e)}  # key -> processes that delivered it

    def delivered(self):
        return all(self.open.values())


class Ledger:
    """Events of an account, in order; without those from before its first state."""

    def __init__(self, lines, account):
        self.account = account
        self.events, self.by_key, self.by_pts = [], collections.defaultdict(list), {}
        self.messages = collections.defaultdict(list)  # (chat, id) -> its texts, in order
        self.before_state = 0
        self.differences = self.folded = 0
        base = self.find_base(lines)
        by_n = {}
        for index, e in enumerate(lines):
            if e["kind"] in KINDS + UNFETCHABLE and e["account"] in (account, None):
                by_n[e["n"]] = self.add(e, index < base)
        for e in lines:
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
        event = Event(e)
        event.is_before = is_before
        self.before_state += is_before
        self.events.append(event)
        for key in event.open:
            self.by_key[key].append(event)
        if e["box"] != "none":
            self.by_pts[(e["box"], e["pts"])] = event
        if "text" in e:
            self.messages[(e["chat"], e["id"])].append(e["text"])
        return event


class Judge:
    """Collects problems: (what, text)."""

    def __init__(self, ledger_lines, processes, account):
        self.ledger = Ledger(ledger_lines, account)
        self.problems = []
        self.deliveries = self.repeated = 0
        self.arrived = collections.defaultdict(set)  # message -> texts that came
        for number, lines in enumerate(processes):
            self.walk(number, lines)
        self.complete()

    def problem(self, what, e, process=None):
        where = "" if process is None else f" in process {process}"
        shown = {k: e[k] for k in ("n", "kind", "box", "pts", "chat", "id", "ids", "text", "max_id",
                                   "via", "maybe_repeated") if k in e}
        self.problems.append((what, f"{what}{where}: {shown}"))

    # --- one process ---

    def walk(self, number, lines):
        seen, order = set(), Order()
        for e in lines:
            if e["kind"] not in KINDS + UNFETCHABLE:
                continue
            self.deliveries += 1
            first = None
            for key in keys(e):
                event, sure = self.match(e, key, seen)
                if event is None:
                    self.problem("unknown", e, number)
                    continue
                first = first or event
                if (event.n, key) in seen:
                    self.problem("doubled", e, number)
                    continue
                seen.add((event.n, key))
                if event.open[key] and sure and not e.get("maybe_repeated"):
                    self.problem("repeated without maybe_repeated", e, number)
                self.repeated += bool(event.open[key])
                event.open[key].append(number)
            if first is not None:
                self.check_text(e, number)
                if "text" in e:
                    self.arrived[(e["chat"], e["id"])].add(e["text"])
                for what in order.step(e, first):
                    self.problem(what, e, number)

    def match(self, e, key, seen):
        """The event that a delivery is, and whether that is sure. A difference says no pts: where
        several events are alike (a message is pinned, unpinned, and pinned again) the first one is
        taken that nobody has got, then one that this process has not got."""
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

    def check_text(self, e, number):
        if e["kind"] != "new_message":
            return
        if e["text"] not in self.ledger.messages[(e["chat"], e["id"])]:
            self.problem("wrong text", e, number)

    # --- all of them ---

    def complete(self):
        self.lost = self.superseded = 0
        for index, event in enumerate(self.ledger.events):
            if event.delivered() or event.is_before or event.e["kind"] in UNFETCHABLE:
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


class Order:
    """The order within one process."""

    def __init__(self):
        self.newest = {}   # chat -> highest new message
        self.pts = {}      # box -> of the last push
        self.touched = {}  # message -> n of its newest edit
        self.gone = set()  # deleted messages

    def step(self, e, event):
        problems = []
        kind = e["kind"]
        if e.get("pts") is not None:
            if e["pts"] <= self.pts.get(e["box"], 0):
                problems.append("out of order: pts")
            self.pts[e["box"]] = e["pts"]
        if kind == "delete_messages":
            self.gone.update((message_space(e), i) for i in e["ids"])
        if kind not in ("new_message", "edit_message"):
            return problems
        message = (message_space(e), e["id"])
        if message in self.gone:
            problems.append("out of order: after its delete")
        if kind == "new_message":
            if e["id"] < self.newest.get(e["chat"], 0):
                problems.append("out of order: an older message")
            if message in self.touched:
                problems.append("out of order: after its edit")
            self.newest[e["chat"]] = max(e["id"], self.newest.get(e["chat"], 0))
        else:
            if event.n < self.touched.get(message, 0):
                problems.append("out of order: an older edit")
            self.touched[message] = max(event.n, self.touched.get(message, 0))
        return problems


def judge(ledger_lines, processes, account):
    """A Judge whose `problems` is empty if all is well."""
    return Judge(ledger_lines, processes, account)


# --- doctored outputs: each must be found out ------------------------------------------------

def copy_of(processes):
    return [list(lines) for lines in processes]


def counts(processes):
    found = collections.Counter()
    for lines in processes:
        for e in lines:
            if e["kind"] in KINDS:
                found.update(keys(e))
    return found


def without_a_line(processes, rng):
    """One that came once, and that nothing supersedes (qts events and unedited messages)."""
    once = counts(processes)
    busy = {k[1:3] for k in once if k[0] == "edit_message"}
    gone = {k[1:] for k in once if k[0] == "delete_messages"}
    picks = [(p, i) for p, lines in enumerate(processes) for i, e in enumerate(lines)
             if e["kind"] == "new_message" and once[keys(e)[0]] == 1
             and (e["chat"], e["id"]) not in busy and (message_space(e), e["id"]) not in gone]
    doctored = copy_of(processes)
    p, i = rng.choice(picks)
    del doctored[p][i]
    return doctored, "lost"


def with_a_double(processes, rng):
    picks = [(p, i) for p, lines in enumerate(processes) for i, e in enumerate(lines)
             if e["kind"] in ("new_message", "edit_message")]
    doctored = copy_of(processes)
    p, i = rng.choice(picks)
    doctored[p].insert(rng.randint(i + 1, len(doctored[p])), doctored[p][i])
    return doctored, "doubled"


def with_a_swap(processes, rng):
    """Two new messages of one chat change places."""
    picks = []
    for p, lines in enumerate(processes):
        last = {}
        for i, e in enumerate(lines):
            if e["kind"] == "new_message":
                if e["chat"] in last:
                    picks.append((p, last[e["chat"]], i))
                last[e["chat"]] = i
    doctored = copy_of(processes)
    p, i, j = rng.choice(picks)
    doctored[p][i], doctored[p][j] = doctored[p][j], doctored[p][i]
    return doctored, "out of order: an older message"


def without_a_flag(processes, rng):
    """A repetition that does not say so; None if nothing was repeated."""
    seen, picks = set(), []
    for p, lines in enumerate(processes):
        for i, e in enumerate(lines):
            if e["kind"] in ("new_message", "edit_message") and keys(e)[0] in seen:
                picks.append((p, i))
        seen.update(k for e in lines if e["kind"] in KINDS for k in keys(e))
    if not picks:
        return None
    doctored = copy_of(processes)
    p, i = rng.choice(picks)
    doctored[p][i] = {k: v for k, v in doctored[p][i].items() if k != "maybe_repeated"}
    return doctored, "repeated without maybe_repeated"


DOCTORS = (without_a_line, with_a_double, with_a_swap, without_a_flag)
