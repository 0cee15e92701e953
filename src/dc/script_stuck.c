/*
 * dc/script_stuck.c - the answer `stuck` of a script: a difference that is empty, not final and
 * leads nowhere. Owns nothing.
 */
#include "dc/script_run.h"

#include <gapless/tl_api.h>

static int stuck_channel(const gap_dc_query_t *q, gap_buf_t *out)
{
    gap_tl_updates_get_channel_difference_t in;
    gap_tl_updates_channel_difference_t d;

    if (gap_tl_read(q->method, q->id, &in, sizeof in) < 0) return DC_NOT_MINE;
    memset(&d, 0, sizeof d);
    d.flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT;
    d.pts = in.pts;
    d.timeout = 30;
    d.new_messages = d.other_updates = d.chats = d.users = gap_tl_array(NULL, 0);
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &d));
}

int gap_dc_script_stuck(const gap_dc_query_t *q, gap_buf_t *out)
{
    gap_tl_updates_get_difference_t in;
    gap_tl_updates_difference_slice_t d;
    gap_tl_updates_state_t state;

    if (q->id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) return stuck_channel(q, out);
    if (q->id != GAP_TL_UPDATES_GET_DIFFERENCE) return DC_NOT_MINE;
    if (gap_tl_read(q->method, q->id, &in, sizeof in) < 0) return DC_NOT_MINE;
    memset(&d, 0, sizeof d);
    memset(&state, 0, sizeof state);
    state.pts = in.pts;
    state.qts = in.qts;
    state.date = in.date;
    d.new_messages = d.new_encrypted_messages = d.other_updates = gap_tl_array(NULL, 0);
    d.chats = d.users = gap_tl_array(NULL, 0);
    d.intermediate_state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state);
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_SLICE, &d));
}
