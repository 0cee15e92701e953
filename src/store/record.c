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
    case GAP_RECORD_DONE:
    case GAP_RECORD_DEAD:
    case GAP_RECORD_VALUE:
    case GAP_RECORD_BOOT:
    case GAP_RECORD_CALL:
        break;
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
