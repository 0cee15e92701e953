"""What must have become of a folder of notes that was published by processes that were killed, and
changed between their lives: judged from the ledger of gapless-dc and from what the folder held when
each life began. Shares nothing with the library.

The rules:
  doubled      a part of a note is created once; again only if a life could have deleted it since
               (with --delete, or because its note had become shorter). A random_id creates one
               message in a chat.
  lost         in the end each part of each note is there; so is what was gone from the folder
               without --delete after a life had told that all was in step.
  taken back   nothing is deleted but what a life could delete; in the end that is gone.
  unknown      nothing is created or edited that the folder never said.
  misplaced    a part is created in its note's chat, and never becomes another part.
  out of order within a chat, what the folder had earlier is created earlier, in the order of paths,
               part by part.
  older edit   a message never goes back to an older version.
  wrong text   in the end each message says what the folder says, with its marks.
  wrong link   a link leads to a message that its note's target was; in the end to the one it is.
  restless     a further run changes nothing.
"""
import collections

SENDS = ("messages.sendMessage", "messages.editMessage", "messages.deleteMessages",
         "channels.deleteMessages")


class Part:
    """What one message is to be. Marks are (name, offset, length, key of the note it leads to)."""

    def __init__(self, note, number, path, chat, base, text, marks):
        self.note, self.number, self.path = note, number, path
        self.chat, self.base = chat, base  # what addresses begin with; "": there are none
        self.text, self.marks = text, marks

    @property
    def place(self):
        return self.path.encode(), self.number


class Life:
    """What the folder held when a process began, and how that ended."""

    def __init__(self, began_us, parts, broken, delete, status=None):
        self.began_us, self.delete, self.status = began_us, delete, status
        self.parts = parts    # key -> Part
        self.broken = broken  # keys of notes that could not be read: left alone
        self.notes = {p.note for p in parts.values()}

    def may_delete(self, key):
        """A part that is not there any more, by its key."""
        note = key.split("#")[0]
        if key in self.parts or note in self.broken:
            return False
        return self.delete or note in self.notes


class Message:
    def __init__(self, e, key):
        self.key, self.now = key, e
        self.id = e["id"]


def space(e):
    """Ids of messages are an account's own, or a channel's."""
    return e["box"] if e["box"].startswith("channel:") else "account"


class Judge:
    """Collects problems: (what, text). The last of the lives was left alone and ended well; what
    happens after `quiet_us` is the further run's."""

    def __init__(self, lines, lives, quiet_us):
        self.lines, self.lives, self.quiet_us = lines, lives, quiet_us
        self.problems = []
        self.versions = collections.defaultdict(list)  # key -> [(life, Part)]
        self.by_text = collections.defaultdict(set)
        for i, life in enumerate(lives):
            for key, part in life.parts.items():
                self.versions[key].append((i, part))
                self.by_text[part.text].add(key)
        self.messages = {}                             # (space, id) -> Message, while it is there
        self.there = {}                                # key -> Message
        self.made = collections.defaultdict(list)      # key -> events
        self.at = collections.defaultdict(int)         # key -> life whose version it has
        self.edits = self.deleted = 0
        self.calls = [e for e in lines if e["kind"] == "call" and e["method"] in SENDS]
        for e in lines:
            if e.get("via") == "call":
                self.look_at(e)
        self.check_ends()
        self.check_order()
        self.check_random_ids()
        self.check_quiet()

    def problem(self, what, text):
        self.problems.append((what, f"{what}: {text}"))

    # --- as it happened -------------------------------------------------------------------------

    def look_at(self, e):
        if e["kind"] == "new_message":
            self.new_message(e)
        elif e["kind"] == "edit_message":
            self.edit_message(e)
        elif e["kind"] == "delete_messages":
            for number in e["ids"]:
                self.delete_message(e, number)
        else:
            self.problem("unknown", f"nobody asked for {shown(e)}")

    def new_message(self, e):
        keys = sorted(self.by_text.get(e["text"], ()))
        if not keys:
            self.problem("unknown", f"no note says {shown(e)}")
            return
        key = next((k for k in keys if k not in self.there), keys[0])
        if key in self.there:
            self.problem("doubled", f"{key} is message {self.there[key].id} already: {shown(e)}")
        elif len(self.made.get(key, ())) >= self.allowed(key):
            self.problem("doubled", f"{key} was there {len(self.made[key])} times: {shown(e)}")
        if self.versions[key][0][1].chat != e["chat"]:
            self.problem("misplaced", f"{key} is for {self.versions[key][0][1].chat}: {shown(e)}")
        self.made[key].append(e)
        message = Message(e, key)
        self.messages[(space(e), e["id"])] = message
        self.there.setdefault(key, message)
        self.step(message, e)

    def edit_message(self, e):
        self.edits += 1
        message = self.messages.get((space(e), e["id"]))
        keys = self.by_text.get(e["text"], ())
        if not keys:
            self.problem("unknown", f"no note says {shown(e)}")
        elif message is None or message.key not in keys:
            self.problem("misplaced", f"{sorted(keys)} became an edit of "
                                      f"{message and message.key}: {shown(e)}")
        else:
            self.step(message, e)

    def step(self, message, e):
        """A message has this text now."""
        key = message.key
        version = next((i for i, part in self.versions[key]
                        if i >= self.at[key] and part.text == e["text"]), None)
        if version is None:
            self.problem("older edit", f"{key} had the version of life {self.at[key]}: {shown(e)}")
        else:
            self.at[key] = version
        message.now = e
        wanted = {target for _, part in self.versions[key] for _, _, _, target in part.marks}
        for url in e.get("urls", []):
            if not any(url in self.addresses(target) for target in wanted):
                self.problem("wrong link", f"{key} leads to {url}: {shown(e)}")

    def delete_message(self, e, number):
        message = self.messages.pop((space(e), number), None)
        if message is None:
            self.problem("unknown", f"{number} is no note's message: {shown(e)}")
            return
        self.deleted += 1
        first = self.versions[message.key][0][0]
        if not any(life.may_delete(message.key) and life.began_us <= e["t_us"]
                   for life in self.lives[first:]):
            self.problem("taken back", f"{message.key} was deleted, and nobody wanted that")
        if self.there.get(message.key) is message:
            del self.there[message.key]

    # --- what may be ----------------------------------------------------------------------------

    def allowed(self, key):
        """How often it may be created: once for each time it came into the folder anew."""
        count, is_in = 0, False
        for life in self.lives:
            if key in life.parts:
                count += not is_in
                is_in = True
            elif life.may_delete(key):
                is_in = False
        return count

    def addresses(self, key):
        """All that its message had, newest last."""
        if key not in self.versions or not self.versions[key][0][1].base:
            return []
        return [f"{self.versions[key][0][1].base}/{e['id']}" for e in self.made.get(key, ())]

    # --- in the end -----------------------------------------------------------------------------

    def check_ends(self):
        last = self.lives[-1]
        for key, part in last.parts.items():
            message = self.there.get(key)
            if message is None:
                self.problem("lost", f"{key} for {part.chat}: {part.text[:60]!r}")
            else:
                self.check_end(key, part, message.now)
        for key in self.versions:
            if key in last.parts:
                continue
            if last.may_delete(key):
                if key in self.there:
                    self.problem("taken back", f"{key} should be gone: {shown(self.there[key].now)}")
            elif self.was_settled(key) and key not in self.there:
                self.problem("lost", f"{key} was gone from the folder, and its message is")

    def was_settled(self, key):
        """Was it there for certain, and never to be deleted since?"""
        is_there = False
        for life in self.lives:
            if key in life.parts:
                is_there = is_there or life.status == 0
            elif life.may_delete(key):
                is_there = False
        return is_there

    def check_end(self, key, part, e):
        marks, urls = [], []
        for name, offset, length, target in part.marks:
            if target is not None:
                address = self.addresses(target) if target in self.there else []
                if not address:
                    continue
                urls.append(address[-1])
            marks.append(f"{name} {offset}+{length}")
        if e["text"] != part.text:
            self.problem("wrong text", f"{key} should say {part.text[:300]!r}: {shown(e)}")
        elif e.get("urls", []) != urls:
            self.problem("wrong link", f"{key} should lead to {urls}: {shown(e)}")
        elif e.get("marks", "") != ", ".join(marks):
            self.problem("wrong text", f"{key} should have the marks {marks}: {shown(e)}")

    def check_order(self):
        """Of what was never gone again, and is created for the first time."""
        chats = collections.defaultdict(list)
        for key, events in self.made.items():
            first = self.versions[key][0][0]
            places = {part.place for _, part in self.versions[key]}
            if len(places) == 1 and all(key in life.parts for life in self.lives[first:]):
                chats[events[0]["chat"]].append((events[0]["id"], first, places.pop(), key))
        for found in chats.values():
            found.sort()
            for i, (_, first, place, key) in enumerate(found):
                for _, other_first, other_place, other in found[i + 1:]:
                    if other_first <= first and other_place < place:
                        self.problem("out of order", f"{key} was created before {other}")

    def check_random_ids(self):
        seen = collections.Counter((e["chat"], e["random_id"]) for events in self.made.values()
                                   for e in events if e.get("random_id"))
        for (chat, random_id), count in seen.items():
            if count > 1:
                self.problem("doubled", f"random_id {random_id} created {count} messages in {chat}")

    def check_quiet(self):
        late = [e for e in self.lines if e.get("t_us", 0) > self.quiet_us and
                (e.get("via") == "call" or e["kind"] == "call" and e["method"] in SENDS)]
        if late:
            self.problem("restless", f"a further run made {len(late)} calls: {shown(late[0])}")


def shown(e):
    return {k: e[k] for k in ("kind", "method", "chat", "peer", "id", "ids", "text", "marks", "urls")
            if k in e}


def judge(lines, lives, quiet_us):
    """A Judge whose `problems` is empty if all is well."""
    return Judge(lines, lives, quiet_us)
