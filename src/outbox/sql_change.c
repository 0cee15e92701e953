/*
 * outbox/sql_change.c - rows that change what waits already: an edit takes the place of a waiting
 * one, or of the content of a message that was not sent yet; a deletion of such a message takes its
 * row back.
 *
 * Only rows of which no call was begun that may have been executed are touched: after one the
 * random_id stands for the first text. And a row has room for one key: who brings another one waits
 * in a row of his own, or that key would be taken for a new one the next time.
 */
#include "outbox/content.h"
#include "outbox/sql_enqueue.h"
#include "store/sqlite.h"

static int read_about(sqlite3_stmt *stmt, struct gap_about *out)
{
    int64_t version;
    int64_t kind;
    int64_t state;
    int64_t flags;
    int64_t message_id;
    int64_t target;

    if (!gap_outbox_column_number(stmt, 0, 1, INT64_MAX, &version) ||
        !gap_outbox_column_number(stmt, 1, 1, GAP_OUTBOX_POST, &kind) ||
        !gap_outbox_column_number(stmt, 2, GAP_OUTBOX_READY, GAP_OUTBOX_CANCELLED, &state) ||
        !gap_outbox_column_number(stmt, 3, 0, INT64_MAX, &flags) ||
        !gap_outbox_column_number(stmt, 4, INT64_MIN, INT64_MAX, &out->chat) ||
        !gap_outbox_column_number(stmt, 5, 0, INT32_MAX, &message_id) ||
        !gap_outbox_column_number(stmt, 6, 0, INT32_MAX, &target))
        return GAP_E_DAMAGED;
    if (version > GAP_OUTBOX_VERSION) return GAP_E_NEWER;
    out->kind = (uint32_t)kind;
    out->state = (gap_outbox_state_t)state;
    out->begun = (flags & GAP_OUTBOX_FLAG_BEGUN) != 0;
    out->message_id = (int32_t)message_id;
    out->target = (int32_t)target;
    return SQLITE_OK;
}

int gap_writing_about(struct gap_writing *w, int64_t row, struct gap_about *out)
{
    sqlite3_stmt *stmt;
    int rc = gap_writing_statement(w, GAP_WRITE_ABOUT, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, row);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        rc = read_about(stmt, out);
    else if (rc == SQLITE_DONE)
        rc = GAP_E_NOT_FOUND;
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc;
}

/* The edit that waits and was not begun; 0: none. */
static int find_edit(struct gap_writing *w, enum gap_writing_sql which, int64_t chat, int64_t of,
                     int64_t *row)
{
    sqlite3_stmt *stmt;
    int rc = gap_writing_statement(w, which, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, chat);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, of);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *row = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* What an edit makes of a content: a part that it does not speak of stays. */
static gap_outbox_content_t edited(const gap_outbox_content_t *older,
                                   const gap_outbox_content_t *edit)
{
    gap_outbox_content_t c = *older;
    bool has_media = edit->media.data != NULL || edit->media.value != NULL;

    c.markup = edit->markup;
    if (edit->text.len == 0 && !has_media) return c;
    c.text = edit->text;
    c.entities = edit->entities;
    c.entity_count = edit->entity_count;
    c.no_preview = edit->no_preview;
    if (has_media) c.media = edit->media;
    return c;
}

/* Reads the payload of a row into w->older. @param waits  Does it wait for that time, too? */
static int read_payload(struct gap_writing *w, int64_t row, int64_t not_before_us, bool *has_key,
                        bool *waits)
{
    sqlite3_stmt *stmt;
    int rc = gap_writing_statement(w, GAP_WRITE_PAYLOAD, &stmt);

    gap_buf_clear(&w->older);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, row);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, not_before_us);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        gap_bytes_t bytes = gap_outbox_column(stmt, 0);
        *has_key = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
        *waits = sqlite3_column_int(stmt, 2) != 0;
        rc = gap_buf_append(&w->older, bytes.data, bytes.len);
    } else if (rc == SQLITE_DONE) {
        rc = GAP_E_NOT_FOUND;
    }
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc;
}

/* Put the edit's content into a row. @return GAP_E_DAMAGED, GAP_E_NEWER: that row can't be read. */
static int replace_content(struct gap_writing *w, int64_t row, const gap_outbox_item_t *edit,
                           bool *fits)
{
    struct gap_item older;
    sqlite3_stmt *stmt;
    bool has_key = false;
    bool waits = true;

    *fits = false;
    int rc = read_payload(w, row, edit->not_before_us, &has_key, &waits);
    if (rc == SQLITE_OK && !waits) return SQLITE_OK; /* nobody is to see it before its time */
    if (rc == SQLITE_OK && has_key && edit->key.len > 0) return SQLITE_OK; /* two names, two rows */
    if (rc == SQLITE_OK) rc = gap_item_unpack(gap_buf_view(&w->older), &older);
    if (rc != SQLITE_OK) return rc;
    older.item.content = edited(&older.item.content, &edit->content);
    if (older.item.kind != GAP_OUTBOX_EDIT) older.item.kind = gap_content_kind(&older.item.content);
    older.item.chat = edit->chat;
    gap_buf_clear(&w->payload);
    rc = gap_item_pack(&older.item, &w->payload);
    if (rc == GAP_E_ARGUMENT || rc == GAP_E_LIMIT) return SQLITE_OK; /* a row of its own will do */
    if (rc == SQLITE_OK) rc = gap_writing_statement(w, GAP_WRITE_REPLACE, &stmt);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, row);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, older.item.kind);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_blob(stmt, 3, gap_buf_view(&w->payload));
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 4, gap_writing_class(edit));
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 5, edit->deadline_us);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 6, edit->key);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    *fits = rc == SQLITE_OK;
    return rc;
}

/* Likewise; if it does not work out, the edit waits in a row of its own. */
static int try_replace(struct gap_writing *w, int64_t older, const gap_outbox_item_t *edit,
                       int64_t *row)
{
    bool fits;
    int rc = replace_content(w, older, edit, &fits);

    if (rc == SQLITE_OK && fits) *row = older;
    if (rc == GAP_E_DAMAGED || rc == GAP_E_NEWER) rc = SQLITE_OK;
    if (rc != SQLITE_OK || fits) return rc;
    gap_buf_clear(&w->payload);
    return gap_item_pack(edit, &w->payload);
}

static bool makes_message(uint32_t kind)
{
    return kind != GAP_OUTBOX_DELETE && kind != GAP_OUTBOX_READ;
}

/* Behind a row that was under way when it was edited its edit waits in a row of its own: what comes
 * now goes there, or that one would undo it. */
static int edit_unsent(struct gap_writing *w, const gap_outbox_item_t *edit,
                       const struct gap_about *about, int64_t *row)
{
    bool is_edit = about->kind == GAP_OUTBOX_EDIT;
    int64_t newest = edit->message_row;
    int rc = SQLITE_OK;

    if (!is_edit)
        rc = find_edit(w, GAP_WRITE_EDITS_ROW, about->chat, edit->message_row, &newest);
    else if (about->target != 0)
        rc = find_edit(w, GAP_WRITE_EDITS, about->chat, about->target, &newest);
    if (newest < edit->message_row) newest = edit->message_row;
    return rc == SQLITE_OK ? try_replace(w, newest, edit, row) : rc;
}

/* It is taken back. With a key besides its own the deletion gets a row, too, which comes to nothing
 * when its turn comes. */
static int cancel_unsent(struct gap_writing *w, const gap_outbox_item_t *item, int64_t *row)
{
    bool has_key = false;
    bool waits = true;
    sqlite3_stmt *stmt;
    int rc = read_payload(w, item->message_row, item->not_before_us, &has_key, &waits);

    if (rc == SQLITE_OK && !waits) return rc; /* it is to be seen until then */
    if (rc == SQLITE_OK) rc = gap_writing_statement(w, GAP_WRITE_CANCEL, &stmt);
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 2, item->key);
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, &item->message_row, 1);
    if (rc == SQLITE_OK && !(has_key && item->key.len > 0)) *row = item->message_row;
    return rc;
}

/* What a row may become as long as nothing of it was sent. */
static int change_unsent(struct gap_writing *w, const gap_outbox_item_t *item,
                         const struct gap_about *about, int64_t *row)
{
    bool sends = about->kind == GAP_OUTBOX_SEND || about->kind == GAP_OUTBOX_MEDIA;

    if (item->kind == GAP_OUTBOX_EDIT && (sends || about->kind == GAP_OUTBOX_EDIT))
        return edit_unsent(w, item, about, row);
    if (item->kind != GAP_OUTBOX_DELETE || (!sends && about->kind != GAP_OUTBOX_FORWARD))
        return SQLITE_OK;
    return cancel_unsent(w, item, row);
}

/* The item names a row. */
static int follow_row(struct gap_writing *w, const gap_outbox_item_t *item, int64_t of,
                      int64_t chat, int32_t *target, int64_t *target_row, int64_t *row)
{
    struct gap_about about = {.kind = 0};
    int rc = gap_writing_about(w, of, &about);

    if (rc != SQLITE_OK) return rc;
    if (about.chat != chat || !makes_message(about.kind)) return GAP_E_ARGUMENT;
    switch (about.state) {
    case GAP_OUTBOX_CANCELLED:
        return GAP_E_NOT_FOUND;
    case GAP_OUTBOX_SENT:
        *target = about.message_id;
        return about.message_id != 0 ? SQLITE_OK : GAP_E_NOT_FOUND;
    case GAP_OUTBOX_READY:
    case GAP_OUTBOX_SNOOZED:
    case GAP_OUTBOX_PARKED:
    case GAP_OUTBOX_DEAD:
        *target_row = of;
        if (item->message_row != 0 && !about.begun) rc = change_unsent(w, item, &about, row);
        return rc;
    case GAP_OUTBOX_LEASED:
    case GAP_OUTBOX_UNKNOWN:
        break;
    }
    /* An edit's message is known: what waits for that has to be found under either name. */
    if (item->kind == GAP_OUTBOX_EDIT && about.kind == GAP_OUTBOX_EDIT && about.target != 0)
        *target = about.target;
    else
        *target_row = of;
    return SQLITE_OK;
}

int gap_writing_change(struct gap_writing *w, const gap_outbox_item_t *item, int64_t chat,
                       int32_t *target, int64_t *target_row, int64_t *row)
{
    int64_t of = item->message_row != 0 ? item->message_row : item->reply_to_row;
    int64_t older = 0;
    int rc = SQLITE_OK;

    if (of != 0) rc = follow_row(w, item, of, chat, target, target_row, row);
    if (rc != SQLITE_OK || *row != 0 || item->kind != GAP_OUTBOX_EDIT) return rc;
    if (of == 0) *target = item->ids[0];
    if (*target != 0)
        rc = find_edit(w, GAP_WRITE_EDITS, chat, *target, &older);
    else
        rc = find_edit(w, GAP_WRITE_EDITS_ROW, chat, *target_row, &older);
    return rc == SQLITE_OK && older != 0 ? try_replace(w, older, item, row) : rc;
}
