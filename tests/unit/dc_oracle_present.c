/*
 * dc_oracle_present.c - the present: two books compared, and what the calls that look at it show.
 */
#include "dc_oracle.h"

void oracle_same_messages(const struct oracle_judge *j, struct oracle_book *has,
                          struct oracle_book *must, int64_t store, bool rebuilt)
{
    for (size_t i = 0; i < must->entry_count; i++) {
        struct oracle_entry *m = &must->entries[i];
        struct oracle_entry *h = oracle_find(has, store, m->id, false);
        if (m->store != store || (m->deleted && rebuilt && h == NULL)) continue;
        oracle_must(j, h != NULL, "message %d of %lld is missing", m->id, (long long)store);
        oracle_must(j, h->deleted == m->deleted, "message %d of %lld: deleted %d, not %d", m->id,
                    (long long)store, h->deleted, m->deleted);
        if (m->deleted) continue;
        oracle_must(j, h->known == m->known && strcmp(h->text, m->text) == 0,
                    "message %d of %lld reads '%s', not '%s'", m->id, (long long)store, h->text,
                    m->text);
        oracle_must(j, oracle_same(h->chat, m->chat), "message %d in another chat", m->id);
        oracle_must(j, h->pinned == m->pinned, "message %d of %lld: pinned %d", m->id,
                    (long long)store, h->pinned);
    }
    /* A client that asks to delete what was gone before its time may note that. */
    for (size_t i = 0; i < has->entry_count; i++) {
        const struct oracle_entry *h = &has->entries[i];
        if (h->store != store || (h->deleted && !h->known)) continue;
        oracle_must(j, oracle_find(must, store, h->id, false) != NULL,
                    "message %d of %lld is too much", h->id, (long long)store);
    }
}

/* New messages came in their order, once; only what was deleted since may not have come. */
void oracle_same_news(const struct oracle_judge *j, const struct oracle_book *has,
                      struct oracle_book *must, int64_t store)
{
    size_t at = 0;

    for (size_t i = 0; i < must->news_count; i++) {
        const struct oracle_news *m = &must->news[i];
        if (m->store != store) continue;
        while (at < has->news_count && has->news[at].store != store) at++;
        if (at < has->news_count && has->news[at].id == m->id) {
            at++;
            continue;
        }
        oracle_must(j, oracle_find(must, store, m->id, true)->deleted,
                    "message %d of %lld didn't come in its turn", m->id, (long long)store);
    }
    while (at < has->news_count && has->news[at].store != store) at++;
    oracle_must(j, at == has->news_count, "message %d of %lld came twice or late", has->news[at].id,
                (long long)store);
}

void oracle_same_marks(const struct oracle_judge *j, const struct oracle_book *has,
                       const struct oracle_book *must)
{
    for (size_t i = 0; i < must->mark_count; i++) {
        const struct oracle_mark *m = &must->marks[i];
        bool there = false;
        for (size_t k = 0; k < has->mark_count; k++)
            there =
                there || (oracle_same(has->marks[k].chat, m->chat) &&
                          has->marks[k].outbox == m->outbox && has->marks[k].max_id == m->max_id);
        oracle_must(j, there, "read mark %d of %lld is missing", m->max_id, (long long)m->chat.id);
    }
}

void oracle_same_lists(const struct oracle_judge *j, const struct oracle_book *has,
                       const struct oracle_book *must)
{
    oracle_must(j, has->qts_count == must->qts_count, "%zu qts events, not %zu", has->qts_count,
                must->qts_count);
    for (size_t i = 0; i < has->qts_count; i++)
        oracle_must(j,
                    has->qts[i].qts == must->qts[i].qts &&
                        strcmp(has->qts[i].name, must->qts[i].name) == 0,
                    "qts event %zu is %d %s, not %d %s", i, has->qts[i].qts, has->qts[i].name,
                    must->qts[i].qts, must->qts[i].name);
}

void oracle_same_queries(const struct oracle_judge *j, const struct oracle_book *has,
                         const int64_t *queries, size_t count)
{
    oracle_must(j, has->query_count == count, "%zu queries, not %zu", has->query_count, count);
    for (size_t i = 0; i < count; i++) {
        int found = 0;
        for (size_t k = 0; k < has->query_count; k++)
            if (has->queries[k] == queries[i]) found++;
        oracle_must(j, found == 1, "a query came %d times", found);
    }
}

/* --- calls that look ----------------------------------------------------------------------- */

/* The last living message of a chat below `below`; 0 none. */
static int32_t living_below(const struct oracle_judge *j, dc_peer_t chat, int32_t below)
{
    struct oracle_book b = {0};
    int32_t id = 0;
    int64_t channel = chat.type == DC_CHANNEL ? chat.id : 0;

    oracle_expect(j->ledger, channel != 0 ? DC_BOX_CHANNEL : DC_BOX_COMMON, j->account, channel, 1,
                  &b);
    for (size_t i = 0; i < b.entry_count; i++)
        if (!b.entries[i].deleted && oracle_same(b.entries[i].chat, chat) &&
            b.entries[i].id < below && b.entries[i].id > id)
            id = b.entries[i].id;
    oracle_book_fini(&b);
    return id;
}

static int32_t read_mark(const struct oracle_judge *j, dc_peer_t chat, bool outbox)
{
    int32_t max_id = 0;

    for (size_t i = 0; i < j->ledger->count; i++) {
        const struct oracle_line *l = &j->ledger->lines[i];
        if (l->event && strcmp(l->kind, "read") == 0 && l->account == j->account &&
            oracle_same(l->chat, chat) && l->outbox == outbox && l->max_id > max_id)
            max_id = l->max_id;
    }
    return max_id;
}

void oracle_law_dialogs(const struct oracle_judge *j, gap_bytes_t bytes, const dc_peer_t *chats,
                        size_t count)
{
    static gap_tl_object_t list[ORACLE_LIST_MAX];
    gap_tl_object_t o = oracle_whole(bytes);
    size_t dialogs = oracle_objects(o, "dialogs", list);
    size_t due = 0;

    oracle_law_peers(j, o);
    for (size_t i = 0; i < count; i++) {
        int32_t top = living_below(j, chats[i], INT32_MAX);
        int found = 0;
        if (top > 0) due++;
        for (size_t k = 0; k < dialogs; k++) {
            gap_tl_object_t d = list[k];
            if (!oracle_same(oracle_peer(oracle_object(d, "peer")), chats[i])) continue;
            found++;
            oracle_must(j, oracle_int(d, "top_message") == top, "top message %d, not %d",
                        oracle_int(d, "top_message"), top);
            oracle_must(j,
                        oracle_int(d, "read_inbox_max_id") == read_mark(j, chats[i], false) &&
                            oracle_int(d, "read_outbox_max_id") == read_mark(j, chats[i], true),
                        "read marks of a dialog");
            if (chats[i].type == DC_CHANNEL)
                oracle_must(j,
                            oracle_int(d, "pts") ==
                                oracle_last_pts(j->ledger, DC_BOX_CHANNEL, 0, chats[i].id),
                            "pts of a dialog");
        }
        oracle_must(j, found == (top > 0), "%d dialogs with %lld", found, (long long)chats[i].id);
    }
    oracle_must(j, dialogs == due, "%zu dialogs, not %zu", dialogs, due);
    size_t messages = oracle_objects(o, "messages", list);
    oracle_must(j, messages == dialogs, "a dialog without its message");
    for (size_t i = 0; i < messages; i++) {
        dc_peer_t chat = oracle_peer(oracle_object(list[i], "peer_id"));
        oracle_law_message(j, chat.type == DC_CHANNEL ? chat.id : 0, list[i], j->ledger->count,
                           false);
    }
}

void oracle_law_history(const struct oracle_judge *j, dc_peer_t chat, gap_bytes_t bytes)
{
    static gap_tl_object_t list[ORACLE_LIST_MAX];
    gap_tl_object_t o = oracle_whole(bytes);
    size_t count = oracle_objects(o, "messages", list);
    int32_t below = INT32_MAX;

    oracle_law_peers(j, o);
    for (size_t i = 0; i < count; i++) {
        below = living_below(j, chat, below);
        oracle_must(j, oracle_int(list[i], "id") == below, "history shows %d, not %d",
                    oracle_int(list[i], "id"), below);
        oracle_law_message(j, chat.type == DC_CHANNEL ? chat.id : 0, list[i], j->ledger->count,
                           false);
    }
    oracle_must(j, count == 100 || living_below(j, chat, below) == 0, "history ends at %d", below);
}
