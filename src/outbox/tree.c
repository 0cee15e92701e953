/*
 * outbox/tree.c - serialised objects all the way down, by the tables of the schema: is there
 * anything in one that would have to be uploaded, and what makes it what it is. Owns nothing,
 * allocates nothing; nests as deep as TL may.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

/* Around media or markup is the call. */
#define DEPTH_IN_CALL 2

static bool is_of_type(uint32_t id, uint32_t sibling)
{
    const gap_tl_slot_t *slot = gap_tl_slot(id);

    return slot != NULL && slot->type == gap_tl_slot(sibling)->type;
}

/* Parts of a file that was sent up before; they are kept for some hours. */
static bool is_upload(uint32_t id)
{
    return is_of_type(id, GAP_TL_INPUT_FILE);
}

bool gap_is_sendable_media(uint32_t id)
{
    return is_of_type(id, GAP_TL_INPUT_MEDIA_EMPTY) && id != GAP_TL_INPUT_MEDIA_EMPTY &&
           id != GAP_TL_INPUT_MEDIA_UPLOADED_PHOTO && id != GAP_TL_INPUT_MEDIA_UPLOADED_DOCUMENT;
}

bool gap_is_markup(uint32_t id)
{
    return is_of_type(id, GAP_TL_REPLY_INLINE_MARKUP);
}

/* Visits objects; each call of `object` comes before those for its fields. */
struct walk {
    int (*object)(struct walk *w, uint32_t id);
    /** Bytes of a field that holds no objects, or the count of a vector of them. */
    void (*bytes)(struct walk *w, const gap_tl_field_t *field, const uint8_t *from, size_t len);
    gap_tree_cb each;
    void *arg;
};

static int walk_object(struct walk *w, gap_tl_cursor_t *c);

static int walk_child(struct walk *w, gap_tl_cursor_t *c)
{
    gap_tl_cursor_t child;

    int r = gap_tl_cursor_enter(c, &child);
    if (r == 0) r = walk_object(w, &child);
    return r == 0 ? gap_tl_cursor_leave(c, &child, NULL) : r;
}

static int walk_children(struct walk *w, gap_tl_cursor_t *c)
{
    const gap_tl_field_t *field = c->field;
    uint32_t count;

    int r = gap_tl_cursor_vector(c, &count);
    if (r == 0 && w->bytes != NULL) w->bytes(w, field, (const uint8_t *)&count, sizeof count);
    for (; r == 0 && count > 0; count--) r = walk_child(w, c);
    return r;
}

static int walk_field(struct walk *w, gap_tl_cursor_t *c, int number)
{
    int r = gap_tl_cursor_to(c, number);
    if (r <= 0) return r;
    const gap_tl_field_t *field = c->field;
    if (field->kind == GAP_TL_K_OBJECT) return walk_child(w, c);
    if (field->kind == GAP_TL_K_VECTOR && field->elem == GAP_TL_K_OBJECT)
        return walk_children(w, c);
    const uint8_t *from = c->at;
    r = c->field + 1 < c->last ? gap_tl_cursor_to(c, number + 1) : gap_tl_cursor_finish(c);
    if (r >= 0 && w->bytes != NULL) w->bytes(w, field, from, (size_t)(c->at - from));
    return r < 0 ? r : 0;
}

static int walk_object(struct walk *w, gap_tl_cursor_t *c)
{
    int count = (int)(c->last - c->first);

    int r = w->object(w, c->id);
    for (int i = 0; r == 0 && i < count; i++) r = walk_field(w, c, i);
    return r < 0 ? r : gap_tl_cursor_finish(c);
}

static int walk(struct walk *w, gap_bytes_t bytes)
{
    gap_tl_cursor_t c;

    int r = gap_tl_cursor_open(&c, bytes);
    return r == 0 ? walk_object(w, &c) : r;
}

/* ---- uploads ---- */

static int refuse_upload(struct walk *w, uint32_t id)
{
    (void)w;
    return is_upload(id) ? GAP_E_ARGUMENT : 0;
}

int gap_tree_check(gap_bytes_t bytes)
{
    struct walk w = {.object = refuse_upload};
    const uint8_t *at = bytes.data;

    if (bytes.len < 4) return GAP_E_TL;
    int r = gap_tl_pass(&at, bytes.data + bytes.len, 0, DEPTH_IN_CALL);
    if (r < 0) return r;
    return at == bytes.data + bytes.len ? walk(&w, bytes) : GAP_E_TL;
}

/* ---- identity ---- */

static int tell_id(struct walk *w, uint32_t id)
{
    w->each(w->arg, &id, sizeof id);
    return 0;
}

/* These say that one may use a thing, not which thing it is. */
static bool is_proof(const gap_tl_field_t *field)
{
    const char *name = &gap_tl_names[field->name];

    return strcmp(name, "access_hash") == 0 || strcmp(name, "file_reference") == 0;
}

static void tell_bytes(struct walk *w, const gap_tl_field_t *field, const uint8_t *from, size_t len)
{
    if (!is_proof(field)) w->each(w->arg, from, len);
}

int gap_tree_identity(gap_bytes_t bytes, gap_tree_cb each, void *arg)
{
    struct walk w = {.object = tell_id, .bytes = tell_bytes, .each = each, .arg = arg};

    return walk(&w, bytes);
}
