/*
 * tests/sim/globe_judge.c - the judge of deliveries. It keeps every event that the model has made
 * and compares with it each update that is handed to the handler:
 *
 *   unknown   it is no event of the server's, or stands at another place
 *   twice     within one process; after a restart it must be marked, and not be stored as done
 *   order     a lower pts after a higher one among the live updates of a sequence
 *   ids       a lower message id after a higher one in a chat
 *   before    a message after its edit or delete
 *   older     an older edit after a newer one
 *
 * What a channel's answer of a difference too long brings along is marked, and is outside of these
 * rules. The judge knows the server's events and what the host saw, nothing of the engine's inside.
 */
#include "globe_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void judge_init(struct judge *j, uint32_t channels)
{
    j->box_count = BOX_CHANNEL + (int)channels;
    j->boxes = globe_must(calloc((size_t)j->box_count, sizeof *j->boxes));
    gap_map_init(&j->by_identity, gap_alloc_default());
}

void judge_fini(struct judge *j)
{
    free(j->seen);
    for (int i = 0; i < j->box_count; i++) {
        free(j->boxes[i].ns);
        free(j->boxes[i].ids);
    }
    free(j->boxes);
    gap_map_fini(&j->by_identity);
}

void judge_say(struct globe *g, const char *what, const char *format, ...)
{
    struct judge *j = &g->j;
    char text[200];
    va_list args;

    if (j->verdict[0] != 0) return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(j->verdict, sizeof j->verdict, "seed %llu at %.3f s: %s: %s",
                   (unsigned long long)g->o.seed, (double)g->now_us / 1e6, what, text);
    globe_trace(g, "VIOLATED %s: %s", what, text);
}

int judge_channel_box(const struct globe *g, int64_t channel)
{
    int64_t at = channel - DC_CHANNEL_ID_FIRST;

    return at >= 0 && at < g->j.box_count - BOX_CHANNEL ? BOX_CHANNEL + (int)at : BOX_NONE;
}

/* ---- events ---- */

static void *grown(void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap) return items;
    *cap = *cap == 0 ? 64 : *cap * 2;
    return globe_must(realloc(items, *cap * size));
}

static int event_box(const struct globe *g, const dc_event_t *ev)
{
    switch (ev->box) {
    case DC_BOX_COMMON:
        return BOX_COMMON;
    case DC_BOX_QTS:
        return BOX_QTS;
    case DC_BOX_CHANNEL:
        return judge_channel_box(g, ev->chat.id);
    default:
        return BOX_NONE;
    }
}

static void add_to_box(struct globe *g, struct seen *s, uint32_t n)
{
    struct judged_box *b = &g->j.boxes[s->box];

    s->era = b->era;
    b->ns = grown(b->ns, b->count, &b->cap, sizeof *b->ns);
    b->ns[b->count++] = n;
    if (s->kind != DC_NEW_MESSAGE) return;
    while (b->id_count < (uint32_t)s->id) {
        b->ids = grown(b->ids, b->id_count, &b->id_cap, sizeof *b->ids);
        b->ids[b->id_count++] = 0;
    }
    b->ids[s->id - 1] = n;
}

static void link_messages(struct globe *g, const dc_event_t *ev, struct seen *s)
{
    if (s->box == BOX_NONE || s->box == BOX_QTS) return;
    if (ev->kind == DC_EDIT_MESSAGE || ev->kind == DC_PIN)
        s->message = find_message(g, s->box, ev->id);
    if (ev->kind != DC_DELETE_MESSAGES) return;
    for (uint32_t i = 0; i < ev->ids_count; i++) {
        uint32_t m = find_message(g, s->box, ev->ids[i]);
        if (m != 0) g->j.seen[m].gone = ev->n;
    }
}

static void identify(struct judge *j, const dc_event_t *ev, struct seen *s)
{
    uint64_t key = find_key(ev, s->box);

    s->same = (uint32_t)(uintptr_t)gap_map_get(&j->by_identity, key);
    if (gap_map_set(&j->by_identity, key, (void *)(uintptr_t)ev->n) < 0) (void)globe_must(NULL);
}

void judge_made(struct globe *g, uint32_t n)
{
    struct judge *j = &g->j;
    dc_event_t ev;

    dc_model_event(g->model, n, &ev);
    if (n >= j->cap) j->seen = grown(j->seen, j->cap, &j->cap, sizeof *j->seen);
    j->count = n;
    struct seen *s = &j->seen[n];
    memset(s, 0, sizeof *s);
    s->box = event_box(g, &ev);
    s->kind = ev.kind;
    s->pts = ev.pts;
    s->count = ev.pts_count;
    s->id = ev.id;
    s->chat = ev.chat;
    s->max_id = ev.max_id;
    s->outbox = ev.outbox;
    s->made_us = g->now_us;
    s->received = dc_model_receives(g->model, n, g->o.account);
    if (s->box != BOX_NONE) add_to_box(g, s, n);
    link_messages(g, &ev, s);
    identify(j, &ev, s);
    /* Own messages that are to reach no handler. */
    s->silent = g->o.engine.no_own_updates && ev.out && ev.kind == DC_NEW_MESSAGE;
    if (s->received && s->kind != DC_STATUS) g->count.events++;
}

/* ---- deliveries ---- */

/* It may come out of order and again: the newest messages of a channel that was too far behind, and
 * what was asked for. */
static bool is_newest(const struct globe *g, const struct seen *s, const gap_update_t *u)
{
    if (gap_update_via(u) == GAP_VIA_BACKFILL) return true;
    return s->kind == DC_NEW_MESSAGE && s->box >= BOX_CHANNEL && gap_update_maybe_repeated(u) &&
           g->j.boxes[s->box].too_long;
}

static void judge_again(struct globe *g, uint32_t n, const gap_update_t *u)
{
    const struct seen *s = &g->j.seen[n];
    char text[96];

    if (s->life < g->j.lineage || s->life == 0) return;
    if (s->life == g->process) {
        judge_say(g, "twice", "%s", say_event(g, n, text));
        return;
    }
    if (s->box == BOX_NONE) return;
    if (!gap_update_maybe_repeated(u))
        judge_say(g, "twice", "%s comes again after a restart, and is not marked",
                  say_event(g, n, text));
    const struct judged_box *b = &g->j.boxes[s->box];
    if (s->finished && s->era == b->era && b->told_era == b->era && s->pts <= b->stored)
        judge_say(g, "twice", "%s comes again though %d is stored", say_event(g, n, text),
                  b->stored);
}

static void judge_live(struct globe *g, uint32_t n, const gap_update_t *u)
{
    struct seen *s = &g->j.seen[n];
    int32_t pts = gap_update_pts(u);
    char text[96];

    if (s->box == BOX_NONE || pts < 0) return;
    /* A message that was sent before is told again at the place where the box is now. */
    if (pts != s->pts && gap_update_via(u) != GAP_VIA_RESULT)
        judge_say(g, "unknown", "%s is said to be at %d", say_event(g, n, text), pts);
    struct judged_box *b = &g->j.boxes[s->box];
    if (s->era != b->live_era) b->live = 0; /* the server counts anew */
    b->live_era = s->era;
    if (pts <= b->live) judge_say(g, "order", "%s after %d", say_event(g, n, text), b->live);
    b->live = pts;
}

/* The engine has said that it lost the channel: what comes of it begins anew. */
void judge_anew(struct globe *g, int box)
{
    struct judged_box *b = &g->j.boxes[box];

    for (uint32_t i = 0; i < b->count; i++) {
        struct seen *s = &g->j.seen[b->ns[i]];
        s->life = s->content_life = s->touched = 0;
        s->run = 0;
        s->anew = true;
        s->recorded = s->run_life = 0;
    }
    for (uint32_t i = 0; i < g->j.top_count; i++) {
        struct chat_top *t = &g->j.tops[i];
        if (t->chat.type == DC_CHANNEL && judge_channel_box(g, t->chat.id) == box) t->life = 0;
    }
}

static struct chat_top *top_of(struct globe *g, dc_peer_t chat)
{
    struct judge *j = &g->j;

    for (uint32_t i = 0; i < j->top_count; i++) {
        if (j->tops[i].chat.id == chat.id && j->tops[i].chat.type == chat.type) return &j->tops[i];
    }
    if (j->top_count == GLOBE_TOPS) return NULL;
    struct chat_top *t = &j->tops[j->top_count++];
    *t = (struct chat_top){chat, g->process, 0};
    return t;
}

static void judge_message(struct globe *g, uint32_t n, uint32_t content)
{
    struct seen *s = &g->j.seen[n];
    struct chat_top *top = top_of(g, s->chat);
    char text[96];

    if (s->touched == g->process)
        judge_say(g, "before", "%s comes after its edit or delete", say_event(g, n, text));
    if (top != NULL) {
        if (top->life == g->process && s->id <= top->id)
            judge_say(g, "ids", "%s after message %d", say_event(g, n, text), top->id);
        top->life = g->process;
        top->id = s->id;
    }
    s->content = content;
    s->content_life = g->process;
    if (content > s->best) s->best = content;
}

static void judge_edit(struct globe *g, uint32_t n)
{
    uint32_t message = g->j.seen[n].message;
    char text[96];

    if (message == 0) return;
    struct seen *m = &g->j.seen[message];
    /* A message may come with the text of an edit that itself comes with a later slice; and if that
     * slice never comes, because what lies there is given up, held edits are handed out. */
    bool handed_out = g->j.boxes[m->box].given_us == g->now_us && g->now_us > 0;
    if (m->content_life == g->process && n < m->content && !handed_out)
        judge_say(g, "older", "%s after e%u", say_event(g, n, text), (unsigned)m->content);
    m->content = n;
    m->content_life = g->process;
    m->touched = g->process;
    if (n > m->best) m->best = n;
}

static void judge_delete(struct globe *g, uint32_t n, const gap_update_t *u)
{
    gap_tl_iter_t it = gap_tl_iter(find_deleted(u));
    int32_t id;
    char text[96];

    while (gap_tl_next_int(&it, &id) == 1) {
        uint32_t m = find_message(g, g->j.seen[n].box, id);
        if (m == 0 || g->j.seen[m].gone != n) {
            judge_say(g, "unknown", "%s names message %d", say_event(g, n, text), id);
            return;
        }
        g->j.seen[m].touched = g->process;
    }
}

/* The box of an update; BOX_NONE. */
static int update_box(const struct globe *g, const gap_update_t *u)
{
    switch (gap_update_box(u)) {
    case GAP_BOX_COMMON:
        return BOX_COMMON;
    case GAP_BOX_QTS:
        return BOX_QTS;
    case GAP_BOX_CHANNEL:
        return judge_channel_box(g, gap_update_channel_id(u));
    case GAP_BOX_NONE:
        break;
    }
    return BOX_NONE;
}

/* From a box that was lied about, or from no box where anything was: its order is all that counts,
 * whatever the numbers mean. */
static bool is_beyond_judgement(struct globe *g, const gap_update_t *u)
{
    int box = update_box(g, u);
    int32_t pts = gap_update_pts(u);

    if (box < 0) return g->has_raw;
    struct judged_box *b = &g->j.boxes[box];
    if (!b->untrusted) return false;
    if (pts <= 0) return true;
    if (pts < b->live || (pts == b->live && gap_update_pts_count(u) > 0))
        judge_say(g, "order", "pts %d after %d in box %d", pts, b->live, box);
    b->live = pts;
    return true;
}

uint32_t judge_delivery(struct globe *g, const gap_update_t *u)
{
    struct judge *j = &g->j;
    uint32_t content = 0;
    uint32_t n = find_event(g, u, &content);
    char text[96];

    if (n == 0 || is_beyond_judgement(g, u)) return 0;
    if (n == FIND_UNKNOWN) {
        say_update(u, text);
        judge_say(g, "unknown", "%s is no event of the server's", text);
        return 0;
    }
    struct seen *s = &j->seen[n];
    if (s->box != BOX_NONE) j->boxes[s->box].soft = false;
    if (is_newest(g, s, u)) {
        if (content > s->best) s->best = content;
        if (s->content_life != g->process || content > s->content) s->content = content;
        s->content_life = g->process;
    } else {
        judge_again(g, n, u);
        judge_live(g, n, u);
        if (s->kind == DC_NEW_MESSAGE) judge_message(g, n, content);
        if (s->kind == DC_EDIT_MESSAGE) judge_edit(g, n);
        if (s->kind == DC_DELETE_MESSAGES) judge_delete(g, n, u);
    }
    s->life = g->process;
    return n;
}
