/*
 * tests/sim/kept.c - see kept.h.
 */
#include "kept.h"

#include <string.h>

static void handled(struct world *w, gap_update_t *update)
{
    const struct kept *k = w->data;
    char label[64];
    char barred[80];

    world_label(update, label);
    (void)snprintf(barred, sizeof barred, "|%s|", label);
    w->verdict = strstr(k->later, barred) != NULL ? GAP_LATER : 0;
}

void kept_finish(struct kept *k, const char *what, int status)
{
    struct world *w = k->w;

    for (size_t i = 0; i < w->later_count; i++) {
        char label[64];
        gap_update_t *u = w->later[i];
        world_label(u, label);
        if (strcmp(label, what) != 0) continue;
        memmove(&w->later[i], &w->later[i + 1], (w->later_count - i - 1) * sizeof w->later[0]);
        w->later_count--;
        if (status == KEPT_RETURN)
            gap_engine_return(u);
        else if (status == 0)
            gap_update_done(u);
        else
            gap_update_failed(u, status);
        return;
    }
    ck_abort_msg("%s is in no handler", what);
}

void kept_init(struct kept *k, struct world *w)
{
    memset(k, 0, sizeof *k);
    k->w = w;
    w->data = k;
    w->handled = handled;
    k->has_state = true;
    k->state = (gap_engine_state_t){10, 5, 1, PACK_DATE, NULL, 0};
}

static gap_engine_channel_t *find(struct kept *k, int64_t id)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->channels[i].id == id) return &k->channels[i];
    }
    return NULL;
}

const gap_engine_channel_t *kept_find(const struct kept *k, int64_t id)
{
    return find((struct kept *)(uintptr_t)k, id);
}

void kept_channel(struct kept *k, int64_t id, int32_t pts, bool unfinished)
{
    ck_assert_uint_lt(k->count, KEPT_CHANNELS);
    k->channels[k->count++] = (gap_engine_channel_t){id, pack_hash(id), pts, unfinished};
}

static void on_changed(void *data)
{
    struct kept *k = data;
    k->changed++;
}

void kept_open(struct kept *k, const gap_engine_config_t *config)
{
    static const gap_engine_config_t nothing;
    gap_engine_config_t c = config == NULL ? nothing : *config;

    k->state.channels = k->channels;
    k->state.channel_count = k->count;
    if (k->has_state) c.state = &k->state;
    c.changed = on_changed;
    c.changed_data = k;
    k->changed = 0;
    ck_assert_int_eq(world_open(k->w, &c), 0);
}

/* ---- storing ---- */

static bool is_taken(struct kept *k)
{
    if (k->refuse == 0) return true;
    return --k->refuse > 0;
}

static int on_channel(void *arg, const gap_engine_channel_t *c)
{
    struct kept *k = arg;
    gap_engine_channel_t *to = find(k, c->id);

    if (!is_taken(k)) return GAP_E_NOMEM;
    if (to == NULL) {
        ck_assert_uint_lt(k->count, KEPT_CHANNELS);
        to = &k->channels[k->count++];
    } else {
        /* Something must have changed. */
        ck_assert(to->pts != c->pts || to->unfinished != c->unfinished);
    }
    *to = *c;
    if (!k->silent)
        world_trace(k->w, "keep %lld:%d%s", (long long)c->id, c->pts,
                    c->unfinished ? " unfinished" : "");
    return 0;
}

static int on_gone(void *arg, int64_t id)
{
    struct kept *k = arg;
    gap_engine_channel_t *c = find(k, id);

    if (!is_taken(k)) return GAP_E_NOMEM;
    ck_assert_ptr_nonnull(c);
    *c = k->channels[--k->count];
    if (!k->silent) world_trace(k->w, "drop %lld", (long long)id);
    return 0;
}

static int on_state(void *arg, const gap_engine_state_t *s)
{
    struct kept *k = arg;

    if (!is_taken(k)) return GAP_E_NOMEM;
    ck_assert_ptr_null(s->channels);
    k->has_state = true;
    k->state = *s;
    if (!k->silent)
        world_trace(k->w, "keep %d %d %d +%d", s->pts, s->qts, s->seq, s->date - PACK_DATE);
    return 0;
}

int kept_collect(struct kept *k)
{
    gap_engine_collector_t to = {on_channel, on_gone, on_state, k};

    k->changed = 0;
    return gap_engine_collect(k->w->engine, &to);
}

void kept_close(struct kept *k)
{
    size_t later = k->w->later_count;

    k->w->later_count = 0; /* the world would finish them */
    world_close(k->w);
    k->w->later_count = later;
}

void kept_crash(struct kept *k)
{
    struct world *w = k->w;

    if (!w->closing) world_close(w);
    while (!w->closed && world_step(w, w->now_us + 1000)) continue;
    ck_assert(w->closed);
    w->engine = NULL;
    w->closing = w->closed = false;
    for (size_t i = 0; i < w->socket_count; i++) gap_packet_unref(w->socket[i].packet);
    w->socket_count = 0;
    world_answer_none(w);
    k->changed = 0;
}
