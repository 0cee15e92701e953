/*
 * tests/sim/script_do_host.c - what a script does to the network, the host, the process and the
 * account. Owns nothing.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "script_do.h"

static void check(struct sim_run *r, int result)
{
    if (result < 0 && r->failure == 0) r->failure = result;
}

/* --- network and host ------------------------------------------------------------------------- */

static uint32_t ms_of(const sim_step_t *step)
{
    return step->ms < UINT32_MAX / 2 ? (uint32_t)step->ms : UINT32_MAX / 2;
}

static void do_network(struct sim_run *r, const sim_step_t *step)
{
    struct globe_chances c = {-1, -1, -1, -1, -1, -1, -1, -1};

    r->has_chances = true;
    switch (step->fault) {
    case SIM_LOSS:
        c.loss = step->chance;
        break;
    case SIM_TWICE:
        c.twice = step->chance;
        break;
    case SIM_LATE:
        c.late = step->chance;
        globe_late_ms(r->globe, ms_of(step));
        break;
    }
    globe_chances(r->globe, &c);
}

/* @return false: it is none of these. */
static bool do_surroundings(struct sim_run *r, const sim_step_t *step)
{
    struct globe *g = r->globe;

    switch (step->what) {
    case SIM_DO_NETWORK:
        do_network(r, step);
        return true;
    case SIM_DO_DISCONNECT:
        globe_cut(g, ms_of(step), !step->flag);
        return true;
    case SIM_DO_NEW_SESSION:
    case SIM_DO_MISSED:
        globe_missed(g);
        return true;
    case SIM_DO_STALL:
        globe_stall_network(g, ms_of(step));
        return true;
    case SIM_DO_STALL_SOCKET:
        globe_stall_socket(g, ms_of(step));
        return true;
    case SIM_DO_STALL_HOST:
        globe_stall_host(g, ms_of(step));
        return true;
    case SIM_DO_SUSPEND:
        globe_suspend(g, ms_of(step), !step->flag, true);
        return true;
    case SIM_DO_CLOCK_JUMP:
        globe_clock_jump(g, step->number);
        return true;
    case SIM_DO_GARBLED:
        globe_push_garbage(g);
        return true;
    default:
        return false;
    }
}

/* --- process ---------------------------------------------------------------------------------- */

static void add_handler(struct sim_run *r, const sim_step_t *step)
{
    struct sim_handler h = {step->times, step->chat, 0, step->verdict, ms_of(step)};

    if (step->chat != DC_NOBODY) h.id = sim_chat_id(&r->pack.names, step->chat, step->index);
    /* What held for good before is replaced. */
    for (uint32_t i = 0; i < r->handlers.count && step->times == UINT32_MAX; i++) {
        struct sim_handler *old = &r->handlers.items[i];
        if (old->left == UINT32_MAX && old->chat == h.chat && old->id == h.id) old->left = 0;
    }
    if (r->handlers.count == r->handlers.cap) {
        uint32_t cap = r->handlers.cap == 0 ? 16 : r->handlers.cap * 2;
        void *more = gap_realloc(r->alloc, r->handlers.items, cap * sizeof h);
        if (more == NULL) {
            r->failure = GAP_E_NOMEM;
            return;
        }
        r->handlers.items = more;
        r->handlers.cap = cap;
    }
    r->handlers.items[r->handlers.count++] = h;
}

static void do_process(struct sim_run *r, const sim_step_t *step)
{
    struct globe *g = r->globe;

    switch (step->what) {
    case SIM_DO_START:
        globe_start(g);
        return;
    case SIM_DO_RESTART:
        if (step->flag)
            globe_crash(g, 0);
        else
            globe_restart(g, 0);
        return;
    case SIM_DO_LOGOUT:
        globe_restart(g, 0);
        check(r, globe_stored(g, NULL));
        memset(r->stored_box, 0, sizeof r->stored_box);
        r->stored.count = 0;
        return;
    case SIM_DO_CRASH_IN_HANDLER:
        globe_crash_in_handler(g, (uint32_t)step->number, 0);
        return;
    case SIM_DO_FAIL_COMMITS:
        globe_fail_commits(g, (uint32_t)step->number);
        return;
    case SIM_DO_HANDLER:
        add_handler(r, step);
        return;
    case SIM_DO_FINISH:
        globe_finish_all(g);
        return;
    default:
        return;
    }
}

/* --- channels --------------------------------------------------------------------------------- */

static void do_channel(struct sim_run *r, const sim_step_t *step)
{
    gap_engine_t *engine = globe_engine(r->globe);
    int64_t id = sim_step_channel(r, step);
    dc_peer_t peer = {DC_CHANNEL, id};
    int64_t hash = dc_model_access_hash(globe_model(r->globe), GLOBE_ACCOUNT, peer);
    int result = 0;

    if (engine == NULL) {
        sim_refuse(r, step, "the account is not running here");
        return;
    }
    /* Questions that it causes are asked for. */
    globe_allow(r->globe);
    switch (step->what) {
    case SIM_DO_OPEN:
        result = gap_engine_open_channel(engine, id);
        break;
    case SIM_DO_CLOSE:
        result = gap_engine_close_channel(engine, id);
        break;
    case SIM_DO_TRACK:
        result = gap_engine_track_channel(engine, id, hash, step->number);
        break;
    case SIM_DO_UNTRACK:
        result = gap_engine_untrack_channel(engine, id);
        globe_untrusted(r->globe, id);
        break;
    default:
        result = gap_engine_backfill(engine, step->chat == DC_CHANNEL ? id : 0, step->number - 1,
                                     step->most);
        break;
    }
    if (result != 0) sim_trace(r, "refused:", "%s", gap_strerror(result));
}

void sim_do_host(struct sim_run *r, const sim_step_t *step)
{
    if (do_surroundings(r, step)) return;
    bool is_channel = step->chat == DC_CHANNEL && step->what != SIM_DO_HANDLER;
    if (is_channel || step->what == SIM_DO_BACKFILL)
        do_channel(r, step);
    else
        do_process(r, step);
}
