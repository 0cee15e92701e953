/*
 * store/record.c - well-formed records, and the texts of faults. Pure.
 */
#include "store/record.h"

#include <stdio.h>
#include <string.h>

#define PATH_SHOWN 100 /* bytes of a path in a fault's text */

static bool is_peer(gap_peer_t peer)
{
    return peer.id != 0 && (peer.kind == GAP_PEER_USER || peer.kind == GAP_PEER_CHAT ||
                            peer.kind == GAP_PEER_CHANNEL);
}

static bool is_number(uint64_t number)
{
    return number != 0 && number <= INT64_MAX;
}

static bool is_place(gap_box_t box, int64_t channel_id)
{
    switch (box) {
    case GAP_BOX_NONE:
    case GAP_BOX_COMMON:
    case GAP_BOX_QTS:
        return true;
    case GAP_BOX_CHANNEL:
        return channel_id != 0;
    }
    return false;
}

static bool has_eid(const gap_eid_t *eid)
{
    static const gap_eid_t none;

    return memcmp(eid, &none, sizeof none) != 0;
}

static bool is_done(const gap_done_record_t *done)
{
    return has_eid(&done->eid) && is_place(done->box, done->channel_id);
}

static bool is_call(const gap_call_record_t *call)
{
    return call->call != NULL && call->result != NULL &&
           (call->inbox == 0 || is_number(call->inbox)) &&
           (!call->has_done || is_done(&call->done));
}

bool gap_record_is_valid(const gap_record_t *record)
{
    switch (record->kind) {
    case GAP_RECORD_ACCOUNT:
    case GAP_RECORD_STATE:
        return true;
    case GAP_RECORD_CHANNEL:
        return record->u.channel.id != 0;
    case GAP_RECORD_PEER:
        return is_peer(record->u.peer.peer);
    case GAP_RECORD_INBOX:
        return is_number(record->u.inbox.number) &&
               (record->removed || (is_place(record->u.inbox.box, record->u.inbox.channel_id) &&
                                    record->u.inbox.update.len <= GAP_RECORD_BYTES_MAX));
    case GAP_RECORD_DONE:
        return record->removed ? has_eid(&record->u.done.eid) : is_done(&record->u.done);
    case GAP_RECORD_DEAD:
        return is_number(record->u.dead.number) &&
               (record->removed || (is_place(record->u.dead.box, record->u.dead.channel_id) &&
                                    record->u.dead.reason.len <= GAP_RECORD_BYTES_MAX &&
                                    record->u.dead.update.len <= GAP_RECORD_BYTES_MAX));
    case GAP_RECORD_VALUE:
        return record->u.value.key.len > 0 && record->u.value.key.len <= GAP_RECORD_BYTES_MAX &&
               (record->removed || record->u.value.value.len <= GAP_RECORD_BYTES_MAX);
    case GAP_RECORD_BOOT:
        return record->removed || record->u.boot.epoch <= INT64_MAX;
    case GAP_RECORD_CALL:
        return !record->removed && is_call(&record->u.call);
    }
    return false;
}

bool gap_peer_key_is_valid(const gap_peer_key_t *key)
{
    switch (key->by) {
    case GAP_BY_ID:
        return is_peer(key->peer);
    case GAP_BY_USERNAME:
    case GAP_BY_PHONE:
        return true;
    }
    return false;
}

size_t gap_record_bytes(const gap_record_t *r)
{
    if (r->removed) return r->kind == GAP_RECORD_VALUE ? r->u.value.key.len : 0;
    if (r->kind == GAP_RECORD_INBOX) return r->u.inbox.has_update ? r->u.inbox.update.len : 0;
    if (r->kind == GAP_RECORD_DEAD) return r->u.dead.update.len + r->u.dead.reason.len;
    if (r->kind == GAP_RECORD_VALUE) return r->u.value.key.len + r->u.value.value.len;
    return 0;
}

static uint8_t *append(uint8_t *at, gap_bytes_t bytes, gap_bytes_t *out)
{
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    *out = (gap_bytes_t){at, bytes.len};
    return at + bytes.len;
}

void gap_record_copy(gap_record_t *to, const gap_record_t *from, uint8_t *bytes)
{
    const gap_bytes_t none = {NULL, 0};

    *to = *from;
    if (from->kind == GAP_RECORD_INBOX) {
        bool has = from->u.inbox.has_update && !from->removed;
        (void)append(bytes, has ? from->u.inbox.update : none, &to->u.inbox.update);
    } else if (from->kind == GAP_RECORD_DEAD) {
        bytes = append(bytes, from->removed ? none : from->u.dead.update, &to->u.dead.update);
        (void)append(bytes, from->removed ? none : from->u.dead.reason, &to->u.dead.reason);
    } else if (from->kind == GAP_RECORD_VALUE) {
        bytes = append(bytes, from->u.value.key, &to->u.value.key);
        (void)append(bytes, from->removed ? none : from->u.value.value, &to->u.value.value);
    }
}

bool gap_read_is_valid(const gap_read_t *what)
{
    switch (what->kind) {
    case GAP_RECORD_INBOX:
    case GAP_RECORD_DEAD:
        return what->after ? what->number <= INT64_MAX : is_number(what->number);
    case GAP_RECORD_VALUE:
        return !what->after && what->key.len > 0;
    case GAP_RECORD_ACCOUNT:
    case GAP_RECORD_STATE:
    case GAP_RECORD_CHANNEL:
    case GAP_RECORD_PEER:
    case GAP_RECORD_DONE:
    case GAP_RECORD_BOOT:
    case GAP_RECORD_CALL:
        break;
    }
    return false;
}

gap_record_t gap_read_key(const gap_read_t *what)
{
    gap_record_t key;

    memset(&key, 0, sizeof key);
    key.kind = what->kind;
    if (what->kind == GAP_RECORD_INBOX) key.u.inbox.number = what->number;
    if (what->kind == GAP_RECORD_DEAD) key.u.dead.number = what->number;
    if (what->kind == GAP_RECORD_VALUE) key.u.value.key = what->key;
    return key;
}

struct gap_read_page gap_read_page(const gap_read_t *what)
{
    return (struct gap_read_page){
        .left = what->limit != 0 ? what->limit : GAP_READ_LIMIT,
        .bytes = what->bytes_max != 0 ? what->bytes_max : GAP_READ_BYTES,
    };
}

bool gap_read_goes_on(struct gap_read_page *page, const gap_record_t *record)
{
    size_t len =
        record->kind == GAP_RECORD_INBOX ? record->u.inbox.update.len : record->u.dead.update.len;

    page->left--;
    page->bytes -= len < page->bytes ? len : page->bytes;
    return page->left > 0 && page->bytes > 0;
}

int gap_storage_fail(gap_storage_fault_t *fault, int code, const char *what, const char *path,
                     const char *todo)
{
    size_t len = path == NULL ? 0 : strlen(path);

    if (path == NULL)
        snprintf(fault->text, sizeof fault->text, "%s; %s", what, todo);
    else if (len <= PATH_SHOWN)
        snprintf(fault->text, sizeof fault->text, "%s: %s; %s", path, what, todo);
    else
        snprintf(fault->text, sizeof fault->text, "...%s: %s; %s", path + len - PATH_SHOWN, what,
                 todo);
    return code;
}
