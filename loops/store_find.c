/*
 * loops/store_find.c - peers that are looked for. What waits to be committed is newer than what the
 * storage holds, so it is asked first, and again when the storage has answered.
 *
 * Owns: the searches. Never: writes.
 */
#include "base/alloc.h"
#include "loops/store_internal.h"

#include <string.h>

/* Do the records that wait tell? @p stored: what the storage found, or NULL; @p asked: it was.
 * @return true with *out, NULL: there is none. */
static bool look(gap_store_t *s, const gap_peer_key_t *key, const gap_peer_record_t *stored,
                 bool asked, gap_peer_record_t *merged, const gap_peer_record_t **out)
{
    const gap_record_t *r = key->by == GAP_BY_ID
                                ? gap_waiting_get(&s->waiting, GAP_RECORD_PEER, key->peer)
                                : gap_waiting_named(&s->waiting, key);

    if (r == NULL && stored != NULL && key->by != GAP_BY_ID) {
        r = gap_waiting_get(&s->waiting, GAP_RECORD_PEER, stored->peer);
        if (r != NULL && !r->removed && r->u.peer.has_names) {
            *out = NULL; /* it has another name now */
            return true;
        }
    }
    *out = stored;
    if (r == NULL) return asked;
    if (r->removed || r->u.peer.has_names) {
        *out = r->removed ? NULL : &r->u.peer;
        return true;
    }
    if (!asked) return false;
    *merged = r->u.peer;
    if (stored != NULL) {
        merged->has_names = stored->has_names;
        merged->phone = stored->phone;
        merged->usernames = stored->usernames;
        merged->username_count = stored->username_count;
    }
    *out = merged;
    return true;
}

static void answer_search(gap_store_t *s, struct gap_store_search *q, int status,
                          const gap_peer_record_t *peer)
{
    q->found(q->arg, status, status < 0 ? NULL : peer);
    gap_free(s->alloc, q);
}

void gap_store_found(gap_store_t *s, int status)
{
    struct gap_store_search *q = s->search;
    const gap_peer_record_t *out = NULL;
    gap_peer_record_t merged;

    s->search = NULL;
    if (status == GAP_E_SYNC) s->unsure = true;
    (void)look(s, &q->key, s->job.found ? &s->job.peer : NULL, true, &merged, &out);
    answer_search(s, q, status, out);
}

bool gap_store_search(gap_store_t *s)
{
    const gap_peer_record_t *out = NULL;
    gap_peer_record_t merged;
    struct gap_store_search *q;

    while ((q = STAILQ_FIRST(&s->searches)) != NULL) {
        STAILQ_REMOVE_HEAD(&s->searches, next);
        if (s->phase == STORE_PHASE_FAILED || !s->has_storage) {
            answer_search(s, q, s->phase == STORE_PHASE_FAILED ? s->status : 0, NULL);
        } else if (s->in_doubt) {
            answer_search(s, q, GAP_E_SYNC, NULL);
        } else if (look(s, &q->key, NULL, false, &merged, &out)) {
            answer_search(s, q, 0, out);
        } else if (s->unsure) {
            answer_search(s, q, GAP_E_SYNC, NULL);
        } else {
            s->search = q;
            s->job.key = q->key;
            gap_store_send(s, STORE_JOB_FIND);
            return true;
        }
    }
    return false;
}

int gap_store_find(gap_store_t *s, const gap_peer_key_t *key, gap_store_found_cb found_cb,
                   void *arg)
{
    size_t len = key->by == GAP_BY_ID ? 0 : key->text.len;

    if (s->phase == STORE_PHASE_ENDING) return GAP_E_CLOSED;
    struct gap_store_search *q = gap_malloc(s->alloc, sizeof *q + len);
    if (q == NULL) return GAP_E_NOMEM;
    q->found = found_cb;
    q->arg = arg;
    q->key = *key;
    if (len > 0) memcpy(q->text, key->text.data, len);
    q->key.text = gap_bytes(q->text, len);
    STAILQ_INSERT_TAIL(&s->searches, q, next);
    gap_loop_signal(s->rt, &s->loop);
    return 0;
}
