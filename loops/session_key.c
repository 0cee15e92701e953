/*
 * loops/session_key.c - the link's key exchange, and its slow work on other threads.
 *
 *   handshake: SEND -> wait for a frame -> (JOB -> wait for the thread ->) SEND ... -> DONE
 *   job:       NONE -> kind -> NONE; its outcome counts only if its connection is still the same,
 *              but for inflating, which belongs to the session
 *
 * Owns: the handshake, the job record. Never: keeps a secret longer than it is needed.
 */
#include "base/alloc.h"
#include "loops/session_link.h"

/* ---- the exchange ---- */

void link_handshake_end(gap_link_t *link)
{
    if (link->handshake == NULL) return;
    gap_handshake_fini(link->handshake);
    gap_free(link->rt->alloc, link->handshake);
    link->handshake = NULL;
}

static int64_t plain_id(gap_link_t *link)
{
    return (int64_t)gap_session_plain_id(link->session, gap_rt_now_us(link->rt));
}

static int send_request(gap_link_t *link)
{
    gap_bytes_t request = gap_handshake_request(link->handshake);
    gap_outgoing_t *o = gap_connection_outgoing(&link->connection);
    size_t room = GAP_FRAME_TAG_MAX_BYTES + GAP_FRAME_HEAD_MAX_BYTES;

    if (o == NULL) return GAP_E_NOMEM;
    int r = gap_buf_reserve(&o->buf, room + request.len);
    if (r != 0) {
        gap_connection_discard(&link->connection, o);
        return r;
    }
    o->buf.len = room + request.len;
    memcpy(o->buf.data + room, request.data, request.len);
    return gap_connection_send(&link->connection, o, gap_bytes(o->buf.data + room, request.len));
}

static int finish(gap_link_t *link)
{
    gap_handshake_result_t result;
    int r = gap_handshake_take_result(link->handshake, &result);

    if (r != 0) return r;
    link->key = result.key;
    link->keyed = true;
    memcpy(link->safe_prime, result.prime, sizeof link->safe_prime);
    link->prime_known = true;
    gap_session_set_key(link->session, result.server_time_now_us, (uint64_t)result.salt,
                        result.server_time);
    link_handshake_end(link);
    link->events->auth_key_created(link->arg, result.key.key, (uint64_t)result.salt);
    gap_wipe(&result, sizeof result);
    if (!gap_loop_is_closing(&link->loop)) link_ready(link);
    return 0;
}

/* What the handshake wants next. @return 0 or why it failed. */
static int go_on(gap_link_t *link, int step)
{
    switch (step) {
    case GAP_HANDSHAKE_SEND:
        return send_request(link);
    case GAP_HANDSHAKE_JOB:
        gap_handshake_take_job(link->handshake, &link->job.handshake);
        link_job_start(link, LINK_JOB_HANDSHAKE);
        return 0;
    case GAP_HANDSHAKE_DONE:
        return finish(link);
    default:
        return step;
    }
}

int link_handshake_start(gap_link_t *link)
{
    gap_handshake_config_t config = {&link->crypto,
                                     &link->random,
                                     link->rsa,
                                     link->rsa_count,
                                     link->prime_known ? link->safe_prime : NULL,
                                     link->dc_id,
                                     0};

    link->handshake = gap_calloc(link->rt->alloc, 1, sizeof *link->handshake);
    if (link->handshake == NULL) return GAP_E_NOMEM;
    gap_handshake_init(link->handshake, &config);
    link->due_passed = false;
    link_arm(link->rt, &link->due, gap_rt_now_us(link->rt) + GAP_LINK_HANDSHAKE_US);
    return go_on(link, gap_handshake_start(link->handshake, plain_id(link)));
}

int link_handshake_frame(gap_link_t *link, const gap_frame_t *frame)
{
    int step = gap_handshake_on_message(link->handshake, gap_bytes(frame->data, frame->len),
                                        gap_rt_now_us(link->rt), plain_id(link));
    return go_on(link, step);
}

/* ---- jobs ---- */

static void job_run(gap_work_t *work)
{
    struct link_job *job = GAP_CONTAINER_OF(work, struct link_job, work);
    gap_link_t *link = GAP_CONTAINER_OF(job, gap_link_t, job);
    gap_gzip_t gzip;

    switch (job->kind) {
    case LINK_JOB_HANDSHAKE:
        gap_handshake_job_run(&job->handshake);
        break;
    case LINK_JOB_OPEN:
        job->status = gap_message_open(&link->job_crypto, &link->key, GAP_TO_CLIENT,
                                       job->frame.data, job->frame.len, &job->message);
        break;
    default:
        gap_gzip_init(&gzip, link->rt->alloc);
        job->status = gap_inflate(&gzip, job->packed, GAP_INFLATE_MAX_BYTES, &job->packet);
        gap_gzip_fini(&gzip);
        break;
    }
}

static void job_done(gap_work_t *work, int status)
{
    struct link_job *job = GAP_CONTAINER_OF(work, struct link_job, work);
    gap_link_t *link = GAP_CONTAINER_OF(job, gap_link_t, job);

    job->ended = true;
    if (status != 0) job->status = status;
    gap_loop_signal(link->rt, &link->loop);
    gap_loop_drop(link->rt, &link->loop);
}

void link_job_start(gap_link_t *link, enum link_job_kind kind)
{
    gap_env_t *env = link->rt->env;

    GAP_ASSERT(link->job.kind == LINK_JOB_NONE);
    link->job.kind = kind;
    link->job.generation = link->generation;
    link->job.work.run = job_run;
    link->job.work.done = job_done;
    gap_loop_hold(&link->loop);
    env->ops->work(env, &link->job.work);
}

void link_job_fini(struct link_job *job)
{
    gap_handshake_job_wipe(&job->handshake);
    gap_packet_unref(job->frame.packet);
    gap_packet_unref(job->owner);
    gap_packet_unref(job->packet);
    memset(job, 0, sizeof *job);
}

static void use_handshake_job(gap_link_t *link, struct link_job *job)
{
    int r = job->status;

    if (r == 0)
        r = go_on(link, gap_handshake_on_job(link->handshake, &job->handshake, plain_id(link)));
    if (r < 0) link_lost(link, r, 0);
}

static void use_inflated(gap_link_t *link, struct link_job *job)
{
    gap_packet_t *packet = job->packet;

    job->packet = NULL;
    gap_session_inflated(link->session, job->status, packet);
}

void link_job_finish(gap_link_t *link)
{
    if (!link->job.ended) return;
    struct link_job job = link->job;
    bool current = job.generation == link->generation;

    memset(&link->job, 0, sizeof link->job); /* the next may begin */
    if (job.kind == LINK_JOB_INFLATE)
        use_inflated(link, &job);
    else if (current && job.kind == LINK_JOB_HANDSHAKE)
        use_handshake_job(link, &job);
    else if (current)
        link_opened(link, job.status, &job.message, job.frame.packet);
    link_job_fini(&job);
    gap_wipe(&job, sizeof job);
}
