/*
 * uv/uv_resolve.c - name look-ups: getaddrinfo() on a thread of the environment.
 *
 * getaddrinfo() can't be interrupted. So the job is memory of its own, apart from the caller's
 * record: a cancelled look-up is reported from the next check phase, while its job runs on until
 * the resolver gives up and is then dropped.
 *
 * Owns: jobs. Never: uses the caller's record after its `done` has begun.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct name_job {
    gap_work_t work;
    uv_env_t *env;
    gap_resolve_t *owner; /* NULL: cancelled */
    int status;
    size_t count;
    gap_addr_t addrs[GAP_RESOLVE_MAX];
    char port[6];
    char host[];
};

static struct name_job *job_of(gap_work_t *work)
{
    return GAP_CONTAINER_OF(work, struct name_job, work);
}

static int status_of(int code)
{
    switch (code) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return UV_EAI_AGAIN;
    case EAI_FAMILY:
        return UV_EAI_FAMILY;
    case EAI_MEMORY:
        return GAP_E_NOMEM;
#ifdef EAI_NODATA
    case EAI_NODATA:
        return UV_EAI_NODATA;
#endif
    case EAI_NONAME:
        return UV_EAI_NONAME;
    case EAI_SERVICE:
        return UV_EAI_SERVICE;
    case EAI_SOCKTYPE:
        return UV_EAI_SOCKTYPE;
    case EAI_SYSTEM:
        return errno != 0 ? -errno : UV_EAI_FAIL;
    default:
        return UV_EAI_FAIL;
    }
}

static void job_run(gap_work_t *work)
{
    struct name_job *job = job_of(work);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    job->status = status_of(getaddrinfo(job->host, job->port, &hints, &list));
    if (job->status < 0) return;
    for (struct addrinfo *it = list; it != NULL && job->count < GAP_RESOLVE_MAX; it = it->ai_next) {
        if (uv_addr_from_sock(it->ai_addr, &job->addrs[job->count]) == 0) job->count++;
    }
    freeaddrinfo(list);
    if (job->count == 0) job->status = UV_EAI_NODATA;
}

static void job_done(gap_work_t *work, int status)
{
    struct name_job *job = job_of(work);
    gap_resolve_t *r = job->owner;

    if (status == 0) status = job->status;
    if (r != NULL) r->done(r, status, job->addrs, status == 0 ? job->count : 0);
    gap_free(job->env->base.alloc, job);
}

static void prepend(gap_resolve_t **list, gap_resolve_t *r)
{
    r->env_data = *list;
    *list = r;
}

void uv_resolve_start(gap_env_t *base, const char *host, uint16_t port, gap_resolve_t *r)
{
    uv_env_t *env = uv_env_of(base);
    size_t len = strlen(host) + 1;
    struct name_job *job = gap_calloc(base->alloc, 1, sizeof *job + len);

    GAP_ASSERT(pthread_equal(env->thread, pthread_self()) != 0);
    GAP_ASSERT(!env->closing);
    uv_jobs_add(env);
    if (job == NULL) {
        prepend(&env->names_failed, r);
        uv_env_arm(env);
        return;
    }
    job->env = env;
    job->owner = r;
    job->work.run = job_run;
    job->work.done = job_done;
    memcpy(job->host, host, len);
    (void)snprintf(job->port, sizeof job->port, "%u", (unsigned)port);
    r->env_data = job;
    if (uv_work_submit(&env->name_pool, &job->work) == 0) return;
    uv_work_fail(env, &job->work);
}

static bool is_listed(const gap_resolve_t *list, const gap_resolve_t *r)
{
    for (; list != NULL; list = list->env_data) {
        if (list == r) return true;
    }
    return false;
}

void uv_resolve_cancel(gap_env_t *base, gap_resolve_t *r)
{
    uv_env_t *env = uv_env_of(base);

    if (is_listed(env->names_cancelled, r) || is_listed(env->names_failed, r)) return;
    struct name_job *job = r->env_data;
    job->owner = NULL;
    uv_jobs_add(env); /* the job keeps its own count until its thread is done with it */
    prepend(&env->names_cancelled, r);
    uv_env_arm(env);
}

static void report_list(uv_env_t *env, gap_resolve_t *r, int status)
{
    while (r != NULL) {
        gap_resolve_t *next = r->env_data;
        uv_jobs_drop(env);
        r->done(r, status, NULL, 0);
        r = next;
    }
}

void uv_resolve_report(uv_env_t *env)
{
    gap_resolve_t *cancelled = env->names_cancelled;
    gap_resolve_t *failed = env->names_failed;

    env->names_cancelled = NULL;
    env->names_failed = NULL;
    report_list(env, cancelled, GAP_ENV_ECANCELED);
    report_list(env, failed, GAP_E_NOMEM);
}
