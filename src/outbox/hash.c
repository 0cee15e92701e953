/*
 * outbox/hash.c - what a message would look like, as 16 bytes; and the random ids that come from
 * one. Every field has its length or count in front, so that no two contents have the same bytes.
 * Owns nothing; allocates only for media and markup that are given as structs.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"
#include "crypto/keyed.h"

static const uint8_t content_key[17] = "gapless contents";
static const uint8_t random_key[17] = "gapless randoms1";

static void add_bytes(gap_siphash_t *h, gap_bytes_t bytes)
{
    gap_siphash_update64(h, bytes.len);
    gap_siphash_update(h, bytes.data, bytes.len);
}

static void add_piece(void *arg, const void *bytes, size_t len)
{
    gap_siphash_update(arg, bytes, len);
}

static void add_entities(gap_siphash_t *h, const gap_outbox_content_t *c)
{
    gap_siphash_update64(h, c->entity_count);
    for (size_t i = 0; i < c->entity_count; i++) {
        const gap_outbox_entity_t *e = &c->entities[i];
        gap_siphash_update64(h, e->id);
        gap_siphash_update64(h, e->offset);
        gap_siphash_update64(h, e->length);
        add_bytes(h, e->value);
        gap_siphash_update64(h, (uint64_t)e->number);
    }
}

static int add_written(gap_siphash_t *h, gap_tl_object_t object)
{
    gap_buf_t b;
    int64_t size = gap_tl_size(object);

    if (size < 0) return (int)size;
    gap_buf_init(&b, gap_alloc_default());
    int r = gap_buf_reserve(&b, (size_t)size);
    if (r == 0) {
        size = gap_tl_write(object, b.data, (size_t)size);
        r = size < 0 ? (int)size : gap_tree_identity(gap_bytes(b.data, (size_t)size), add_piece, h);
    }
    gap_buf_fini(&b);
    return r;
}

static int add_object(gap_siphash_t *h, gap_tl_object_t object)
{
    gap_siphash_update64(h, gap_object_is_set(object));
    if (!gap_object_is_set(object)) return 0;
    if (object.data == NULL) return add_written(h, object);
    return gap_tree_identity(gap_tl_bytes(object), add_piece, h);
}

int gap_content_hash(const gap_outbox_content_t *c, uint8_t out[GAP_CONTENT_HASH_BYTES])
{
    bool has_media = gap_object_is_set(c->media);
    gap_siphash_t h;

    gap_siphash_begin(&h, content_key);
    add_bytes(&h, c->text);
    add_entities(&h, c);
    int r = add_object(&h, c->media);
    if (r == 0) r = add_object(&h, c->markup);
    if (r < 0) return r;
    gap_siphash_update64(&h, !has_media && c->no_preview); /* sendMedia has no such flag */
    gap_siphash_end(&h, out);
    return 0;
}

int64_t gap_outbox_random_at(int64_t random_id, uint32_t index)
{
    uint8_t digest[GAP_SIPHASH_BYTES];
    gap_siphash_t h;

    if (index == 0) return random_id;
    gap_siphash_begin(&h, random_key);
    gap_siphash_update64(&h, (uint64_t)random_id);
    gap_siphash_update64(&h, index);
    gap_siphash_end(&h, digest);
    uint64_t id = gap_load64(digest);
    if (id == 0) id = gap_load64(digest + 8);
    return id == 0 ? INT64_MAX : (int64_t)id;
}
