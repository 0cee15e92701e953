/*
 * dc/rpc_more.c - calls that clients make beside the model's: texts of the interface, media data
 * centres. There is nothing behind them but what their results must have.
 * Owns nothing.
 */
#include "dc/rpc.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

/* langPackDifference without strings: the texts that the client has are the newest. */
static int lang_pack(const gap_dc_query_t *q, gap_buf_t *out)
{
    union {
        gap_tl_langpack_get_difference_t difference;
        gap_tl_langpack_get_lang_pack_t all;
    } in;
    gap_tl_lang_pack_difference_t pack = {.version = 1, .strings = gap_tl_array(NULL, 0)};

    if (q->id == GAP_TL_LANGPACK_GET_DIFFERENCE) {
        if (gap_tl_read(q->method, q->id, &in.difference, sizeof in.difference) < 0)
            return DC_NOT_MINE;
        pack.lang_code = in.difference.lang_code;
        pack.from_version = in.difference.from_version;
        if (pack.version < pack.from_version) pack.version = pack.from_version;
    } else {
        if (gap_tl_read(q->method, q->id, &in.all, sizeof in.all) < 0) return DC_NOT_MINE;
        pack.lang_code = in.all.lang_code;
    }
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_LANG_PACK_DIFFERENCE, &pack));
}

static int empty_vector(gap_buf_t *out)
{
    int r = gap_buf_append32(out, GAP_TL_VECTOR);

    return r < 0 ? r : gap_buf_append32(out, 0);
}

static int lang_language(gap_buf_t *out)
{
    gap_tl_lang_pack_language_t english = {
        .flags = GAP_TL_LANG_PACK_LANGUAGE_F_OFFICIAL,
        .name = gap_str("English"),
        .native_name = gap_str("English"),
        .lang_code = gap_str("en"),
        .plural_code = gap_str("en"),
        .translations_url = gap_str("https://example.invalid/"),
    };

    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_LANG_PACK_LANGUAGE, &english));
}

static int cdn_config(gap_buf_t *out)
{
    gap_tl_cdn_config_t config = {gap_tl_array(NULL, 0)};

    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_CDN_CONFIG, &config));
}

/* Nobody here has written anybody down. */
static int contacts(gap_buf_t *out)
{
    gap_tl_contacts_contacts_t none = {gap_tl_array(NULL, 0), 0, gap_tl_array(NULL, 0)};

    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_CONTACTS_CONTACTS, &none));
}

int gap_dc_more(const gap_dc_query_t *q, gap_buf_t *out)
{
    switch (q->id) {
    case GAP_TL_LANGPACK_GET_DIFFERENCE:
    case GAP_TL_LANGPACK_GET_LANG_PACK:
        return lang_pack(q, out);
    case GAP_TL_LANGPACK_GET_LANGUAGES:
    case GAP_TL_LANGPACK_GET_STRINGS:
        return empty_vector(out);
    case GAP_TL_LANGPACK_GET_LANGUAGE:
        return lang_language(out);
    case GAP_TL_CONTACTS_GET_CONTACTS:
        return contacts(out);
    case GAP_TL_HELP_GET_CDN_CONFIG:
        return cdn_config(out);
    case GAP_TL_ACCOUNT_UPDATE_STATUS:
        return gap_buf_append32(out, GAP_MT_BOOL_TRUE);
    default:
        return DC_NOT_MINE;
    }
}
