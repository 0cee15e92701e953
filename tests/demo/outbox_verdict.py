"""What must have become of messages that one process wrote into an outbox and another one sent, both
of them killed again and again: judged from the ledger of gapless-dc and from what the writing
process committed, in a table of its own, with each of its transactions. Shares nothing with the
library.

The rules:
  doubled      a post is created once, whatever became of answers, sessions and processes; a
               random_id creates one message in a chat.
  lost         each post that was committed is created, but for those that were taken back.
  pins         a pin that was committed happens once, not twice: a second one would be told to
               everybody again (doubled, lost).
  taken back   what was cancelled is never created; what was deleted is gone in the end; nothing
               else is deleted.
  unknown      nothing is created or edited whose text was not committed: rolled back, or written
               by a process that died before its commit.
  misplaced    a post is created in its own chat, under the random_id that was committed with it.
  out of order within a chat posts are created in the order in which they were committed.
  older edit   a message never goes back to an older version.
  wrong text   in the end each message has the last text that was committed for it.
  wrong link   a link leads to the message of the post that was named; in the end it is there, if
               that post has an address.
  too fast     of the account, and of each chat: between any two calls, however far apart, there are
               no more than rate x time + burst, all restarts included. JITTER_S is how much more
               time one call may take than another from the decision to the server.
  impatient    after FLOOD_WAIT_X nobody calls that method for that chat for X seconds, nor, when a
               second chat was refused meanwhile, that method at all; after SLOWMODE_WAIT_X nobody
               sends to that chat. Known to the process that got the answer, and to later ones if it
               lived for another LEARN_S; unless the session was lost while the answer was on its
               way.
"""
import collections

JITTER_S = 0.3
LEARN_S = 1.0
WINDOWS_S = (1, 2, 5, 10, 30, 60, 120)

SENDING = ("messages.sendMessage", "messages.sendMedia", "messages.forwardMessages")
METHODS = SENDING + ("messages.editMessage", "messages.deleteMessages", "channels.deleteMessages",
                     "messages.updatePinnedMessage", "messages.readHistory",
                     "channels.readHistory", "messages.sendReaction")
S = 1_000_000
ON_ITS_WAY_US = 50_000  # so long an answer may travel


class Said:
    """One thing that was committed. `op` is send (a row), put (a post), pin, cancel or
    remove."""

    def __init__(self, n, post, chat, op, text="", link=None, base="", random_id=0):
        self.n, self.post, self.chat, self.op = n, post, chat, op
        self.text = text
        self.link = link          # another post, or None
        self.base = base          # what addresses of this post begin with; "": it has none
        self.random_id = random_id  # 0: not known


class Rate:
    """`calls` in `seconds`, and `burst` of them at once."""

    def __init__(self, calls, seconds, burst):
        self.per_s, self.burst = calls / seconds, burst


class Terms:
    """What was promised."""

    def __init__(self, account, person, group, jitter_s=JITTER_S, learn_s=LEARN_S, settled=True):
        self.account, self.person, self.group = account, person, group
        self.jitter_s, self.learn_s = jitter_s, learn_s
        self.settled = settled  # the last life had the time for everything

    def of_chat(self, chat):
        return self.person if chat.startswith("user:") else self.group


class Post:
    """All that was said about one post."""

    def __init__(self, first):
        self.first, self.chat = first, first.chat
        self.versions = {}  # text -> its place among the versions
        self.links = set()  # posts that any of them names
        self.last = first
        self.cancelled = self.removed = False
        self.pins = 0

    def add(self, said):
        if said.op == "pin":
            self.pins += 1
        elif said.op == "cancel":
            self.cancelled = True
        elif said.op == "remove":
            self.removed = True
        else:
            self.versions.setdefault(said.text, len(self.versions))
            self.last = said
            if said.link is not None:
                self.links.add(said.link)


class Message:
    """One message of the ledger."""

    def __init__(self, e, post):
        self.e, self.post = e, post
        self.now = e       # its last event that says a text
        self.version = -1
        self.gone = False
        self.pins = 0


def space(e):
    """Ids of messages are an account's own, or a channel's."""
    return e["box"] if e["box"].startswith("channel:") else "account"


class Judge:
    """Collects problems: (what, text)."""

    def __init__(self, lines, said, lives, terms):
        self.lines, self.lives, self.terms = lines, lives, terms
        self.problems = []
        self.posts, self.by_text = {}, {}
        for s in said:
            self.posts.setdefault(s.post, Post(s)).add(s)
            if s.text:
                self.by_text[s.text] = s.post
        self.messages = {}                            # (space, id) -> Message
        self.created = collections.defaultdict(list)  # post -> Messages
        self.links = []                               # (event, post) to be looked at in the end
        self.edits = self.deleted = 0
        for e in lines:
            self.look_at(e)
        self.check_posts()
        self.check_order()
        self.check_links()
        self.calls = [c for c in lines if c["kind"] == "call" and c["method"] in METHODS]
        self.cuts = cuts_of(lines)
        self.calls.sort(key=lambda c: c["t_us"])
        self.check_windows()
        self.check_waits()

    def problem(self, what, text):
        self.problems.append((what, f"{what}: {text}"))

    # --- messages -------------------------------------------------------------------------------

    def look_at(self, e):
        if e.get("via") != "call":
            return
        if e["kind"] == "new_message":
            self.new_message(e)
        elif e["kind"] == "edit_message":
            self.edit_message(e)
        elif e["kind"] == "pin" and (space(e), e["id"]) in self.messages:
            self.messages[(space(e), e["id"])].pins += 1
        elif e["kind"] == "delete_messages":
            for i in e["ids"]:
                message = self.messages.get((space(e), i))
                if message is not None:
                    message.gone = True
                    self.deleted += 1

    def post_of(self, e):
        post = self.by_text.get(e["text"])
        if post is None:
            self.problem("unknown", f"nobody committed {shown(e)}")
        return post

    def new_message(self, e):
        post = self.post_of(e)
        if post is None:
            return
        message = Message(e, post)
        self.messages[(space(e), e["id"])] = message
        self.created[post].append(message)
        if self.posts[post].chat != e["chat"]:
            self.problem("misplaced", f"post {post} is for {self.posts[post].chat}: {shown(e)}")
        wanted = self.posts[post].first.random_id
        if wanted and wanted != e.get("random_id"):
            self.problem("misplaced", f"post {post} was committed with random_id {wanted}: "
                                      f"{shown(e)}")
        self.step(message, e)

    def edit_message(self, e):
        self.edits += 1
        post = self.post_of(e)
        message = self.messages.get((space(e), e["id"]))
        if post is None:
            return
        if message is None or message.post != post:
            self.problem("misplaced", f"post {post} became an edit of another message: {shown(e)}")
            return
        self.step(message, e)

    def step(self, message, e):
        """A message has this text now."""
        version = self.posts[message.post].versions[e["text"]]
        if version < message.version:
            self.problem("older edit", f"version {version} of post {message.post} after version "
                                       f"{message.version}: {shown(e)}")
        message.version, message.now = version, e
        if e.get("urls"):
            self.links.append((e, message.post))

    def check_posts(self):
        self.sent = 0
        for number, post in self.posts.items():
            found = self.created.get(number, [])
            self.sent += bool(found)
            if len(found) > 1:
                self.problem("doubled", f"post {number} is there {len(found)} times: "
                                        f"{[shown(m.e) for m in found]}")
            if found and post.cancelled:
                self.problem("taken back", f"post {number} was cancelled: {shown(found[0].e)}")
            if not found and not (post.cancelled or post.removed) and self.terms.settled:
                self.problem("lost", f"post {number} for {post.chat}: {post.last.text!r}")
            for message in found[:1]:
                self.check_end(number, post, message)
        self.check_random_ids()

    def check_end(self, number, post, message):
        if message.pins > post.pins:
            self.problem("doubled", f"post {number} was pinned {message.pins} times, to be pinned "
                                    f"{post.pins} times: {shown(message.e)}")
        elif message.pins < post.pins and self.terms.settled:
            self.problem("lost", f"post {number} was not pinned: {shown(message.e)}")
        if message.gone and not post.removed:
            self.problem("taken back", f"post {number} was deleted, and nobody wanted that")
        elif post.removed and not message.gone and self.terms.settled:
            self.problem("taken back", f"post {number} should be gone: {shown(message.e)}")
        elif not message.gone and message.now["text"] != post.last.text and self.terms.settled:
            self.problem("wrong text", f"post {number} should say {post.last.text!r}: "
                                       f"{shown(message.now)}")

    def check_random_ids(self):
        seen = collections.Counter((e["chat"], e["random_id"]) for e in self.lines
                                   if e["kind"] == "new_message" and e.get("via") == "call"
                                   and e.get("random_id"))
        for (chat, random_id), count in seen.items():
            if count > 1:
                self.problem("doubled", f"random_id {random_id} created {count} messages in {chat}")

    def check_order(self):
        newest = {}  # chat -> first Said of its newest message
        for e in self.lines:
            if e["kind"] != "new_message" or e.get("via") != "call":
                continue
            post = self.by_text.get(e["text"])
            if post is None or self.created[post][0].e is not e:
                continue
            n, before = self.posts[post].first.n, newest.get(e["chat"], 0)
            if n < before:
                self.problem("out of order", f"post {post} was committed before what was sent "
                                             f"before it: {shown(e)}")
            newest[e["chat"]] = max(n, before)

    def in_order(self):
        """The messages that are there in the end, by chat and id."""
        there = [found[0] for found in self.created.values() if not found[0].gone]
        return sorted(there, key=lambda m: (m.e["chat"], m.e["id"]))

    # --- links ----------------------------------------------------------------------------------

    def address(self, number):
        """Where a link to that post leads; None: nowhere."""
        found = self.created.get(number)
        if not found or not self.posts[number].first.base:
            return None
        return f"{self.posts[number].first.base}/{found[0].e['id']}"

    def check_links(self):
        for e, number in self.links:
            wanted = {self.address(other) for other in self.posts[number].links}
            for url in e["urls"]:
                if url not in wanted:
                    self.problem("wrong link", f"post {number} leads to {url}: {shown(e)}")
        for number, post in self.posts.items():
            found = self.created.get(number)
            if not found or found[0].gone or not self.terms.settled:
                continue
            address = None if post.last.link is None else self.address(post.last.link)
            urls = found[0].now.get("urls", [])
            if urls != ([] if address is None else [address]):
                self.problem("wrong link", f"post {number} should lead to {address}: "
                                           f"{shown(found[0].now)}")

    # --- limits ---------------------------------------------------------------------------------

    def check_windows(self):
        self.most = {}  # seconds -> (calls of the account, what was allowed)
        self.excess = float("-inf")  # the worst window, without any jitter; up to 0: none
        times = [c["t_us"] for c in self.calls]
        self.check_rate("the account", times, self.terms.account)
        for seconds in WINDOWS_S:
            self.most[seconds] = (most_in(times, seconds),
                                  int(self.terms.account.per_s * seconds) + self.terms.account.burst)
        by_chat = collections.defaultdict(list)
        for c in self.calls:
            if "peer" in c:
                by_chat[c["peer"]].append(c["t_us"])
        for chat, chat_times in by_chat.items():
            self.check_rate(chat, chat_times, self.terms.of_chat(chat))

    def check_rate(self, who, times, rate):
        """In every window: with the call i as its first and j as its last there are j - i + 1 calls.
        One problem for each excess, not for each window that has it in it."""
        lowest, at = None, 0
        for j, t in enumerate(times):
            level = j - rate.per_s * t / S
            if lowest is None or level < lowest:
                lowest, at = level, j
            excess = level + 1 - lowest - rate.burst
            self.excess = max(self.excess, excess)
            if excess > rate.per_s * self.terms.jitter_s + 1e-6:
                self.problem("too fast", f"{who}: {j - at + 1} calls in "
                                         f"{(t - times[at]) / S:.3f} s, up to {t}")
                lowest, at = None, 0

    # --- waits ----------------------------------------------------------------------------------

    def life_of(self, t_us):
        return next((i for i, (start, end) in enumerate(self.lives) if start <= t_us <= end), None)

    def is_known(self, refusal, t_us):
        """Did whoever made a call at that time know of the refusal?"""
        life = self.life_of(refusal["t_us"])
        if life is None or refusal.get("answer") or is_cut(refusal, self.cuts):
            return False
        if self.life_of(t_us) == life:
            return True
        came = refusal["t_us"] + refusal.get("late_us", 0)
        return came + self.terms.learn_s * S <= self.lives[life][1]

    def check_waits(self):
        self.refused = collections.Counter()
        gates = []  # (refusal, until, is it for all chats) while the time is not over
        for c in self.calls:
            now = c["t_us"]
            gates = [g for g in gates if g[1] > now]
            for refusal, until, is_for_all in gates:
                if self.is_shut(refusal, c) and self.is_known(refusal, now) or \
                        is_for_all and self.is_shut_for_all(refusal, c):
                    self.problem("impatient", f"{(until - now) / S:.3f} s before the end of "
                                              f"{refusal['error']} for {refusal.get('peer')}: {c}")
            name, _, seconds = (c.get("error") or "").rpartition("_")
            if name in ("FLOOD_WAIT", "SLOWMODE_WAIT"):
                self.refused[name] += 1
                is_second = name == "FLOOD_WAIT" and self.is_second(gates, c)
                gates.append((c, now + int(seconds) * S, is_second))

    @staticmethod
    def is_shut(refusal, c):
        if refusal.get("peer") != c.get("peer"):
            return False
        if refusal["error"].startswith("SLOWMODE"):
            return c["method"] in SENDING
        return refusal["method"] == c["method"]

    def is_second(self, gates, c):
        """Does another chat wait for the same method, and was that known?"""
        return any(first["method"] == c["method"] and first["error"].startswith("FLOOD_WAIT")
                   and first.get("peer") != c.get("peer") and self.is_known(first, c["t_us"])
                   and until > c["t_us"] + self.terms.learn_s * S for first, until, _ in gates)

    def is_shut_for_all(self, refusal, c):
        """What was under way when the second refusal came is no matter."""
        came = refusal["t_us"] + refusal.get("late_us", 0)
        return refusal["method"] == c["method"] and self.is_known(refusal, c["t_us"]) and \
            came + self.terms.learn_s * S < c["t_us"]


def cuts_of(lines):
    """When a connection ended together with its session."""
    return [c["t_us"] for c in lines if c["kind"] == "call" and c.get("answer") == "session_lost"]


def is_cut(refusal, cuts):
    """Was its answer lost on its way?"""
    came = refusal["t_us"] + refusal.get("late_us", 0)
    return any(refusal["t_us"] <= t <= came + ON_ITS_WAY_US for t in cuts)


def shown(e):
    return {k: e[k] for k in ("n", "kind", "chat", "id", "text", "urls", "random_id") if k in e}


def most_in(times, seconds):
    """The most calls of any window that long."""
    most = first = 0
    for last, t in enumerate(times):
        while times[first] <= t - seconds * S:
            first += 1
        most = max(most, last - first + 1)
    return most


def judge(lines, said, lives, terms):
    """A Judge whose `problems` is empty if all is well."""
    return Judge(lines, said, lives, terms)
