/*
 * tests/fuzz/fuzz_session.c - the session. The input is a script: each step is a byte that says
 * what happens (a call, a cancel, time passes, the connection goes and comes, an allocation fails)
 * or that a message of the following length comes from the server, whose ids are filled in so that
 * it gets past the first checks. Placeholders in a message become ids of messages the session sent.
 * Whatever comes, every call ends at most once and nothing leaks.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/gzip.h"
#include "base/packet.h"
#include "mtproto/session.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SENT_MAX    32
#define CALLS_MAX   64
#define PLACEHOLDER UINT32_C(0x2a2a2a2a) /* then a word: which of the ids sent */

struct fuzz {
    gap_session_t *s;
    gap_alloc_t alloc;
    long blocks;
    long fail_in; /* 0: never */
    uint64_t now;
    gap_buf_t body;
    uint64_t sent[SENT_MAX];
    size_t sent_count;
    int64_t session_id;
    uint64_t server_id;
    uint8_t ended[CALLS_MAX];
    uint64_t calls;
    uint64_t last_msg_id;
};

static void *fuzz_realloc(void *ctx, void *ptr, size_t size)
{
    struct fuzz *f = ctx;

    if (size == 0) {
        f->blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (f->fail_in > 0 && --f->fail_in == 0) return NULL;
    void *p = realloc(ptr, size);
    f->blocks += p != NULL && ptr == NULL;
    return p;
}

static int fuzz_random(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 9, len);
    return 0;
}

static void note_sent(struct fuzz *f, uint64_t id)
{
    f->sent[f->sent_count++ % SENT_MAX] = id;
}

static void poll_all(struct fuzz *f)
{
    gap_plaintext_t m;

    for (int i = 0; i < 100 && gap_session_poll(f->s, f->now, &f->body, &m) == 1; i++) {
        GAP_ASSERT(m.body.len >= 4);
        GAP_ASSERT(m.body.data >= f->body.data + GAP_SESSION_ROOM_BYTES);
        GAP_ASSERT(m.body.data + m.body.len <= f->body.data + f->body.len);
        GAP_ASSERT((m.msg_id & 3) == 0);
        if (m.session_id == f->session_id) GAP_ASSERT((uint64_t)m.msg_id > f->last_msg_id);
        f->last_msg_id = (uint64_t)m.msg_id;
        f->session_id = m.session_id;
        note_sent(f, (uint64_t)m.msg_id);
        if (gap_load32(m.body.data) != GAP_MT_MSG_CONTAINER) continue;
        size_t at = 8;
        for (uint32_t n = gap_load32(m.body.data + 4); n > 0; n--) {
            note_sent(f, gap_load64(m.body.data + at));
            at += 16 + gap_load32(m.body.data + at + 12);
        }
        GAP_ASSERT(at == m.body.len);
    }
}

static void do_job(struct fuzz *f, const struct gap_session_event *ev)
{
    gap_packet_t *p = NULL;
    gap_gzip_t z;

    gap_gzip_init(&z, &f->alloc);
    int r = gap_inflate(&z, ev->value, 1 << 20, &p);
    gap_gzip_fini(&z);
    gap_session_inflated(f->s, r, p);
}

static void pull_all(struct fuzz *f)
{
    struct gap_session_event ev;
    int r;

    for (int i = 0; i < 5000; i++) {
        r = gap_session_next(f->s, f->now, &ev);
        if (r == 0 || r == GAP_E_NOMEM) return;
        if (r < 0) continue;
        if (ev.kind == GAP_SESSION_SLOW) do_job(f, &ev);
        if (ev.call != 0) {
            GAP_ASSERT(ev.call <= f->calls);
            GAP_ASSERT(++f->ended[ev.call - 1] == 1);
        }
        if (ev.kind == GAP_SESSION_UPDATES || ev.kind == GAP_SESSION_RESULT) {
            GAP_ASSERT(ev.value.len >= 4);
            volatile uint8_t last = ev.value.data[ev.value.len - 1];
            (void)last;
        }
    }
}

/* Words that stand for an id of ours. */
static void fill_in(struct fuzz *f, uint8_t *body, size_t len)
{
    if (f->sent_count == 0) return;
    size_t known = f->sent_count < SENT_MAX ? f->sent_count : SENT_MAX;
    for (size_t at = 0; at + 8 <= len; at += 4) {
        if (gap_load32(body + at) != PLACEHOLDER) continue;
        gap_store64(body + at, f->sent[gap_load32(body + at + 4) % known]);
        at += 4;
    }
}

static void say(struct fuzz *f, const uint8_t *data, size_t len, bool content)
{
    gap_packet_t *p;
    uint64_t second = (uint64_t)gap_session_server_us(f->s, f->now) / 1000000;

    f->server_id = f->server_id >> 32 >= second ? f->server_id + 4 : (second << 32) | 1;
    if (gap_packet_copy(&f->alloc, gap_bytes(data, len), &p) != 0) return;
    fill_in(f, p->data, p->len);
    gap_plaintext_t m = {0, f->session_id, (int64_t)f->server_id, content ? 1 : 0,
                         gap_bytes(p->data, p->len)};
    int r = gap_session_receive(f->s, f->now, &m, p);
    GAP_ASSERT(r <= 0 || r == GAP_SESSION_IGNORED);
    gap_packet_unref(p);
    pull_all(f);
}

static void call(struct fuzz *f, uint8_t how)
{
    uint8_t query[300] = {0};
    uint64_t id;
    struct gap_session_request q = {
        .query = {query, (how & 1) != 0 ? sizeof query : 4},
        .deadline_us = (how & 2) != 0 ? f->now + 5000000 : UINT64_MAX,
        .flags = how >> 2 & 15,
    };

    gap_store32(query, GAP_TL_HELP_GET_CONFIG);
    if (f->calls == CALLS_MAX) return;
    if (gap_session_call(f->s, &q, &id) == 0) {
        GAP_ASSERT(id == f->calls + 1);
        f->calls = id;
    }
}

/* One step of the script. @return bytes of it. */
static size_t step(struct fuzz *f, const uint8_t *data, size_t size)
{
    uint8_t how = data[0] >> 4;
    uint64_t ping;

    switch (data[0] & 15) {
    case 0:
        call(f, how);
        break;
    case 1:
        (void)gap_session_cancel(f->s, 1 + how % (f->calls + 1), -125);
        break;
    case 2:
        f->now += (uint64_t)(how + 1) * (how + 1) * 1000000;
        gap_session_expire(f->s, f->now);
        break;
    case 3:
        gap_session_disconnected(f->s);
        gap_session_connected(f->s, f->now);
        break;
    case 4:
        (void)!gap_session_ping(f->s, 75, &ping);
        break;
    case 5:
        f->fail_in = how + 1;
        break;
    case 6:
        gap_session_unsync(f->s);
        break;
    case 7:
        poll_all(f);
        break;
    case 8:
        gap_session_set_key(f->s, f->now, how, 0);
        f->last_msg_id = 0;
        break;
    default: {
        if (size < 3) return size;
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        if (len > size - 3) len = size - 3;
        say(f, data + 3, len, (how & 1) != 0);
        return 3 + len;
    }
    }
    pull_all(f);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;
    static const gap_random_t random = {fuzz_random, NULL};
    struct gap_session_device device = {227, 1, "m", "s", "a", "en", "", "en"};

    memset(&f, 0, sizeof f);
    f.alloc = (gap_alloc_t){fuzz_realloc, &f};
    f.now = 1000000;
    gap_buf_init(&f.body, &f.alloc);
    GAP_ASSERT(gap_session_new(&f.alloc, &random, &device, f.now, 1707425105000000, &f.s) == 0);
    gap_session_set_key(f.s, f.now, 5, 1707425105);
    gap_session_connected(f.s, f.now);
    call(&f, 0);
    call(&f, 1);
    poll_all(&f);
    while (size > 0) {
        size_t used = step(&f, data, size);
        data += used;
        size -= used;
    }
    f.fail_in = 0;
    poll_all(&f);
    pull_all(&f);
    gap_session_cancel_all(f.s, GAP_E_CLOSED);
    pull_all(&f);
    GAP_ASSERT(gap_session_pending(f.s) == 0);
    for (uint64_t i = 0; i < f.calls; i++) GAP_ASSERT(f.ended[i] == 1);
    gap_session_free(f.s);
    gap_buf_fini(&f.body);
    GAP_ASSERT(f.blocks == 0);
    return 0;
}
