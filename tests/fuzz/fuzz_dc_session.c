/*
 * tests/fuzz/fuzz_dc_session.c - the data centre's sessions and the wrappers of calls. The input is
 * a row of messages; each begins with a head of 4 bytes:
 *
 *   byte 0      bits 0, 1: the msg_id is new, an old one again, not a multiple of four, from
 *               yesterday; bit 2: the salt is wrong; bit 3: the connection is a new one; bit 4: the
 *               call found is answered
 *   byte 1      what is added to the sequence number
 *   bytes 2, 3  length of the body in words (little-endian)
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "dc/keys.h"
#include "dc/rpc.h"

#include <gapless/tl_mt.h>

#define NOW_S 1700000000
#define SALT  77

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    gap_gzip_t zip;
    gap_dc_keys_t keys;
    gap_dc_key_t *key;
    gap_dc_session_t *s;
    gap_dc_inbox_t in;
    gap_dc_now_t now;
    gap_buf_t out;
    int64_t last_id;
    int32_t seqno;
};

static void answer_calls(struct world *w)
{
    gap_bytes_t calls = gap_buf_view(&w->in.calls);
    uint32_t yes = GAP_MT_BOOL_TRUE;

    for (size_t at = 0; at < calls.len; at += sizeof(gap_dc_call_t)) {
        gap_dc_call_t call;
        gap_dc_query_t q;
        gap_dc_error_t error;
        gap_packet_t *inflated;
        memcpy(&call, calls.data + at, sizeof call);
        int r = gap_dc_unwrap(call.query, &w->zip, &q, &inflated, &error);
        GAP_ASSERT(r == 0 || r == GAP_DC_IS_ERROR);
        gap_packet_unref(inflated);
        r = gap_dc_session_answer(w->s, &w->now, call.msg_id, 0, gap_bytes(&yes, sizeof yes),
                                  error.code != 0);
        GAP_ASSERT(r == 0);
    }
}

static void one_message(struct world *w, const uint8_t *head, gap_bytes_t body)
{
    static const int64_t offsets[4] = {4, 0, 5, -((int64_t)86400 << 32)};
    gap_plaintext_t m = {(head[0] & 4) != 0 ? 0 : SALT, 7, w->last_id + offsets[head[0] & 3],
                         w->seqno + head[1], body};

    if ((head[0] & 3) == 0) w->last_id += 4;
    w->seqno += 2;
    w->now.mono_us += 1000;
    if ((head[0] & 8) != 0) GAP_ASSERT(gap_dc_session_resume(w->s, &w->now) == 0);
    gap_dc_inbox_clear(&w->in);
    GAP_ASSERT(gap_dc_session_receive(w->s, &w->now, &m, &w->in) == 0);
    if ((head[0] & 16) != 0) answer_calls(w);
    while (gap_dc_session_pack(w->s, &w->now, &w->out, &m) > 0) {
        GAP_ASSERT((m.msg_id & 1) == 1);
        GAP_ASSERT(m.body.len % 4 == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[65536]; /* aligned, as a packet's body is */
    const gap_alloc_t *alloc = gap_alloc_default();
    struct world w;
    gap_auth_key_t auth;

    memset(&w, 0, sizeof w);
    memset(&auth, 0, sizeof auth);
    auth.id = 99;
    gap_gzip_init(&w.zip, alloc);
    gap_dc_keys_init(&w.keys, alloc, &w.zip);
    gap_dc_inbox_init(&w.in, alloc);
    gap_buf_init(&w.out, alloc);
    GAP_ASSERT(gap_dc_keys_add(&w.keys, &auth, SALT, 5, NOW_S, &w.key) == 0);
    GAP_ASSERT(gap_dc_key_session(&w.keys, w.key, 7, &w.s) == 0);
    w.now.wall_us = (uint64_t)NOW_S * 1000000;
    w.last_id = (int64_t)NOW_S << 32;
    while (size >= 4) {
        size_t len = ((size_t)data[2] | (size_t)data[3] << 8) * 4;
        if (len > size - 4) len = (size - 4) / 4 * 4;
        if (len > sizeof body) len = sizeof body;
        memcpy(body, data + 4, len);
        one_message(&w, data, gap_bytes(body, len));
        data += 4 + len;
        size -= 4 + len;
    }
    gap_dc_inbox_fini(&w.in);
    gap_buf_fini(&w.out);
    gap_dc_keys_fini(&w.keys);
    gap_gzip_fini(&w.zip);
    return 0;
}
