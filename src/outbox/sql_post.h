/*
 * outbox/sql_post.h - the tables of posts, and what the files of sql_post*.c share.
 *
 * A row of gapless_outbox that belongs to a post has kind GAP_OUTBOX_POST, its number in column
 * `post`, and in `target` the message that it edits, or 0 if it is a first sending: a hint for
 * gates and limits, because what it does is decided at its claim.
 */
#ifndef GAP_OUTBOX_SQL_POST_H
#define GAP_OUTBOX_SQL_POST_H

#include "outbox/post.h"

#include <sqlite3.h>

/** Part of the first version of the outbox's tables. Bytes come last: what stands before them is
 * read without them. */
#define GAP_POST_SQL_TABLES                                                                        \
    "CREATE TABLE main.gapless_outbox_post("                                                       \
    " post INTEGER PRIMARY KEY AUTOINCREMENT,"                                                     \
    " key BLOB UNIQUE," /* NULL: removed, and kept until it is known whether it was sent */        \
    " chat INTEGER NOT NULL,"                                                                      \
    " class INTEGER NOT NULL,"                                                                     \
    " if_gone INTEGER NOT NULL,"                                                                   \
    " if_expired INTEGER NOT NULL,"                                                                \
    " deadline INTEGER NOT NULL,"                                                                  \
    " message_id INTEGER NOT NULL," /* 0: not sent yet */                                          \
    " previous INTEGER NOT NULL,"  /* the message that the next one takes the place of; 0: none */ \
    " reply_to INTEGER NOT NULL,"  /* of its first sending; 0: none */                             \
    " random_id INTEGER NOT NULL," /* of its first sending */                                      \
    " row INTEGER NOT NULL,"       /* the one that is alive, if any is */                          \
    " revision INTEGER NOT NULL,"  /* how often it was sent or edited */                           \
    " doubt INTEGER NOT NULL,"     /* 1: a call was begun whose outcome is not known */            \
    " frozen INTEGER NOT NULL,"    /* 1: gone, 2: expired: it is not edited any more */            \
    " generation INTEGER NOT NULL," /* of the rendering that changed it last; 0: an upsert's */    \
    " link_base BLOB NOT NULL,"                                                                    \
    " title BLOB NOT NULL,"                                                                        \
    " sent BLOB,"    /* hash of what was acknowledged */                                           \
    " hash BLOB,"    /* of what is wanted; NULL: not rendered yet */                               \
    " content BLOB," /* what is wanted, packed */                                                  \
    " source BLOB);" /* the same with links to posts; NULL: a renderer makes it */                 \
    "CREATE TABLE main.gapless_outbox_link("                                                       \
    " depends_on BLOB NOT NULL," /* key of a post, which need not be there */                      \
    " kind INTEGER NOT NULL,"    /* 1 its address, 2 its title, 3 its text */                      \
    " post INTEGER NOT NULL,"    /* the one that shows it */                                       \
    " PRIMARY KEY(depends_on, kind, post)) WITHOUT ROWID;"                                         \
    "CREATE INDEX main.gapless_outbox_link_post ON gapless_outbox_link(post);"                     \
    "CREATE TABLE main.gapless_outbox_dirty("                                                      \
    " post INTEGER PRIMARY KEY,"                                                                   \
    " since INTEGER NOT NULL," /* 0: a client has to look at its clock first */                    \
    " generation INTEGER NOT NULL);"                                                               \
    "CREATE INDEX main.gapless_outbox_dirty_since ON gapless_outbox_dirty(since)"

/** Selects nothing, and fails if a column is missing. */
#define GAP_POST_SQL_PROBE                                                                         \
    "SELECT post, key, chat, class, if_gone, if_expired, deadline, message_id, previous, "         \
    "reply_to,"                                                                                    \
    " random_id, row, revision, doubt, frozen, generation, link_base, title, sent, hash, content," \
    " source FROM main.gapless_outbox_post LIMIT 0;"                                               \
    "SELECT depends_on, kind, post FROM main.gapless_outbox_link LIMIT 0;"                         \
    "SELECT post, since, generation FROM main.gapless_outbox_dirty LIMIT 0"

#endif
