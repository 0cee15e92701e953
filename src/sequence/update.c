/*
 * sequence/update.c - what a handler may ask of an update. Pure accessors over the node that its
 * owner (the engine) filled.
 */
#include "sequence/update.h"

#include "base/assert.h"
#include "sequence/walk.h"

uint32_t gap_update_id(const gap_update_t *update)
{
    return update->id;
}
gap_box_t gap_update_box(const gap_update_t *update)
{
    return (gap_box_t)update->box;
}
int64_t gap_update_channel_id(const gap_update_t *update)
{
    return update->channel_id;
}
gap_via_t gap_update_via(const gap_update_t *update)
{
    return (gap_via_t)update->via;
}
bool gap_update_maybe_repeated(const gap_update_t *update)
{
    return update->maybe_repeated;
}

static bool in_sequence(const gap_update_t *update)
{
    return update->box != GAP_BOX_NONE && update->via != GAP_VIA_DIFFERENCE && update->pts >= 0;
}

int32_t gap_update_pts(const gap_update_t *update)
{
    return in_sequence(update) ? update->pts : -1;
}

int32_t gap_update_pts_count(const gap_update_t *update)
{
    return in_sequence(update) ? update->pts_count : 0;
}

/* Messages of a difference have no update around them: fill it in. */
static int read_bare(const gap_update_t *u, void *out, size_t out_size)
{
    gap_tl_object_t object = {u->bytes.data, u->bytes.len, NULL, gap_load32(u->bytes.data)};

    if ((u->flags & GAP_ITEM_ENCRYPTED) != 0) {
        gap_tl_update_new_encrypted_message_t *m = out;
        if (out_size != sizeof *m) return GAP_E_ARGUMENT;
        *m = (gap_tl_update_new_encrypted_message_t){.message = object};
    } else if (u->id == GAP_TL_UPDATE_NEW_MESSAGE) {
        gap_tl_update_new_message_t *m = out;
        if (out_size != sizeof *m) return GAP_E_ARGUMENT;
        *m = (gap_tl_update_new_message_t){.message = object};
    } else if (u->id == GAP_TL_UPDATE_EDIT_MESSAGE) {
        gap_tl_update_edit_message_t *m = out;
        if (out_size != sizeof *m) return GAP_E_ARGUMENT;
        *m = (gap_tl_update_edit_message_t){.message = object};
    } else if (u->id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE) {
        gap_tl_update_edit_channel_message_t *m = out;
        if (out_size != sizeof *m) return GAP_E_ARGUMENT;
        *m = (gap_tl_update_edit_channel_message_t){.message = object};
    } else {
        gap_tl_update_new_channel_message_t *m = out;
        if (out_size != sizeof *m) return GAP_E_ARGUMENT;
        *m = (gap_tl_update_new_channel_message_t){.message = object};
    }
    return 0;
}

static bool is_bare(const gap_update_t *u)
{
    return (u->flags & (GAP_ITEM_MESSAGE | GAP_ITEM_ENCRYPTED)) != 0;
}

int gap_update_read(const gap_update_t *update, uint32_t id, void *out, size_t out_size)
{
    if (id != update->id) return GAP_E_ARGUMENT;
    if (is_bare(update)) return read_bare(update, out, out_size);
    int64_t used = gap_tl_read(update->bytes, id, out, out_size);
    return used < 0 ? (int)used : 0;
}

static int print_text(gap_tl_print_cb sink, void *data, const char *text)
{
    return sink(data, text, strlen(text));
}

int gap_update_print(const gap_update_t *update, gap_tl_print_cb sink, void *data)
{
    if (!is_bare(update)) return gap_tl_print(update->bytes, sink, data);
    bool encrypted = (update->flags & GAP_ITEM_ENCRYPTED) != 0;
    int r = print_text(sink, data, "{\"_\":\"");
    if (r == 0) r = print_text(sink, data, gap_tl_name(update->id));
    if (r == 0) r = print_text(sink, data, "\",\"message\":");
    if (r == 0) r = gap_tl_print(update->bytes, sink, data);
    if (r == 0)
        r = print_text(sink, data, encrypted ? ",\"qts\":0}" : ",\"pts\":0,\"pts_count\":0}");
    return r;
}

gap_tl_vector_t gap_update_users(const gap_update_t *update)
{
    return (gap_tl_vector_t){update->users, update->users_len, NULL, update->users_count};
}

gap_tl_vector_t gap_update_chats(const gap_update_t *update)
{
    return (gap_tl_vector_t){update->chats, update->chats_len, NULL, update->chats_count};
}

int gap_update_find(const gap_update_t *update, gap_peer_t peer, gap_tl_object_t *out)
{
    bool user = peer.kind == GAP_PEER_USER;
    gap_tl_iter_t it = gap_tl_iter(user ? gap_update_users(update) : gap_update_chats(update));
    gap_tl_object_t object;
    int r;

    while ((r = gap_tl_next(&it, &object)) > 0) {
        if (!gap_peer_equal(gap_peer_of(gap_tl_bytes(object)), peer)) continue;
        *out = object;
        return 1;
    }
    return r;
}

void gap_update_done(gap_update_t *update)
{
    gap_update_finish(update, 0);
}

void gap_update_failed(gap_update_t *update, int error)
{
    GAP_ASSERT(error < 0);
    gap_update_finish(update, error);
}
