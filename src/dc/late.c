/*
 * dc/late.c - answers that take their time: a call is carried out at once, its answer is sent
 * later, and whatever else the session is owed overtakes it.
 *
 * Owns the answers until they are due. Never: decides which ones are late.
 */
#include "base/alloc.h"
#include "dc/server.h"

struct gap_dc_late {
    gap_dc_timer_t timer;
    TAILQ_ENTRY(gap_dc_late) link;
    int64_t key_id;
    int64_t session_id;
    int64_t msg_id;
    bool failed;
    size_t len;
    uint8_t body[];
};

static void on_due(gap_dc_t *dc, gap_dc_timer_t *t)
{
    struct gap_dc_late *a = GAP_CONTAINER_OF(t, struct gap_dc_late, timer);
    gap_dc_key_t *key = gap_dc_keys_find(&dc->keys, a->key_id);
    gap_dc_session_t *s = key == NULL ? NULL : gap_dc_key_find_session(key, a->session_id);
    int r = 0;

    if (s != NULL) {
        r = gap_dc_session_answer(s, &dc->now, a->msg_id, 0, gap_bytes(a->body, a->len), a->failed);
        gap_dc_mark_dirty(dc, s);
    }
    TAILQ_REMOVE(&dc->lates, a, link);
    gap_free(dc->alloc, a);
    if (r < 0 && r != GAP_E_LIMIT) gap_dc_fail(dc, r);
}

int gap_dc_late_answer(gap_dc_t *dc, const gap_dc_session_t *s, int64_t msg_id, uint64_t late_us,
                       gap_bytes_t body, bool failed)
{
    struct gap_dc_late *a = gap_malloc(dc->alloc, sizeof *a + body.len);

    if (a == NULL) return GAP_E_NOMEM;
    memset(a, 0, sizeof *a);
    a->timer.fire = on_due;
    a->key_id = s->key->auth.id;
    a->session_id = s->id;
    a->msg_id = msg_id;
    a->failed = failed;
    a->len = body.len;
    memcpy(a->body, body.data, body.len);
    TAILQ_INSERT_TAIL(&dc->lates, a, link);
    gap_dc_arm(dc, &a->timer, dc->now.mono_us + late_us);
    return 0;
}

void gap_dc_late_fini(gap_dc_t *dc)
{
    struct gap_dc_late *a;

    while ((a = TAILQ_FIRST(&dc->lates)) != NULL) {
        gap_dc_disarm(dc, &a->timer);
        TAILQ_REMOVE(&dc->lates, a, link);
        gap_free(dc->alloc, a);
    }
}
