/*
 * gapless/store.h - where an account's positions, peers, unfinished updates, dead letters and
 * session data are kept over restarts. Two storages come with the library, memory and SQLite; a
 * third is any struct that begins with a gap_storage_t.
 *
 * A storage is plain blocking code: its functions are called one at a time, never side by side, on
 * a thread of the library that belongs to the account (the writer thread). It knows nothing of
 * loops. What is kept is a set of records, each found by its key; a commit replaces or removes
 * records in one atomic, durable step.
 *
 * Authorization keys are not among them: they live in the session file (gap_client_config.session).
 */
#ifndef GAPLESS_STORE_H
#define GAPLESS_STORE_H

#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3; /* SQLite's connection; only its name is needed here */

/** Kinds of records. Their numbers are stable: they may be written to disk. */
typedef enum gap_record_kind {
    GAP_RECORD_ACCOUNT = 1, /* whose records these are; one at most */
    GAP_RECORD_STATE = 2,   /* positions of the account; one at most */
    GAP_RECORD_CHANNEL = 3, /* position of a channel; key: id */
    GAP_RECORD_PEER = 4,    /* a user, basic group or channel; key: kind and id */
    GAP_RECORD_INBOX = 5,   /* an update whose handler has not finished; key: number */
    GAP_RECORD_DONE = 6,    /* one whose handler has, above the stored position; key: eid */
    GAP_RECORD_DEAD = 7,    /* one that was given up: a dead letter; key: number */
    GAP_RECORD_VALUE = 8,   /* data of the user's handlers; key: bytes */
    GAP_RECORD_BOOT = 9,    /* how often it was opened, and the account's secret; one at most */
    GAP_RECORD_CALL = 10    /* never stored: a function that is run inside the commit */
} gap_record_kind_t;

/** The identity of an event, which survives a crash: a keyed hash of what names it (account, chat
 * and message id, or query id, or qts). All zero: it has none. */
typedef struct gap_eid {
    uint8_t bytes[16];
} gap_eid_t;

/** Whose records these are. */
typedef struct gap_account_record {
    int64_t user_id;
    bool bot;
} gap_account_record_t;

/** Positions of the account, all below what every handler has finished. 0: unset. */
typedef struct gap_state_record {
    int32_t pts;
    int32_t qts;
    int32_t seq;
    int32_t date; /* the server's, seconds since 1970 */
} gap_state_record_t;

/** Position of a channel. */
typedef struct gap_channel_record {
    int64_t id;
    int32_t pts;     /* below what every handler has finished; 0: unset */
    bool unfinished; /* there is or may be more behind pts: to be asked after a restart even if the
                        server does not name the channel */
} gap_channel_record_t;

/** What is known about a peer. */
typedef struct gap_peer_record {
    gap_peer_t peer;
    int64_t access_hash; /* of this account; 0: none */
    bool has_hash;       /* false: none was ever given */
    bool min;            /* only ever seen as a partial object: the hash does not address it */
    gap_peer_t seen_in;  /* partial: the chat with a message that names it; kind NONE: not known */
    int32_t seen_msg_id; /* that message */
    bool has_names;      /* phone and usernames are meant; false: as they are, or not loaded */
    gap_bytes_t phone;   /* digits, without "+"; empty: none */
    const gap_bytes_t *usernames; /* without "@", as the server spells them; active ones */
    size_t username_count;
} gap_peer_record_t;

/** An update that is kept until its handler is through: a row of the journal. */
typedef struct gap_inbox_record {
    uint64_t number;    /* 1 to INT64_MAX; ascending in the order of arrival, never used again */
    gap_eid_t eid;      /* all zero: none */
    uint64_t content;   /* hash of what an edit may change */
    uint32_t attempts;  /* how often its handler was begun */
    gap_box_t box;      /* the sequence it belongs to */
    int64_t channel_id; /* GAP_BOX_CHANNEL */
    int64_t created_us; /* wall clock, microseconds since 1970 */
    bool has_update;    /* false: the stored bytes stay as they are (none stored: nothing changes),
                           or they were not loaded */
    gap_bytes_t update; /* the packed update */
} gap_inbox_record_t;

/** An update whose handler is through, though its sequence's stored position is below it: fetched
 * again after a crash it is left out. */
typedef struct gap_done_record {
    gap_eid_t eid; /* not all zero */
    uint64_t content;
    gap_box_t box;
    int64_t channel_id;
    int32_t before; /* its sequence has to be stored above this position to forget it */
} gap_done_record_t;

/** A dead letter: an update whose handler failed too often. */
typedef struct gap_dead_record {
    uint64_t number; /* 1 to INT64_MAX; the one that it had in the inbox */
    gap_eid_t eid;
    uint64_t content;
    uint32_t attempts;
    int error;          /* what the last attempt returned; 0: it never came back */
    gap_bytes_t reason; /* one line of UTF-8 for people; may be empty */
    int64_t created_us;
    int64_t died_us;
    gap_box_t box;
    int64_t channel_id;
    gap_bytes_t update; /* the packed update */
} gap_dead_record_t;

/** Data of the user's. */
typedef struct gap_value_record {
    gap_bytes_t key; /* at least one byte; first bytes of 0 are the library's own */
    gap_bytes_t value;
} gap_value_record_t;

/** About this storage's life. */
typedef struct gap_boot_record {
    uint64_t epoch; /* up to INT64_MAX; grows with every opening by a client */
    bool clean;     /* the last client ended in order */
    uint8_t secret[32];
} gap_boot_record_t;

/**
 * A function that a commit runs at this record's place in the order, on the writer thread, inside a
 * savepoint. Returns it something negative, what it has written through @p db is rolled back and
 * nothing of `inbox` and `done` happens; the commit goes on either way. If the commit fails as a
 * whole the function is run anew with the next one. The result is good when the commit is.
 */
typedef struct gap_call_record {
    /** @param db The storage's own connection, inside its transaction, which the function may not
     * end; borrowed. NULL: the storage has no SQL. */
    int (*call)(void *arg, struct sqlite3 *db);
    void *arg;
    int *result;    /* where the storage writes what it returned; or GAP_E_STATE if it ended
                       the transaction, GAP_E_DAMAGED if it met a page of the database that can't
                       be read, so that with it nothing could be committed. Not NULL */
    uint64_t inbox; /* after a success: remove this row of the inbox; 0: none */
    bool has_done;  /* after a success: store `done` */
    gap_done_record_t done;
} gap_call_record_t;

/** One record. Views are borrowed. */
typedef struct gap_record {
    gap_record_kind_t kind;
    bool removed; /* delete what is stored under this key; only the key members count */
    union {
        gap_account_record_t account;
        gap_state_record_t state;
        gap_channel_record_t channel;
        gap_peer_record_t peer;
        gap_inbox_record_t inbox;
        gap_done_record_t done;
        gap_dead_record_t dead;
        gap_value_record_t value;
        gap_boot_record_t boot;
        gap_call_record_t call;
    } u;
} gap_record_t;

/** What `read` is asked for. */
typedef struct gap_read {
    gap_record_kind_t kind; /* GAP_RECORD_INBOX, GAP_RECORD_DEAD or GAP_RECORD_VALUE */
    bool after;             /* INBOX, DEAD: those above number, ascending; false: that one */
    uint64_t number;        /* INBOX, DEAD */
    uint32_t limit;         /* after: at most so many; 0: GAP_READ_LIMIT */
    size_t bytes_max;       /* after: the row with which their updates reach so many bytes is the
                               last one; 0: GAP_READ_BYTES */
    gap_bytes_t key;        /* VALUE */
} gap_read_t;

/** Longest packed update or value, in bytes. */
#define GAP_RECORD_BYTES_MAX 33554432

/** Defaults of gap_read.limit and bytes_max. */
#define GAP_READ_LIMIT 256
#define GAP_READ_BYTES 1048576

/** What a peer is looked for by. */
typedef enum gap_peer_by { GAP_BY_ID = 0, GAP_BY_USERNAME = 1, GAP_BY_PHONE = 2 } gap_peer_by_t;

/** How to find a peer. */
typedef struct gap_peer_key {
    gap_peer_by_t by;
    gap_peer_t peer;  /* GAP_BY_ID */
    gap_bytes_t text; /* a username without "@", upper and lower case alike; or a phone's digits */
} gap_peer_key_t;

/** Takes one record. @return 0 go on; anything else ends the loading, which returns it. */
typedef int (*gap_record_cb)(void *arg, const gap_record_t *record);

/** What went wrong, for people: what happened and what to do. */
typedef struct gap_storage_fault {
    char text[256];     /* one line; "" if there is nothing to add to the code */
    int64_t holder_pid; /* GAP_E_HELD: the process that holds the storage; 0: not known */
} gap_storage_fault_t;

typedef struct gap_storage gap_storage_t;

/**
 * What a storage does. Results are 0 or negative. @p fault is never NULL and zeroed before.
 *
 * The library calls load, commit, find, read and query only between open and close, with records of
 * known kinds whose keys are set (no id 0, no GAP_PEER_NONE); a storage may answer anything else
 * with GAP_E_STATE or GAP_E_ARGUMENT.
 *
 * Failures of all: GAP_E_NOMEM; GAP_E_STORAGE nothing was changed, it may be tried again (locked by
 * somebody, disk full, no permission); GAP_E_SYNC whether the last commit is on disk is not known:
 * nothing is committed any more until the storage has been closed, opened and loaded again;
 * GAP_E_DAMAGED what is stored can't be read.
 */
struct gap_storage_ops {
    uint32_t version; /* GAP_STORAGE_VERSION */
    /** Make ready; creates what does not exist. Also after close. Besides: GAP_E_HELD another
     * process (or client) works with it; GAP_E_FOREIGN it is something else, untouched; GAP_E_NEWER
     * a newer version of the library wrote it, untouched. */
    int (*open)(gap_storage_t *s, gap_storage_fault_t *fault);
    /** Hand over all records but dead letters and values, in any order; peers without names
     * (has_names false), the inbox ascending by number and without updates (has_update false). */
    int (*load)(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault);
    /** Replace or remove records, all or nothing; 0 means that they are on disk. They take effect
     * in their order: of records with the same key the last one counts (one without names leaves
     * those of the one before it), and a username or phone belongs to the peer that was given it
     * last. Empty names are none. What is removed need not be there. Done records of a sequence
     * are forgotten when the commit stores a position of that sequence above their `before`
     * (state: pts for GAP_BOX_COMMON, qts for GAP_BOX_QTS), or removes its channel, wherever in the
     * order that is. Calls are run in their place; if the commit can't succeed any more it may end
     * without running them. */
    int (*commit)(gap_storage_t *s, const gap_record_t *records, size_t count,
                  gap_storage_fault_t *fault);
    /** Find one peer, names included (has_names true); each is called at most once, usernames in
     * the order in which they were given. What @p each returns, if not 0, is the result. */
    int (*find)(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                gap_storage_fault_t *fault);
    /** Hand over what is asked for, updates included; nothing if there is none. What @p each
     * returns, if not 0, ends it and is the result. */
    int (*read)(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                gap_storage_fault_t *fault);
    /** Let go of files and locks. No-op if not open. */
    void (*close)(gap_storage_t *s);
    /** Free it; it is closed. The client calls this when it is done with its storage. */
    void (*destroy)(gap_storage_t *s);
    /** Run a function that looks at what is committed, with the storage's own connection and
     * outside of a transaction; what it returns is in @p result. It may not write, and leaves no
     * statement behind. NULL: the storage has no SQL. Since version 3; of one of version 2 it is
     * not looked at. */
    int (*query)(gap_storage_t *s, int (*query)(void *arg, struct sqlite3 *db), void *arg,
                 int *result, gap_storage_fault_t *fault);
};

/** A storage; the first member of an implementation's own struct. */
struct gap_storage {
    const struct gap_storage_ops *ops;
};

#define GAP_STORAGE_VERSION 3

/**
 * A storage in memory: what it holds is gone with it.
 * @param alloc  NULL: gap_alloc_default(). Pinned.
 * @param out    Taken by the client that is opened with it.
 * @return 0, GAP_E_NOMEM. Any thread.
 */
GAP_API GAP_NODISCARD int gap_storage_memory(const gap_alloc_t *alloc, gap_storage_t **out);

/** Settings of a SQLite storage. Zero-initialise. */
typedef struct gap_sqlite_config {
    const char *path; /* name of a file; copied. Relative to the directory in which the client
                         starts; neither ":memory:" nor a URI */
    bool normal_sync; /* synchronous=NORMAL instead of FULL: a power failure (not a kill) may take
                         the last commits back; never their order */
} gap_sqlite_config_t;

/**
 * A storage in a SQLite database. The file is not touched before the client starts; it is made then
 * if it is missing (mode 0600, as a WAL database).
 *
 * The database may be your own, and you may use it side by side with the client: only tables whose
 * names begin with gapless_ are touched. A database that exists keeps its journal mode, whichever
 * that is (WAL lets you read while the client commits); its application_id, user_version and other
 * settings are never changed. A transaction of yours that writes holds the client's commits up:
 * after 5 s they fail with GAP_E_STORAGE and are tried again.
 *
 * Beside the file lies PATH-gapless.lock, which keeps a second client out, also one of another
 * process, and holds the process id of the client that has it. Remove it only with the database,
 * and neither while a client works with them: one whose file was deleted or replaced goes on with
 * the old one, which nobody else sees any more, and can't tell.
 *
 * Memory: about 100 KiB while open, 200 KiB once it has stored many records at once, half a MiB
 * more once an outbox has sent to many chats at once, from SQLite's own allocator; what is kept of
 * records and names comes from @p alloc.
 *
 * @param alloc  NULL: gap_alloc_default(). Pinned.
 * @param out    Taken by the client that is opened with it.
 * @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT no path; GAP_E_NOT_FOUND the library was built without
 *         SQLite. Any thread.
 */
GAP_API GAP_NODISCARD int gap_storage_sqlite(const gap_alloc_t *alloc,
                                             const gap_sqlite_config_t *config,
                                             gap_storage_t **out);
/** Was the library built with SQLite? */
GAP_API bool gap_storage_has_sqlite(void);

#ifdef __cplusplus
}
#endif
#endif
