/*
 * userbot/text.c - texts that others wrote, made fit for a terminal: names of devices and hints of
 * passwords must not move the cursor or change colours.
 */
#include "userbot/text.h"

#include <string.h>

/* Bytes of the UTF-8 character at @p p; 0: it is none, or one that controls. */
static size_t character(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > left || p[0] > 0xf4) return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    if (n == 1) return p[0] < 0x20 || p[0] == 0x7f ? 0 : 1;
    if (n == 2) return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : 2;
    /* Marks that turn the direction of writing around, and separators of lines. */
    bool turns = n == 3 && p[0] == 0xe2 &&
                 ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
                  (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
    return turns ? 0 : n;
}

size_t text_printable(gap_bytes_t text, size_t columns, char *out, size_t cap)
{
    size_t count = 0;
    size_t at = 0;
    size_t len = 0;

    while (at < text.len && count < columns) {
        size_t n = character(text.data + at, text.len - at);
        if (len + (n == 0 ? 1 : n) + 1 > cap) break;
        if (n == 0) {
            out[len++] = '?';
            at++;
        } else {
            memcpy(out + len, text.data + at, n);
            len += n;
            at += n;
        }
        count++;
    }
    out[len] = '\0';
    return count;
}
