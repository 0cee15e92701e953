/*
 * tests/fuzz/fuzz_session_file.c - the bytes of a session file. Byte 0 of the input chooses: 0 the
 * rest is the file; otherwise it is a slot without its checksum, which is made right, so that what
 * lies behind it is reached. What is taken for whole must come out the same when it is written and
 * read again.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "store/session_slot.h"

#include <openssl/evp.h>

#define HASH_BYTES 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t slot[GAP_SESSION_SLOT_BYTES];
static uint8_t again[GAP_SESSION_SLOT_BYTES];

static void read_slot(const uint8_t *bytes, size_t len)
{
    static struct gap_session_data d;
    uint64_t generation = 0;
    uint64_t same = 0;
    int r = gap_session_slot_read(bytes, len, &generation, &d);

    if (r == GAP_SESSION_NOT_WHOLE) return;
    GAP_ASSERT(r == 0);
    GAP_ASSERT(d.dc_count <= GAP_SESSION_DCS_MAX);
    GAP_ASSERT(d.token_count <= GAP_SESSION_TOKENS_MAX);
    GAP_ASSERT(gap_session_slot_write(&d, generation, slot) == 0);
    GAP_ASSERT(gap_session_slot_read(slot, sizeof slot, &same, &d) == 0);
    GAP_ASSERT(same == generation);
    GAP_ASSERT(gap_session_slot_write(&d, generation, again) == 0);
    GAP_ASSERT(memcmp(slot, again, sizeof slot) == 0);
    /* Up to the end of what is meant there is only one way to write it. */
    size_t meant = 44 + gap_load32(slot + 40);
    GAP_ASSERT(memcmp(slot + HASH_BYTES, bytes + HASH_BYTES, meant - HASH_BYTES) == 0);
}

static void read_file(const uint8_t *bytes, size_t size)
{
    bool made = false;
    size_t len = size < GAP_SESSION_HEADER_BYTES ? size : GAP_SESSION_HEADER_BYTES;
    int r = gap_session_header_read(bytes, len, size, &made);

    if (size == 0) GAP_ASSERT(r == GAP_SESSION_BLANK);
    if (r == GAP_SESSION_BLANK) GAP_ASSERT(size <= GAP_SESSION_HEADER_BYTES);
    if (r != 0) return;
    GAP_ASSERT(size >= GAP_SESSION_HEADER_BYTES);
    for (size_t at = GAP_SESSION_HEADER_BYTES; at < size; at += GAP_SESSION_SLOT_BYTES)
        read_slot(bytes + at, size - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t made[GAP_SESSION_SLOT_BYTES];
    unsigned len = 0;

    if (size == 0) return 0;
    if (data[0] == 0) {
        read_file(data + 1, size - 1);
        return 0;
    }
    data++;
    size--;
    if (size > sizeof made - HASH_BYTES) size = sizeof made - HASH_BYTES;
    memset(made, 0, sizeof made);
    memcpy(made + HASH_BYTES, data, size);
    GAP_ASSERT(EVP_Digest(made + HASH_BYTES, sizeof made - HASH_BYTES, made, &len, EVP_sha256(),
                          NULL) == 1);
    read_slot(made, sizeof made);
    return 0;
}
