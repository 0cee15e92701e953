/*
 * userbot/count.c - counts events in the database that holds the account's state, for whoever wants
 * to see that each is handled once, whatever happens to the process:
 *
 *   select count(*) from userbot_count where count <> 1      -- 0
 *
 * Runs on the library's writer thread, within the commit that records the update as handled; owns
 * nothing, and keeps nothing of the connection.
 */
#include "userbot/handle.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>

static const char make_table[] = "CREATE TABLE IF NOT EXISTS userbot_count(eid TEXT PRIMARY KEY, "
                                 "kind TEXT NOT NULL, chat TEXT, id INTEGER, "
                                 "count INTEGER NOT NULL) WITHOUT ROWID";
static const char count_one[] = "INSERT INTO userbot_count VALUES(?1, ?2, ?3, ?4, 1) "
                                "ON CONFLICT(eid) DO UPDATE SET count = count + 1";

static void write_hex(const gap_eid_t *eid, char out[33])
{
    for (size_t i = 0; i < sizeof eid->bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", eid->bytes[i]);
}

static const char *kind_of(const gap_update_t *update)
{
    switch (gap_update_id(update)) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        return "new_message";
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        return "edit_message";
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        return "callback_query";
    default:
        return gap_update_box(update) == GAP_BOX_QTS ? "qts" : "other";
    }
}

static const char *chat_of(gap_peer_t chat, char *out, size_t len)
{
    const char *kind = chat.kind == GAP_PEER_USER   ? "user"
                       : chat.kind == GAP_PEER_CHAT ? "chat"
                                                    : "channel";

    (void)snprintf(out, len, "%s:%" PRId64, kind, chat.id);
    return out;
}

static int bind_all(sqlite3_stmt *s, const gap_update_t *update, const char *eid)
{
    gap_message_t message;
    char chat[40];

    int r = sqlite3_bind_text(s, 1, eid, -1, SQLITE_TRANSIENT);
    if (r == SQLITE_OK) r = sqlite3_bind_text(s, 2, kind_of(update), -1, SQLITE_STATIC);
    if (r != SQLITE_OK || gap_message_read(update, &message) != 0) return r; /* the rest is null */
    r = sqlite3_bind_text(s, 3, chat_of(message.chat, chat, sizeof chat), -1, SQLITE_TRANSIENT);
    return r == SQLITE_OK ? sqlite3_bind_int64(s, 4, message.id) : r;
}

int count_event(gap_update_t *update, struct sqlite3 *db, void *data)
{
    sqlite3_stmt *s = NULL;
    gap_eid_t eid;
    char hex[33];

    (void)data;
    if (db == NULL) return GAP_E_STATE;
    int r = gap_update_eid(update, &eid);
    if (r < 0) return r;
    write_hex(&eid, hex);
    r = sqlite3_exec(db, make_table, NULL, NULL, NULL);
    if (r == SQLITE_OK) r = sqlite3_prepare_v2(db, count_one, -1, &s, NULL);
    if (r == SQLITE_OK) r = bind_all(s, update, hex);
    if (r == SQLITE_OK && sqlite3_step(s) != SQLITE_DONE) r = sqlite3_errcode(db);
    (void)sqlite3_finalize(s);
    return r == SQLITE_OK ? 0 : -EIO;
}
