/*
 * userbot/publish_notes.h - a folder of notes becomes posts.
 *
 *   folder -> *.md, sub-folders too -> read -> keys -> titles -> links -> parts, one per message
 *
 * Nothing here talks to anybody: what is wrong with a note is told, with file and line, and the
 * note is left out; the others go on.
 */
#ifndef GAP_USERBOT_PUBLISH_NOTES_H
#define GAP_USERBOT_PUBLISH_NOTES_H

#include "outbox/markdown.h"

#include <gapless/outbox.h>

/** Folders inside of folders. */
#define NOTES_DEPTH_MAX 32
/** Longest path of a note within its folder, bytes. */
#define NOTES_PATH_MAX 1024
/** Longest key of a note; its parts have #2 and so on behind it. */
#define NOTES_KEY_MAX 240

struct note {
    char *path; /* within the folder */
    uint8_t *source;
    size_t source_len;
    gap_note_t parsed;
    char *key;
    gap_bytes_t chat; /* view into source; empty: as --chat says */
    char *title;
    bool broken;
};

/** What one message is to be. Views into the note. */
struct note_post {
    struct note *note;
    char *key;
    gap_bytes_t text;
    gap_outbox_entity_t *entities;
    uint32_t entity_count;
};

struct notes {
    char *folder;      /* as it was given, without a slash at its end */
    struct note *list; /* by path */
    size_t count;
    size_t cap;
    size_t broken;
    bool is_partial; /* not every folder was looked into: what is missing may be there */
    struct note_post *posts; /* of notes that are not broken; in the order in which they go out */
    size_t post_count;
    size_t post_cap;
};

struct notes_config {
    bool refuse_long; /* a note longer than a message is broken */
    bool deletes;     /* messages of notes that are gone: if all are, it says that it doesn't */
    /** One line about what is wrong: "folder/a.md:3: ...". */
    void (*complain)(void *arg, const char *line);
    /** The key that the note of this path had when it was whole; "" if none is known. May be NULL.
     */
    void (*old_key)(void *arg, const char *path, char *out, size_t cap);
    /** The title that a note had when it was whole; "" if none is known. May be NULL. */
    void (*old_title)(void *arg, const char *key, char *out, size_t cap);
    void *arg;
};

/**
 * Read all of them.
 * @param out  notes_fini in any case.
 * @return 0, also if some are broken; GAP_E_NOT_FOUND there are none, said already; GAP_E_NOMEM; a
 *         negated errno: the folder can't be read, said already.
 */
GAP_NODISCARD int notes_read(const char *folder, const struct notes_config *config,
                             struct notes *out);
/** Safe twice, and on zeros. */
void notes_fini(struct notes *n);

/** A note is broken after all: @p line as of complain, without the folder and path. */
void notes_break(struct notes *n, const struct notes_config *config, struct note *note,
                 uint32_t line, const char *format, ...) GAP_PRINTF(5, 6);

/** Find the files and read them (publish_folder.c). @return as notes_read. */
GAP_NODISCARD int notes_load(struct notes *n, const struct notes_config *config);

#endif
