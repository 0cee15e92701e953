/*
 * sequence/applied.c - see the header.
 */
#include "sequence/applied.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

/* FNV-1a, 32 bits: prints are compared for equal ids only. */
#define BASIS UINT32_C(2166136261)
#define PRIME UINT32_C(16777619)

static uint32_t mix(uint32_t h, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < len; i++) h = (h ^ p[i]) * PRIME;
    return h;
}

static uint32_t mix_number(uint32_t h, uint32_t n)
{
    return mix(h, &n, sizeof n);
}

static uint32_t mix_view(uint32_t h, const uint8_t *data, size_t len)
{
    h = mix_number(h, (uint32_t)len);
    return len == 0 ? h : mix(h, data, len);
}

bool gap_message_print(gap_bytes_t bytes, struct gap_print *out)
{
    union {
        gap_tl_message_t message;
        gap_tl_message_service_t service;
    } m;

    if (bytes.len < 4) return false;
    if (gap_load32(bytes.data) == GAP_TL_MESSAGE_SERVICE) {
        if (gap_tl_read(bytes, GAP_TL_MESSAGE_SERVICE, &m.service, sizeof m.service) < 0)
            return false;
        *out = (struct gap_print){m.service.id, 0, mix_number(BASIS, m.service.action.id)};
        return true;
    }
    if (gap_tl_read(bytes, GAP_TL_MESSAGE, &m.message, sizeof m.message) < 0) return false;
    const gap_tl_message_t *x = &m.message;
    uint32_t h = mix_view(BASIS, x->message.data, x->message.len);
    h = mix_number(h, (x->flags & GAP_TL_MESSAGE_F_MEDIA) != 0 ? x->media.id : 0);
    if ((x->flags & GAP_TL_MESSAGE_F_ENTITIES) != 0)
        h = mix_view(h, x->entities.data, x->entities.len);
    if ((x->flags & GAP_TL_MESSAGE_F_REPLY_MARKUP) != 0)
        h = mix_view(h, x->reply_markup.data, x->reply_markup.len);
    out->id = x->id;
    out->edited = (x->flags & GAP_TL_MESSAGE_F_EDIT_DATE) != 0 ? x->edit_date : 0;
    out->content = h == 0 ? 1 : h;
    return true;
}

void gap_applied_init(struct gap_applied *a)
{
    a->count = 0;
    a->low = INT32_MAX;
    a->high = INT32_MIN;
    memset(a->anticipated, 0, sizeof a->anticipated);
}

void gap_applied_add(struct gap_applied *a, const struct gap_print *print)
{
    GAP_ASSERT(a->count < GAP_APPLIED_MAX);
    a->of[a->count++] = *print;
    if (print->id < a->low) a->low = print->id;
    if (print->id > a->high) a->high = print->id;
}

void gap_applied_changed(struct gap_applied *a, const struct gap_print *print)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->of[i].id == print->id) a->of[i] = *print;
    }
}

void gap_applied_anticipate(struct gap_applied *a, const struct gap_print *print)
{
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->of[i].id != print->id) continue;
        a->of[i] = *print;
        a->anticipated[i / 32] |= UINT32_C(1) << (i % 32);
    }
}

bool gap_applied_is_anticipated(const struct gap_applied *a, const struct gap_print *print)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gap_print *p = &a->of[i];
        if (p->id != print->id || (a->anticipated[i / 32] >> (i % 32) & 1) == 0) continue;
        return p->edited == print->edited && p->content == print->content;
    }
    return false;
}

enum gap_applied_verdict gap_applied_find(const struct gap_applied *a,
                                          const struct gap_print *print)
{
    if (print->id < a->low || print->id > a->high) return GAP_APPLIED_NOT;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gap_print *p = &a->of[i];
        if (p->id != print->id) continue;
        bool same = p->edited == print->edited && (p->content == 0 || p->content == print->content);
        return same ? GAP_APPLIED_SAME : GAP_APPLIED_DIFFERENT;
    }
    return GAP_APPLIED_NOT;
}
