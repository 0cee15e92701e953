/*
 * tests/fuzz/fuzz_outbox.c - what may stand in the outbox's tables, and what a server may answer.
 * Byte 0 of the input says which: an item, a content, or an object that is judged. An item that is
 * read has one form and makes a well-formed call in every kind of chat that its kind allows.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "outbox/answer.h"

#include <gapless/tl_api.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *out)
{
    static const uint32_t ids[] = {0, GAP_TL_INPUT_PEER_USER, GAP_TL_INPUT_PEER_CHAT,
                                   GAP_TL_INPUT_PEER_CHANNEL};
    size_t len = peer.kind == GAP_PEER_CHAT ? 12 : 20;

    (void)arg;
    gap_store32(storage, ids[peer.kind]);
    gap_store64(storage + 4, (uint64_t)peer.id);
    gap_store64(storage + 12, 99);
    *out = (gap_tl_object_t){storage, len, NULL, ids[peer.kind]};
    return 0;
}

static void check_call(const gap_outbox_item_t *item)
{
    struct gap_request q = {item->chat, 77, 5, address, NULL};
    struct gap_asked asked;
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    int r = gap_outbox_query(&q, item, &b);
    GAP_ASSERT(r == 0);
    GAP_ASSERT(gap_tl_skip(gap_buf_view(&b)) == (int64_t)b.len);
    GAP_ASSERT(gap_tl_is_method(gap_load32(b.data)));
    GAP_ASSERT(gap_outbox_replay(item) != GAP_REPLAY_BY_KIND);
    gap_outbox_asked(item, 77, 5, true, &asked);
    gap_buf_fini(&b);
}

static void check_item(gap_bytes_t payload)
{
    struct gap_item item;
    gap_buf_t b;

    int r = gap_item_unpack(payload, &item);
    GAP_ASSERT(r == 0 || r == GAP_E_DAMAGED || r == GAP_E_NEWER);
    if (r < 0) return;
    item.item.chat = (gap_peer_t){5, GAP_PEER_CHAT};
    gap_buf_init(&b, gap_alloc_default());
    r = gap_item_pack(&item.item, &b);
    GAP_ASSERT(r == 0);
    GAP_ASSERT(gap_bytes_equal(gap_buf_view(&b), payload));
    gap_buf_fini(&b);
    for (int kind = GAP_PEER_USER; kind <= GAP_PEER_CHANNEL; kind++) {
        item.item.chat.kind = (gap_peer_kind_t)kind;
        if (gap_outbox_check(&item.item) == 0) check_call(&item.item);
    }
}

static void check_content(gap_bytes_t bytes)
{
    struct gap_content content;
    uint8_t hash[GAP_CONTENT_HASH_BYTES];
    gap_buf_t b;

    int r = gap_content_unpack(bytes, &content);
    GAP_ASSERT(r == 0 || r == GAP_E_DAMAGED || r == GAP_E_NEWER);
    if (r < 0) return;
    r = gap_content_hash(&content.content, hash);
    GAP_ASSERT(r == 0);
    gap_buf_init(&b, gap_alloc_default());
    r = gap_content_pack(&content.content, &b);
    GAP_ASSERT(r == 0);
    GAP_ASSERT(gap_bytes_equal(gap_buf_view(&b), bytes));
    gap_buf_fini(&b);
}

static void check_answer(uint8_t how, gap_bytes_t bytes)
{
    struct gap_asked asked = {.kind = (gap_outbox_kind_t)(1 + how % 10),
                              .replay = (gap_replay_t)(how % 5),
                              .random_id = how % 2,
                              .random_ids = how % 3,
                              .message_id = how % 7,
                              .repeated = how % 4 == 0};
    struct gap_outcome out;
    gap_result_t result = {.rpc_name = ""};

    if (bytes.len < 4) return;
    result.object = (gap_tl_object_t){bytes.data, bytes.len, NULL, gap_load32(bytes.data)};
    gap_outbox_judge(&result, &asked, &out);
    GAP_ASSERT(memchr(out.reason, 0, sizeof out.reason) != NULL);
    gap_outbox_probe_judge(&result, &asked, &out);
    GAP_ASSERT(memchr(out.reason, 0, sizeof out.reason) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    gap_bytes_t rest = gap_bytes(data + 1, size - 1);
    if (data[0] == 0)
        check_item(rest);
    else if (data[0] == 1)
        check_content(rest);
    else
        check_answer(data[0], rest);
    return 0;
}
