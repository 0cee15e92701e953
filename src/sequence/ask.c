/*
 * sequence/ask.c - errors and states, read. The errors are those that core.telegram.org lists for
 * updates.getDifference and updates.getChannelDifference.
 */
#include "sequence/ask.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

#define FLOOD_SECONDS_MAX 86400U

static bool is(gap_bytes_t text, const char *name)
{
    return text.len == strlen(name) && memcmp(text.data, name, text.len) == 0;
}

static bool begins(gap_bytes_t text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* The number at the end of FLOOD_WAIT_15. */
static uint32_t seconds_of(gap_bytes_t text)
{
    uint32_t n = 0;
    size_t at = text.len;

    while (at > 0 && text.data[at - 1] >= '0' && text.data[at - 1] <= '9') at--;
    for (; at < text.len && n <= FLOOD_SECONDS_MAX; at++) n = n * 10 + (text.data[at] - '0');
    if (n == 0) return 1;
    return n > FLOOD_SECONDS_MAX ? FLOOD_SECONDS_MAX : n;
}

struct gap_refusal gap_refusal_read(int32_t code, gap_bytes_t text)
{
    struct gap_refusal r = {GAP_REFUSAL_RETRY, code, 0};

    if (code == 401) {
        r.kind = GAP_REFUSAL_SIGNED_OUT;
    } else if (code == 420 || begins(text, "FLOOD_")) {
        r.kind = GAP_REFUSAL_FLOOD;
        r.seconds = seconds_of(text);
    } else if (is(text, "PERSISTENT_TIMESTAMP_INVALID") || is(text, "PERSISTENT_TIMESTAMP_EMPTY")) {
        r.kind = GAP_REFUSAL_POSITION;
    } else if (is(text, "CHANNEL_PRIVATE") || is(text, "CHANNEL_INVALID") ||
               is(text, "CHANNEL_PUBLIC_GROUP_NA")) {
        r.kind = GAP_REFUSAL_NO_ACCESS;
    }
    return r;
}

int gap_server_state_read(gap_bytes_t bytes, struct gap_server_state *out)
{
    gap_tl_updates_state_t s;
    int64_t n = gap_tl_read(bytes, GAP_TL_UPDATES_STATE, &s, sizeof s);

    if (n < 0) return (int)n;
    if (s.pts < 0 || s.qts < 0 || s.date < 0 || s.seq < 0) return GAP_E_TL;
    out->pts = s.pts;
    out->qts = s.qts;
    out->date = s.date;
    out->seq = s.seq;
    return 0;
}

int gap_full_channel_read(gap_bytes_t bytes, int64_t channel_id, int32_t *pts)
{
    gap_tl_messages_chat_full_t full;
    gap_tl_channel_full_t channel;
    int64_t n = gap_tl_read(bytes, GAP_TL_MESSAGES_CHAT_FULL, &full, sizeof full);

    if (n >= 0) n = GAP_TL_READ(full.full_chat, GAP_TL_CHANNEL_FULL, &channel);
    if (n < 0) return (int)n;
    if (channel.id != channel_id || channel.pts <= 0) return GAP_E_TL;
    *pts = channel.pts;
    return 0;
}
