/*
 * userbot/publish_notes.c - what the notes of a folder say: their keys, titles and links, and the
 * messages that they become. Owns all that it reads.
 */
#include "userbot/publish_notes.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which line of a note a view of it is in, from 1. */
static uint32_t line_of(const struct note *note, gap_bytes_t view)
{
    uint32_t line = 1;

    if (view.data == NULL) return 0;
    for (const uint8_t *p = note->source; p < view.data; p++) line += *p == '\n';
    return line;
}

/* ---- reading ---- */

/* "line 3: why" of the reader becomes ":3: why". */
static void tell_broken(struct notes *n, const struct notes_config *config, struct note *note,
                        const char *error)
{
    static const char prefix[] = "line ";
    const char *text = error;
    char *end = NULL;
    unsigned long line = 0;

    if (strncmp(error, prefix, sizeof prefix - 1) == 0)
        line = strtoul(error + sizeof prefix - 1, &end, 10);
    if (end != NULL && strncmp(end, ": ", 2) == 0) text = end + 2;
    notes_break(n, config, note, (uint32_t)line, "%s", text);
}

static int set_key(struct notes *n, const struct notes_config *config, struct note *note)
{
    gap_bytes_t key = note->parsed.key;

    if (key.len == 0) key = gap_bytes(note->path, strlen(note->path) - 3);
    note->key = strndup((const char *)key.data, key.len);
    if (note->key == NULL) return GAP_E_NOMEM;
    if (key.len > NOTES_KEY_MAX)
        notes_break(n, config, note, line_of(note, note->parsed.key),
                    "its key has %zu bytes, %d are possible: give a shorter one in its front "
                    "matter, key: NAME",
                    key.len, NOTES_KEY_MAX);
    return 0;
}

static int read_note(struct notes *n, const struct notes_config *config, struct note *note)
{
    char error[256] = "";

    int r = gap_note_read(gap_alloc_default(), gap_bytes(note->source, note->source_len),
                          &note->parsed, error, sizeof error);
    if (r == GAP_E_NOMEM) return r;
    if (!note->broken && r < 0) {
        tell_broken(n, config, note, error[0] != '\0' ? error : gap_strerror(r));
    } else if (!note->broken && note->parsed.units == 0) {
        notes_break(n, config, note, 0, "holds no text: write some, or remove it");
    }
    note->chat = note->parsed.chat;
    return set_key(n, config, note);
}

/* ---- keys ---- */

/* A note whose front matter can't be read is still the note that it was, unless another has its key
 * now. @return 0; GAP_E_NOMEM. */
static int remember_key(struct notes *n, const struct notes_config *config, struct note *note)
{
    char key[NOTES_KEY_MAX + 1] = "";

    if (!note->broken || note->parsed.key.len > 0 || config->old_key == NULL) return 0;
    config->old_key(config->arg, note->path, key, sizeof key);
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->list[i].key, key) == 0) return 0;
    if (key[0] == '\0') return 0;
    free(note->key);
    note->key = strdup(key);
    return note->key != NULL ? 0 : GAP_E_NOMEM;
}

static int by_key(const void *a, const void *b)
{
    const struct note *x = *(const struct note *const *)a;
    const struct note *y = *(const struct note *const *)b;
    int order = strcmp(x->key, y->key);

    return order != 0 ? order : strcmp(x->path, y->path);
}

/* Nobody can tell which of two is meant: neither is published. */
static int find_doubles(struct notes *n, const struct notes_config *config)
{
    struct note **sorted = malloc((n->count + 1) * sizeof(struct note *));

    if (sorted == NULL) return GAP_E_NOMEM;
    for (size_t i = 0; i < n->count; i++) sorted[i] = &n->list[i];
    qsort(sorted, n->count, sizeof(struct note *), by_key);
    for (size_t i = 0; i < n->count; i++) {
        const struct note *other = NULL;
        if (i > 0 && strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) other = sorted[i - 1];
        if (i + 1 < n->count && strcmp(sorted[i + 1]->key, sorted[i]->key) == 0)
            other = sorted[i + 1];
        if (other == NULL) continue;
        notes_break(n, config, sorted[i], line_of(sorted[i], sorted[i]->parsed.key),
                    "has the key '%s', and so has %s: give one of them another in its front "
                    "matter, key: NAME",
                    sorted[i]->key, other->path);
    }
    free(sorted);
    return 0;
}

/* ---- titles ---- */

/* Without the places where other notes' titles will be: no title waits for another. */
static size_t without_holes(gap_bytes_t text, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (i + 3 <= text.len && memcmp(text.data + i, "\xef\xbf\xbc", 3) == 0) {
            i += 2;
            continue;
        }
        out[len++] = (char)(text.data[i] == '\n' ? ' ' : text.data[i]);
    }
    while (len > 0 && out[len - 1] == ' ') len--;
    out[len] = '\0';
    return len;
}

static int set_title(const struct notes_config *config, struct note *note)
{
    gap_bytes_t heading = gap_bytes(NULL, 0);
    char old[1024] = "";

    if (note->broken && config->old_title != NULL)
        config->old_title(config->arg, note->key, old, sizeof old);
    if (old[0] == '\0' && note->parsed.title_len > 0)
        heading = gap_bytes(note->parsed.text.data + note->parsed.title_at, note->parsed.title_len);
    note->title = malloc(heading.len + 1);
    if (note->title == NULL) return GAP_E_NOMEM;
    if (without_holes(heading, note->title) > 0) return 0;
    free(note->title);
    note->title = strdup(old[0] != '\0' ? old : note->key);
    return note->title != NULL ? 0 : GAP_E_NOMEM;
}

/* ---- links ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %20 is a blank. @return the bytes, up to # or the end. */
static size_t plain_path(gap_bytes_t address, char out[NOTES_PATH_MAX])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < address.len && address.data[i] != '#'; i++) {
        int high = -1;
        int low = -1;
        if (address.data[i] == '%' && i + 2 < address.len) {
            high = hex_digit(address.data[i + 1]);
            low = hex_digit(address.data[i + 2]);
        }
        if (len + 1 >= NOTES_PATH_MAX) return 0;
        bool coded = high >= 0 && low >= 0 && high + low > 0;
        out[len++] = (char)(coded ? high << 4 | low : address.data[i]);
        if (coded) i += 2;
    }
    out[len] = '\0';
    return len;
}

/* Append what a path says to a folder, "" or with a slash at its end. @return false: it leads out
 * of the notes, or is too long. */
static bool follow(char at[NOTES_PATH_MAX], const char *path)
{
    const char *end = path + strlen(path);
    size_t len = strlen(at);

    while (path < end) {
        size_t step = strcspn(path, "/");
        bool is_folder = path + step < end;
        if (step == 2 && memcmp(path, "..", 2) == 0) {
            if (len == 0) return false;
            for (len--; len > 0 && at[len - 1] != '/';) len--;
        } else if (step > 0 && !(step == 1 && memcmp(path, ".", 1) == 0)) {
            if (len + step + 2 > NOTES_PATH_MAX) return false;
            memcpy(at + len, path, step);
            len += step;
            if (is_folder) at[len++] = '/';
        }
        at[len] = '\0';
        path += step + (is_folder ? 1 : 0);
    }
    return true;
}

static int path_order(const void *key, const void *item)
{
    return strcmp(key, ((const struct note *)item)->path);
}

/* The note that a link of another one means, or NULL: told. */
static const struct note *find_target(struct notes *n, const struct notes_config *config,
                                      struct note *from, gap_bytes_t address)
{
    char path[NOTES_PATH_MAX];
    char at[NOTES_PATH_MAX] = "";
    const char *slash = strrchr(from->path, '/');
    const struct note *target = NULL;
    bool inside = plain_path(address, path) > 0;

    if (inside && path[0] != '/' && slash != NULL) {
        memcpy(at, from->path, (size_t)(slash + 1 - from->path));
        at[slash + 1 - from->path] = '\0';
    }
    inside = inside && follow(at, path);
    if (inside && n->count > 0)
        target = bsearch(at, n->list, n->count, sizeof *n->list, path_order);
    if (target == NULL)
        notes_break(n, config, from, line_of(from, address),
                    inside ? "links to %.*s, which is not there: write that note, or remove the "
                             "link"
                           : "links to %.*s, which lies outside of the folder: write its address "
                             "with https://",
                    (int)address.len, (const char *)address.data);
    return target;
}

/* Check a note's links, show the titles that they want. */
static int check_links(struct notes *n, const struct notes_config *config, struct note *note)
{
    for (uint32_t i = 0; i < note->parsed.entity_count; i++) {
        const gap_note_entity_t *e = &note->parsed.entities[i];
        if (e->style != GAP_STYLE_NOTE) continue;
        const struct note *target = find_target(n, config, note, e->value);
        if (target == NULL || !e->wants_title) continue;
        int r = gap_note_retitle(&note->parsed, i, gap_bytes(target->title, strlen(target->title)));
        if (r < 0) return r;
    }
    return 0;
}

/* ---- posts ---- */

static const uint32_t entity_ids[] = {
    [GAP_STYLE_BOLD] = GAP_TL_MESSAGE_ENTITY_BOLD,
    [GAP_STYLE_ITALIC] = GAP_TL_MESSAGE_ENTITY_ITALIC,
    [GAP_STYLE_UNDERLINE] = GAP_TL_MESSAGE_ENTITY_UNDERLINE,
    [GAP_STYLE_STRIKE] = GAP_TL_MESSAGE_ENTITY_STRIKE,
    [GAP_STYLE_SPOILER] = GAP_TL_MESSAGE_ENTITY_SPOILER,
    [GAP_STYLE_CODE] = GAP_TL_MESSAGE_ENTITY_CODE,
    [GAP_STYLE_PRE] = GAP_TL_MESSAGE_ENTITY_PRE,
    [GAP_STYLE_LINK] = GAP_TL_MESSAGE_ENTITY_TEXT_URL,
    [GAP_STYLE_NOTE] = GAP_POST_LINK,
    [GAP_STYLE_QUOTE] = GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE,
};

static int put_entities(struct notes *n, const struct notes_config *config, struct note_post *post,
                        const gap_part_t *part)
{
    gap_note_entity_t e;
    uint32_t it = 0;

    post->entities = calloc(post->note->parsed.entity_count + 1, sizeof *post->entities);
    if (post->entities == NULL) return GAP_E_NOMEM;
    while (gap_part_entity(&post->note->parsed, part, &it, &e)) {
        gap_bytes_t value = e.value;
        if (e.style == GAP_STYLE_NOTE) {
            const struct note *target = find_target(n, config, post->note, e.value);
            if (target == NULL) continue; /* told, and checked before */
            value = gap_bytes(target->key, strlen(target->key));
        }
        post->entities[post->entity_count++] = (gap_outbox_entity_t){
            .id = entity_ids[e.style], .offset = e.offset, .length = e.length, .value = value};
    }
    return 0;
}

static int add_post(struct notes *n, const struct notes_config *config, struct note *note,
                    const gap_part_t *part, unsigned number)
{
    char key[NOTES_KEY_MAX + 16];

    if (n->post_count == n->post_cap) {
        size_t cap = n->post_cap == 0 ? 64 : n->post_cap * 2;
        struct note_post *grown = realloc(n->posts, cap * sizeof *grown);
        if (grown == NULL) return GAP_E_NOMEM;
        n->posts = grown;
        n->post_cap = cap;
    }
    struct note_post *post = &n->posts[n->post_count];
    memset(post, 0, sizeof *post);
    (void)snprintf(key, sizeof key, number > 1 ? "%s#%u" : "%s", note->key, number);
    post->note = note;
    post->text = part->text;
    post->key = strdup(key);
    if (post->key == NULL) return GAP_E_NOMEM;
    n->post_count++;
    return put_entities(n, config, post, part);
}

/* Is it more than one message? */
static bool is_long(const gap_note_t *parsed)
{
    gap_part_t part = {0};

    return gap_note_part(parsed, GAP_PART_UNITS, &part) &&
           gap_note_part(parsed, GAP_PART_UNITS, &part);
}

static int add_posts(struct notes *n, const struct notes_config *config, struct note *note)
{
    gap_part_t part = {0};
    unsigned number = 0;
    int r = 0;

    if (config->refuse_long && is_long(&note->parsed)) {
        bool has_many = note->parsed.units <= GAP_PART_UNITS;
        notes_break(n, config, note, 0,
                    "has %u %s, a message holds %u: shorten it, or let it be split (--long split)",
                    (unsigned)(has_many ? note->parsed.entity_count : note->parsed.units),
                    has_many ? "marks and links" : "characters",
                    has_many ? GAP_PART_ENTITIES : GAP_PART_UNITS);
        return 0;
    }
    while (r == 0 && gap_note_part(&note->parsed, GAP_PART_UNITS, &part))
        r = add_post(n, config, note, &part, ++number);
    return r;
}

static int by_post_key(const void *a, const void *b)
{
    const struct note_post *x = *(const struct note_post *const *)a;
    const struct note_post *y = *(const struct note_post *const *)b;

    return strcmp(x->key, y->key);
}

/* The second message of a note has a key as well, which another note may have been given. */
static int find_double_posts(struct notes *n, const struct notes_config *config)
{
    const struct note_post **sorted = malloc((n->post_count + 1) * sizeof(struct note_post *));

    if (sorted == NULL) return GAP_E_NOMEM;
    for (size_t i = 0; i < n->post_count; i++) sorted[i] = &n->posts[i];
    qsort(sorted, n->post_count, sizeof(struct note_post *), by_post_key);
    for (size_t i = 1; i < n->post_count; i++) {
        struct note *one = sorted[i - 1]->note;
        struct note *other = sorted[i]->note;
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0) continue;
        static const char why[] = "has a message with the key '%s', and so has %s: give one of "
                                  "them another key in its front matter, key: NAME";
        notes_break(n, config, one, line_of(one, one->parsed.key), why, sorted[i]->key,
                    other->path);
        notes_break(n, config, other, line_of(other, other->parsed.key), why, sorted[i]->key,
                    one->path);
    }
    free(sorted);
    return 0;
}

/* ---- the whole ---- */

int notes_read(const char *folder, const struct notes_config *config, struct notes *out)
{
    size_t len = strlen(folder);
    int r;

    memset(out, 0, sizeof *out);
    while (len > 1 && folder[len - 1] == '/') len--;
    out->folder = strndup(folder, len);
    r = out->folder != NULL ? notes_load(out, config) : GAP_E_NOMEM;
    for (size_t i = 0; i < out->count && r == 0; i++) r = read_note(out, config, &out->list[i]);
    for (size_t i = 0; i < out->count && r == 0; i++) r = remember_key(out, config, &out->list[i]);
    if (r == 0) r = find_doubles(out, config);
    for (size_t i = 0; i < out->count && r == 0; i++) r = set_title(config, &out->list[i]);
    for (size_t i = 0; i < out->count && r == 0; i++)
        if (!out->list[i].broken) r = check_links(out, config, &out->list[i]);
    for (size_t i = 0; i < out->count && r == 0; i++)
        if (!out->list[i].broken) r = add_posts(out, config, &out->list[i]);
    if (r == 0) r = find_double_posts(out, config);
    return r;
}

void notes_fini(struct notes *n)
{
    for (size_t i = 0; i < n->post_count; i++) {
        free(n->posts[i].key);
        free(n->posts[i].entities);
    }
    for (size_t i = 0; i < n->count; i++) {
        gap_note_fini(&n->list[i].parsed);
        free(n->list[i].path);
        free(n->list[i].source);
        free(n->list[i].key);
        free(n->list[i].title);
    }
    free(n->posts);
    free(n->list);
    free(n->folder);
    memset(n, 0, sizeof *n);
}
