/*
 * dc/call_rules.c - rules about calls as a command line says them. Owns nothing.
 */
#include "dc/call_rules.h"

#include "base/bytes.h"
#include "dc/model.h"
#include "tl/tl.h"

#include <stdlib.h>
#include <string.h>

#define CHANCE_CHARS 32

/** What stands before the next @p stop, or all; @p rest is what is behind it. */
static gap_bytes_t cut(gap_bytes_t *rest, char stop)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->data, stop, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->data);
    gap_bytes_t head = gap_bytes(rest->data, len);
    size_t gone = at == NULL ? len : len + 1;

    *rest = rest->len == 0 ? *rest : gap_bytes(rest->data + gone, rest->len - gone);
    return head;
}

int gap_dc_methods_parse(gap_bytes_t text, gap_dc_methods_t *out)
{
    gap_dc_methods_t methods = {.count = 0};

    if (!gap_bytes_equal(text, gap_str("*"))) {
        do {
            uint32_t id = dc_method_id(cut(&text, '+'));
            if (id == 0 || methods.count == GAP_DC_METHODS_MAX) return GAP_E_ARGUMENT;
            methods.ids[methods.count++] = id;
        } while (text.len > 0);
    }
    *out = methods;
    return 0;
}

bool gap_dc_methods_have(const gap_dc_methods_t *methods, uint32_t method)
{
    bool is_there = methods->count == 0;

    for (uint32_t i = 0; i < methods->count; i++) is_there |= methods->ids[i] == method;
    return is_there;
}

int gap_dc_chance_parse(gap_bytes_t text, double *out)
{
    char chars[CHANCE_CHARS];
    char *end;

    if (text.len == 0 || text.len >= sizeof chars) return GAP_E_ARGUMENT;
    memcpy(chars, text.data, text.len);
    chars[text.len] = '\0';
    if ((chars[0] < '0' || chars[0] > '9') && chars[0] != '.') return GAP_E_ARGUMENT;
    double p = strtod(chars, &end);
    if (end != chars + text.len || !(p >= 0.0 && p <= 1.0)) return GAP_E_ARGUMENT;
    *out = p;
    return 0;
}

static bool read_code(gap_bytes_t text, int32_t *out)
{
    int32_t n = 0;

    if (text.len != 3) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *out = n;
    return n >= 300;
}

int gap_dc_refusal_parse(gap_bytes_t text, gap_dc_refusal_t *out, const char **expected)
{
    gap_dc_refusal_t rule;

    memset(&rule, 0, sizeof rule);
    *expected = "first methods like messages.sendMessage+messages.editMessage, or *";
    if (gap_dc_methods_parse(cut(&text, ':'), &rule.methods) < 0) return GAP_E_ARGUMENT;
    *expected = "then a probability from 0 to 1";
    if (gap_dc_chance_parse(cut(&text, ':'), &rule.chance) < 0) return GAP_E_ARGUMENT;
    *expected = "then an error's code and text like 400:MESSAGE_ID_INVALID";
    if (!read_code(cut(&text, ':'), &rule.code)) return GAP_E_ARGUMENT;
    if (text.len == 0 || text.len >= sizeof rule.text) return GAP_E_ARGUMENT;
    memcpy(rule.text, text.data, text.len);
    *out = rule;
    return 0;
}
