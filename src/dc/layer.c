/*
 * dc/layer.c - one table of the methods whose ids differ between layers, and how each older form is
 * turned into the one of the schema. Methods not in it are the same in all layers, or only newer
 * layers have them.
 * Owns nothing. Never looks at what a call means.
 */
#include "dc/layer.h"

#include "dc/wire.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>

/* Constructors of older layers. */
#define OLD_INPUT_REPLY_TO_MESSAGE 0x22c0f6d5U
#define OLD_CODE_SETTINGS          0x8a6469c2U

#define NO_FLAGS UINT32_MAX

enum form {
    AS_IS,      /* of the schema */
    RENAMED,    /* fields were only added since, under flags */
    NO_FLAGS_0, /* the flag word was added */
    NO_FLAGS_1, /* the flag word was added, with a flag for a field that always was there */
    NO_HASH,    /* an int at the end was added */
    SETTINGS,   /* sendCode: its settings may be an older object with fewer flags */
    REPLY_ID,   /* sendMessage: the message replied to is a bare id */
    REPLY_OLD   /* sendMessage: it is an older object */
};

struct method {
    uint32_t id;
    int32_t first; /* layers that have it */
    int32_t last;
    uint32_t schema_id;
    uint32_t flags; /* that the older form knows */
    enum form form;
};

/* Layers in which a form is known to be in use are 144, 158, 198 and from 227 on; in between both
 * neighbours are understood. */
static const struct method methods[] = {
    {0x25939651, 0, 197, GAP_TL_UPDATES_GET_DIFFERENCE, 0x1, RENAMED},
    {GAP_TL_UPDATES_GET_DIFFERENCE, 159, INT32_MAX, GAP_TL_UPDATES_GET_DIFFERENCE, 0, AS_IS},
    {0x0d9d75a4, 0, 157, GAP_TL_MESSAGES_SEND_MESSAGE, 0xe4ef, REPLY_ID},
    {0x1cc20387, 145, 197, GAP_TL_MESSAGES_SEND_MESSAGE, 0xe6ef, REPLY_ID},
    {0x983f9745, 159, 226, GAP_TL_MESSAGES_SEND_MESSAGE, 0xfe4ef, REPLY_OLD},
    {GAP_TL_MESSAGES_SEND_MESSAGE, 199, INT32_MAX, GAP_TL_MESSAGES_SEND_MESSAGE, 0, AS_IS},
    {0x48f71778, 0, 197, GAP_TL_MESSAGES_EDIT_MESSAGE, 0xc80e, RENAMED},
    {0xdfd14005, 159, 226, GAP_TL_MESSAGES_EDIT_MESSAGE, 0x3c80e, RENAMED},
    {GAP_TL_MESSAGES_EDIT_MESSAGE, 199, INT32_MAX, GAP_TL_MESSAGES_EDIT_MESSAGE, 0, AS_IS},
    {0xcc30290b, 0, 157, GAP_TL_MESSAGES_FORWARD_MESSAGES, 0x7d60, RENAMED},
    {0xc661bbc4, 145, 226, GAP_TL_MESSAGES_FORWARD_MESSAGES, 0x7f60, RENAMED},
    {GAP_TL_MESSAGES_FORWARD_MESSAGES, 199, INT32_MAX, GAP_TL_MESSAGES_FORWARD_MESSAGES, 0, AS_IS},
    {0xf93ccba3, 0, 197, GAP_TL_CONTACTS_RESOLVE_USERNAME, NO_FLAGS, NO_FLAGS_0},
    {GAP_TL_CONTACTS_RESOLVE_USERNAME, 159, INT32_MAX, GAP_TL_CONTACTS_RESOLVE_USERNAME, 0, AS_IS},
    {0xbcd51581, 0, GAP_DC_LAYER_LATER - 1, GAP_TL_AUTH_SIGN_IN, NO_FLAGS, NO_FLAGS_1},
    {GAP_TL_AUTH_SIGN_IN, 145, INT32_MAX, GAP_TL_AUTH_SIGN_IN, 0, AS_IS},
    {0x80eee427, 0, 197, GAP_TL_AUTH_SIGN_UP, NO_FLAGS, NO_FLAGS_0},
    {GAP_TL_AUTH_SIGN_UP, 159, INT32_MAX, GAP_TL_AUTH_SIGN_UP, 0, AS_IS},
    {0x3ef1a9bf, 0, 226, GAP_TL_AUTH_RESEND_CODE, NO_FLAGS, NO_FLAGS_0},
    {GAP_TL_AUTH_RESEND_CODE, 159, INT32_MAX, GAP_TL_AUTH_RESEND_CODE, 0, AS_IS},
    {GAP_TL_AUTH_SEND_CODE, 0, GAP_DC_LAYER_LATER - 1, GAP_TL_AUTH_SEND_CODE, NO_FLAGS, SETTINGS},
    {GAP_TL_AUTH_SEND_CODE, GAP_DC_LAYER_LATER, INT32_MAX, GAP_TL_AUTH_SEND_CODE, 0, AS_IS},
    {0x98914110, 0, GAP_DC_LAYER_LATER - 1, GAP_TL_HELP_GET_APP_CONFIG, NO_FLAGS, NO_HASH},
    {GAP_TL_HELP_GET_APP_CONFIG, GAP_DC_LAYER_LATER, INT32_MAX, GAP_TL_HELP_GET_APP_CONFIG, 0,
     AS_IS},
};

/* messages.sendMessage: peer, then what it replies to, then fields that are the same. */
static int put_reply(const struct method *m, gap_dc_cursor_t *c, uint32_t flags, gap_buf_t *buf)
{
    int64_t n = gap_tl_skip(gap_dc_rest(c));
    int r;

    if (n < 0) return GAP_E_TL;
    if ((r = gap_buf_append(buf, gap_dc_take(c, (size_t)n), (size_t)n)) < 0) return r;
    if ((flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO) == 0) return 0;
    uint32_t first = gap_dc_take32(c);
    if (m->form == REPLY_OLD) {
        bool is_old = first == OLD_INPUT_REPLY_TO_MESSAGE;
        return gap_buf_append32(buf, is_old ? GAP_TL_INPUT_REPLY_TO_MESSAGE : first);
    }
    bool has_topic = (flags & 1U << 9) != 0; /* top_msg_id behind it */
    uint32_t topic = has_topic ? gap_dc_take32(c) : 0;
    if ((r = gap_buf_append32(buf, GAP_TL_INPUT_REPLY_TO_MESSAGE)) < 0) return r;
    uint32_t topic_flag = has_topic ? GAP_TL_INPUT_REPLY_TO_MESSAGE_F_TOP_MSG_ID : 0;
    if ((r = gap_buf_append32(buf, topic_flag)) < 0) return r;
    if ((r = gap_buf_append32(buf, first)) < 0) return r;
    return has_topic ? gap_buf_append32(buf, topic) : 0;
}

/* auth.sendCode: what stands before the settings is the same; then they get their new name. */
static int put_settings(gap_dc_cursor_t *c, gap_buf_t *buf)
{
    gap_bytes_t before = gap_dc_rest(c);
    int r;

    (void)gap_dc_take_bytes(c); /* phone */
    (void)gap_dc_take32(c);     /* api_id */
    (void)gap_dc_take_bytes(c); /* api_hash */
    gap_bytes_t settings = gap_dc_rest(c);
    uint32_t id = gap_dc_take32(c);
    if (c->bad) return 0;
    if ((r = gap_buf_append(buf, before.data, before.len - settings.len)) < 0) return r;
    return gap_buf_append32(buf, id == OLD_CODE_SETTINGS ? GAP_TL_CODE_SETTINGS : id);
}

static int translate(const struct method *m, gap_bytes_t method, gap_buf_t *buf)
{
    gap_dc_cursor_t c = gap_dc_cursor(method);
    uint32_t flags = 0;
    int r;

    (void)gap_dc_take32(&c);
    if ((r = gap_buf_append32(buf, m->schema_id)) < 0) return r;
    if (m->flags != NO_FLAGS) {
        flags = gap_dc_take32(&c) & m->flags;
        /* A bare id's topic is no flag of the new form. */
        uint32_t kept = m->form == REPLY_ID ? flags & ~(1U << 9) : flags;
        if ((r = gap_buf_append32(buf, kept)) < 0) return r;
    }
    if (m->form == NO_FLAGS_0 && (r = gap_buf_append32(buf, 0)) < 0) return r;
    if (m->form == NO_FLAGS_1 && (r = gap_buf_append32(buf, 1)) < 0) return r;
    if (m->form == SETTINGS && (r = put_settings(&c, buf)) < 0) return r;
    if (m->form == REPLY_ID || m->form == REPLY_OLD)
        if ((r = put_reply(m, &c, flags, buf)) < 0) return r;
    if (c.bad) return GAP_E_TL;
    gap_bytes_t rest = gap_dc_rest(&c);
    if (rest.len > 0 && (r = gap_buf_append(buf, rest.data, rest.len)) < 0) return r;
    return m->form == NO_HASH ? gap_buf_append32(buf, 0) : 0;
}

int gap_dc_layer_method(int32_t layer, gap_bytes_t method, gap_buf_t *buf, gap_bytes_t *out)
{
    bool is_elsewhere = false;
    uint32_t id;

    if (method.len < 4) return GAP_E_TL;
    id = gap_load32(method.data);
    for (size_t i = 0; i < GAP_ARRAY_LEN(methods); i++) {
        const struct method *m = &methods[i];
        if (m->id != id) continue;
        is_elsewhere = true;
        if (layer < m->first || layer > m->last) continue;
        *out = method;
        if (m->form == AS_IS) return 0;
        gap_buf_clear(buf);
        int r = translate(m, method, buf);
        if (r == 0) *out = gap_buf_view(buf);
        return r;
    }
    *out = method;
    return is_elsewhere ? GAP_DC_NO_METHOD : 0;
}
