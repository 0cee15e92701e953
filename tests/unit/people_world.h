/*
 * tests/unit/people_world.h - a book and a finder with a real engine around them, a server that is
 * played by the test, and a storage in memory whose answers come when the test says so. What
 * happens is a line of the trace.
 */
#ifndef GAP_TESTS_PEOPLE_WORLD_H
#define GAP_TESTS_PEOPLE_WORLD_H

#include "tests/check_main.h"

#include "client/find.h"
#include "loops/engine.h"
#include "tests/unit/updates_build.h"

#include <stdarg.h>
#include <string.h>

#define PEOPLE_SELF  1000
#define PEOPLE_CALLS 64

struct people_call {
    gap_answer_cb cb;
    void *arg;
    gap_bytes_t query;
};

struct people_question {
    gap_peer_key_t key;
    char text[80];
    gap_store_found_cb found;
    void *arg;
};

struct people {
    struct fault_alloc fault;
    gap_rt_t rt;
    uint64_t now_us;
    gap_engine_t *engine;
    bool engine_closed;
    struct client_book book;
    struct client_finder *finder;
    bool finder_closed;
    gap_storage_t *storage; /* NULL: none */
    int refuse;             /* what asking the server or storage returns, if not 0 */
    int storage_status;     /* what the storage answers, if not 0 */
    unsigned puts;
    struct people_call calls[PEOPLE_CALLS];
    size_t call_count;
    struct people_question questions[PEOPLE_CALLS];
    size_t question_count;
    unsigned told;
    bool in_call;
    char trace[4096];
};

GAP_PRINTF(2, 3)
static inline void people_trace(struct people *p, const char *format, ...)
{
    size_t used = strlen(p->trace);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->trace + used, sizeof p->trace - used, format, args);
    va_end(args);
}

/* ---- the server ---- */

static inline int people_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *cb_arg)
{
    struct people *p = arg;

    if (p->refuse != 0) return p->refuse;
    ck_assert_uint_lt(p->call_count, PEOPLE_CALLS);
    people_trace(p, "ask %s\n", gap_tl_name(query.id));
    p->calls[p->call_count++] = (struct people_call){cb, cb_arg, build(query)};
    return 0;
}

/* The first question that is open; its query is the caller's. */
static inline struct people_call people_take(struct people *p)
{
    ck_assert_msg(p->call_count > 0, "nothing was asked\n%s", p->trace);
    struct people_call call = p->calls[0];

    p->call_count--;
    memmove(p->calls, p->calls + 1, p->call_count * sizeof p->calls[0]);
    return call;
}

static inline void people_tick(struct people *p)
{
    while (gap_rt_tick(&p->rt, p->now_us, true)) {
    }
}

/* Answer the first open question; the value is freed. */
static inline void people_answer(struct people *p, gap_bytes_t value)
{
    struct people_call call = people_take(p);
    const gap_answer_t answer = {.value = value};

    call.cb(call.arg, &answer);
    build_free(call.query);
    build_free(value);
    people_tick(p);
}

static inline void people_error(struct people *p, int32_t code, const char *text)
{
    struct people_call call = people_take(p);
    const gap_answer_t answer = {
        .status = GAP_E_RPC, .error_code = code, .error_text = gap_str(text)};

    call.cb(call.arg, &answer);
    build_free(call.query);
    people_tick(p);
}

static inline void people_no_answer(struct people *p, int status)
{
    struct people_call call = people_take(p);
    const gap_answer_t answer = {.status = status};

    call.cb(call.arg, &answer);
    build_free(call.query);
    people_tick(p);
}

/* ---- the storage ---- */

static inline void people_trace_record(struct people *p, const char *what,
                                       const gap_peer_record_t *r)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};

    people_trace(p, "%s %s %lld", what, kinds[r->peer.kind], (long long)r->peer.id);
    if (r->has_hash) people_trace(p, " hash %lld", (long long)r->access_hash);
    if (r->min) people_trace(p, " min");
    if (r->seen_in.kind != GAP_PEER_NONE)
        people_trace(p, " in %s %lld/%d", kinds[r->seen_in.kind], (long long)r->seen_in.id,
                     r->seen_msg_id);
    if (r->phone.len > 0) people_trace(p, " +%.*s", (int)r->phone.len, (const char *)r->phone.data);
    for (size_t i = 0; i < r->username_count; i++)
        people_trace(p, " @%.*s", (int)r->usernames[i].len, (const char *)r->usernames[i].data);
    people_trace(p, "%s\n", r->has_names ? "" : " as it is called");
}

static inline int people_put(void *arg, const gap_record_t *record)
{
    struct people *p = arg;
    gap_storage_fault_t fault;

    if (p->refuse != 0) return p->refuse;
    p->puts++;
    people_trace_record(p, "put", &record->u.peer);
    memset(&fault, 0, sizeof fault);
    return p->storage->ops->commit(p->storage, record, 1, &fault);
}

static inline int people_stored(void *arg, const gap_peer_key_t *key, gap_store_found_cb found,
                                void *found_arg)
{
    struct people *p = arg;
    struct people_question *q = &p->questions[p->question_count];

    if (p->refuse != 0) return p->refuse;
    ck_assert_uint_lt(p->question_count, PEOPLE_CALLS);
    p->question_count++;
    *q = (struct people_question){.key = *key, .found = found, .arg = found_arg};
    ck_assert_uint_lt(key->text.len, sizeof q->text);
    if (key->text.len > 0) memcpy(q->text, key->text.data, key->text.len);
    return 0;
}

/* What was found, on its own: whoever is told may write to the storage. */
struct people_copy {
    bool have;
    gap_peer_record_t record;
    gap_bytes_t names[CLIENT_NAMES_MAX];
    uint8_t bytes[1024];
    size_t used;
};

static inline gap_bytes_t people_copy_text(struct people_copy *c, gap_bytes_t text)
{
    uint8_t *at = c->bytes + c->used;

    ck_assert_uint_le(c->used + text.len, sizeof c->bytes);
    if (text.len > 0) memcpy(at, text.data, text.len);
    c->used += text.len;
    return gap_bytes(at, text.len);
}

static inline int people_each(void *arg, const gap_record_t *record)
{
    struct people_copy *c = arg;

    c->have = true;
    c->record = record->u.peer;
    c->record.phone = people_copy_text(c, c->record.phone);
    for (size_t i = 0; i < c->record.username_count; i++)
        c->names[i] = people_copy_text(c, c->record.usernames[i]);
    c->record.usernames = c->names;
    return 0;
}

/* Let the storage answer all that it is asked, also what it is asked meanwhile. */
static inline void people_storage_answers(struct people *p)
{
    gap_storage_fault_t fault;

    while (p->question_count > 0) {
        struct people_question q = p->questions[0];
        p->question_count--;
        memmove(p->questions, p->questions + 1, p->question_count * sizeof p->questions[0]);
        q.key.text.data = (const uint8_t *)q.text;
        memset(&fault, 0, sizeof fault);
        int r = p->storage_status;
        struct people_copy copy = {.have = false};
        if (r == 0) r = p->storage->ops->find(p->storage, &q.key, people_each, &copy, &fault);
        q.found(q.arg, r, copy.have ? &copy.record : NULL);
        people_tick(p);
    }
}

/* ---- life and death ---- */

static inline int people_handler(gap_update_t *update, void *data)
{
    struct people *p = data;

    client_book_update(&p->book, update, (uint32_t)(p->now_us / 1000000));
    return 0;
}

static inline void people_on_peers(void *data, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    struct people *p = data;
    client_book_peers(&p->book, users, chats);
}

static inline void people_on_engine_closed(void *arg)
{
    ((struct people *)arg)->engine_closed = true;
}

static inline void people_on_finder_closed(void *arg)
{
    ((struct people *)arg)->finder_closed = true;
}

/* @return what opening the finder returned. */
static inline int people_open(struct people *p, bool bot, bool stored, long fail_at)
{
    memset(p, 0, sizeof *p);
    fault_alloc_init(&p->fault, 0);
    p->now_us = 5000000;
    gap_rt_init(&p->rt, &p->fault.alloc, NULL);
    (void)gap_rt_tick(&p->rt, p->now_us, true);
    const gap_engine_config_t engine = {
        .alloc = &p->fault.alloc,
        .self_id = PEOPLE_SELF,
        .bot = bot,
        .invoke = people_invoke,
        .invoke_arg = p,
        .handler = people_handler,
        .handler_data = p,
        .peers = people_on_peers,
        .peers_data = p,
        .state = &(gap_engine_state_t){.pts = 1, .date = 1},
    };
    ck_assert_int_eq(gap_engine_open_on(&p->rt, &engine, &p->engine), 0);
    p->fault.calls = 0;
    p->fault.fail_at = fail_at;
    client_book_init(&p->book, &p->fault.alloc);
    if (stored) ck_assert_int_eq(gap_storage_memory(NULL, &p->storage), 0);
    const struct client_book_ops ops = {people_put, people_stored, p};
    gap_storage_fault_t fault = {.text = ""};
    if (stored) ck_assert_int_eq(p->storage->ops->open(p->storage, &fault), 0);
    client_book_begin(&p->book, PEOPLE_SELF, bot, stored ? &ops : NULL);
    client_book_use(&p->book, p->engine);
    const struct client_finder_config finder = {
        .alloc = &p->fault.alloc,
        .rt = &p->rt,
        .book = &p->book,
        .invoke = people_invoke,
        .invoke_arg = p,
    };
    return client_finder_open(&finder, &p->finder);
}

static inline void people_close(struct people *p)
{
    if (p->finder != NULL) client_finder_close(p->finder, people_on_finder_closed, p);
    client_book_use(&p->book, NULL);
    gap_engine_close(p->engine, people_on_engine_closed, p);
    people_tick(p);
    while (p->call_count > 0) people_no_answer(p, GAP_E_CLOSED);
    p->storage_status = GAP_E_CLOSED;
    people_storage_answers(p);
    people_tick(p);
    ck_assert(p->finder_closed || p->finder == NULL);
    ck_assert(p->engine_closed);
    client_book_fini(&p->book);
    gap_rt_fini(&p->rt);
    if (p->storage != NULL) {
        p->storage->ops->close(p->storage);
        p->storage->ops->destroy(p->storage);
    }
    ck_assert_int_eq(p->fault.live, 0);
}

/* What happened since the last time. */
static inline void people_expect(struct people *p, const char *expected, const char *why)
{
    ck_assert_msg(strcmp(p->trace, expected) == 0, "%s: expected\n%sfound\n%s", why, expected,
                  p->trace);
    p->trace[0] = 0;
}

/* ---- objects ---- */

static inline gap_bytes_t people_named_user(int64_t id, int64_t hash, uint32_t flags,
                                            const char *username, const char *phone)
{
    gap_tl_user_t u = {
        .flags = flags | GAP_TL_USER_F_FIRST_NAME,
        .id = id,
        .access_hash = hash,
        .first_name = gap_str("Ada"),
    };
    if (hash != 0) u.flags |= GAP_TL_USER_F_ACCESS_HASH;
    if (username != NULL) {
        u.flags |= GAP_TL_USER_F_USERNAME;
        u.username = gap_str(username);
    }
    if (phone != NULL) {
        u.flags |= GAP_TL_USER_F_PHONE;
        u.phone = gap_str(phone);
    }
    return build(GAP_TL_OF(GAP_TL_USER, &u));
}

/* User 7 with a list of usernames, and one before it. */
static inline gap_bytes_t people_with_names(const char *first, const uint32_t *flags,
                                            const char *const *names, uint32_t count)
{
    gap_tl_username_t all[32];
    gap_tl_object_t objects[32];

    for (uint32_t i = 0; i < count; i++) {
        all[i] = (gap_tl_username_t){.flags = flags[i], .username = gap_str(names[i])};
        objects[i] = GAP_TL_OF(GAP_TL_USERNAME, &all[i]);
    }
    gap_tl_user_t u = {
        .flags = GAP_TL_USER_F_ACCESS_HASH,
        .flags2 = GAP_TL_USER_F2_USERNAMES,
        .id = 7,
        .access_hash = 70,
        .usernames = gap_tl_array(objects, count),
    };
    if (first != NULL) {
        u.flags |= GAP_TL_USER_F_USERNAME;
        u.username = gap_str(first);
    }
    return build(GAP_TL_OF(GAP_TL_USER, &u));
}

/* contacts.resolvedPeer; both parts are freed. */
static inline gap_bytes_t people_resolved(gap_peer_t peer, gap_bytes_t user, gap_bytes_t chat)
{
    int64_t id = peer.id;
    uint32_t kind = peer.kind == GAP_PEER_USER ? GAP_TL_PEER_USER : GAP_TL_PEER_CHANNEL;
    gap_tl_object_t users[1];
    gap_tl_object_t chats[1];

    if (user.len > 0) users[0] = as_object(user);
    if (chat.len > 0) chats[0] = as_object(chat);
    gap_tl_contacts_resolved_peer_t r = {
        .peer = GAP_TL_OF(kind, &id),
        .chats = gap_tl_array(chats, chat.len > 0 ? 1 : 0),
        .users = gap_tl_array(users, user.len > 0 ? 1 : 0),
    };
    gap_bytes_t out = build(GAP_TL_OF(GAP_TL_CONTACTS_RESOLVED_PEER, &r));
    build_free(user);
    build_free(chat);
    return out;
}

/* Vector<User> of one, as users.getUsers gives it; the part is freed. */
static inline gap_bytes_t people_vector(gap_bytes_t part)
{
    uint8_t *data = malloc(8 + part.len);

    gap_store32(data, GAP_TL_VECTOR);
    gap_store32(data + 4, part.len > 0 ? 1 : 0);
    if (part.len > 0) memcpy(data + 8, part.data, part.len);
    gap_bytes_t out = gap_bytes(data, 8 + part.len);
    build_free(part);
    return out;
}

/* messages.chats of one; the part is freed. */
static inline gap_bytes_t people_chats(gap_bytes_t part)
{
    gap_tl_object_t chats[1];

    if (part.len > 0) chats[0] = as_object(part);
    gap_tl_messages_chats_t c = {.chats = gap_tl_array(chats, part.len > 0 ? 1 : 0)};
    gap_bytes_t out = build(GAP_TL_OF(GAP_TL_MESSAGES_CHATS, &c));
    build_free(part);
    return out;
}

/* Feed updates with one user, one chat (either may be empty) and one update (or none), and let the
 * engine run; the parts are freed. */
static inline void people_feed(struct people *p, gap_bytes_t update, gap_bytes_t user,
                               gap_bytes_t chat)
{
    gap_bytes_t all = build_updates(&update, update.len > 0 ? 1 : 0, user, chat, 0);

    int r = gap_engine_feed(p->engine, all.data, all.len, NULL);
    bool starved = r == GAP_E_NOMEM && p->fault.fail_at > 0;
    ck_assert_msg(r >= 0 || starved, "%s", gap_strerror(r));
    people_tick(p);
    build_free(all);
    build_free(update);
    build_free(user);
    build_free(chat);
}

#endif
