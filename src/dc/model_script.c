/*
 * dc/model_script.c - what only a script does to the world: other limits for one answer, boxes
 * whose pts jumps, notices that belong to no event.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl_api.h>

void dc_model_limits(const dc_model_t *m, dc_limits_t *out)
{
    out->slice = m->options.slice;
    out->channel_slice = m->options.channel_slice;
    out->difference_max = m->options.difference_max;
    out->channel_diff_max = m->options.channel_diff_max;
    out->timeout_s = m->options.timeout_s;
}

void dc_model_limit(dc_model_t *m, const dc_limits_t *limits)
{
    GAP_ASSERT(limits->slice >= 1);
    GAP_ASSERT(limits->channel_slice >= 1);
    m->options.slice = limits->slice;
    m->options.channel_slice = limits->channel_slice;
    m->options.difference_max = limits->difference_max;
    m->options.channel_diff_max = limits->channel_diff_max;
    m->options.timeout_s = limits->timeout_s;
}

int dc_model_reset(dc_model_t *m, int64_t account, int64_t channel, int32_t pts)
{
    uint32_t who = dc_account_index(m, account);
    uint32_t chat = dc_channel_index(m, channel);
    struct dc_log *log;

    if (pts < 1) return GAP_E_ARGUMENT;
    if (channel != 0)
        log = chat == DC_NONE ? NULL : &m->chats[chat].log;
    else
        log = who == DC_NONE ? NULL : &m->accounts[who].common;
    if (log == NULL) return GAP_E_NOT_FOUND;
    log->count = 0; /* nothing from before can be asked for any more */
    log->pts = pts;
    return 0;
}

int dc_model_push_channel(dc_model_t *m, const dc_view_t *view, int64_t channel, int64_t now_us,
                          gap_buf_t *out)
{
    uint32_t account = dc_account_index(m, view->account);
    uint32_t chat = dc_channel_index(m, channel);
    dc_writer_t w;

    if (account == DC_NONE || chat == DC_NONE) return GAP_E_NOT_FOUND;
    dc_writer_init(&w, m, view, account, out);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, 1);
    dc_put32(&w, GAP_TL_UPDATE_CHANNEL);
    dc_put64(&w, (uint64_t)channel);
    dc_see_chat(&w, chat);
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)dc_date(now_us));
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

int dc_model_push_reset(dc_model_t *m, const dc_view_t *view, int64_t now_us, gap_buf_t *out)
{
    uint32_t account = dc_account_index(m, view->account);
    dc_writer_t w;

    if (account == DC_NONE) return GAP_E_NOT_FOUND;
    dc_writer_init(&w, m, view, account, out);
    dc_put32(&w, GAP_TL_UPDATE_SHORT);
    dc_put32(&w, GAP_TL_UPDATE_PTS_CHANGED);
    dc_put32(&w, (uint32_t)dc_date(now_us));
    return dc_writer_end(&w);
}
