/*
 * dc/peers.c - the table of data centres and how it is written down. Owns nothing; never connects.
 */
#include "dc/peers.h"

#include <stdio.h>

static bool same_addr(const gap_addr_t *a, const gap_addr_t *b)
{
    return a->v6 == b->v6 && a->port == b->port && memcmp(a->ip, b->ip, a->v6 ? 16 : 4) == 0;
}

bool gap_dc_peer_equal(const gap_dc_peer_t *a, const gap_dc_peer_t *b)
{
    return a->id == b->id && a->is_media == b->is_media && same_addr(&a->addr, &b->addr);
}

/* --- one address --------------------------------------------------------------------------- */

static const char *read_id(const char *at, int32_t *out)
{
    int32_t id = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        id = id * 10 + (*at - '0');
        if (id > GAP_DC_ID_MAX) return NULL;
    }
    *out = id;
    return id > 0 && *at == '=' ? at + 1 : NULL;
}

int gap_dc_peer_parse(gap_bytes_t text, gap_dc_peer_t *out)
{
    static const char media[] = ",media";
    const size_t media_len = sizeof media - 1;
    char word[GAP_DC_PEER_TEXT];
    gap_dc_peer_t peer;

    memset(&peer, 0, sizeof peer);
    if (text.len >= sizeof word || memchr(text.data, 0, text.len) != NULL) return GAP_E_ARGUMENT;
    if (text.len > media_len && memcmp(text.data + text.len - media_len, media, media_len) == 0) {
        peer.is_media = true;
        text.len -= media_len;
    }
    memcpy(word, text.data, text.len);
    word[text.len] = '\0';
    const char *host = read_id(word, &peer.id);
    if (host == NULL || gap_addr_parse(host, &peer.addr) < 0 || peer.addr.port == 0)
        return GAP_E_ARGUMENT;
    *out = peer;
    return 0;
}

bool gap_dc_peer_is_anywhere(const gap_addr_t *addr)
{
    static const uint8_t zeros[16];

    return memcmp(addr->ip, zeros, addr->v6 ? 16 : 4) == 0;
}

size_t gap_dc_peer_format(const gap_dc_peer_t *peer, char *out, size_t cap)
{
    char ip[46];

    gap_addr_format_ip(&peer->addr, ip);
    int n = snprintf(out, cap, "%d=%s%s%s:%u%s", (int)peer->id, peer->addr.v6 ? "[" : "", ip,
                     peer->addr.v6 ? "]" : "", (unsigned)peer->addr.port,
                     peer->is_media ? ",media" : "");
    return n < 0 ? 0 : (size_t)n;
}

/* --- the table ----------------------------------------------------------------------------- */

int gap_dc_peers_add(gap_dc_peers_t *peers, const gap_dc_peer_t *peer)
{
    for (uint32_t i = 0; i < peers->count; i++)
        if (gap_dc_peer_equal(&peers->list[i], peer)) return 0;
    if (peers->count == GAP_DC_PEERS_MAX) return GAP_E_LIMIT;
    peers->list[peers->count++] = *peer;
    return 0;
}

int gap_dc_peers_replace(gap_dc_peers_t *peers, uint32_t from, const gap_dc_peer_t *peer)
{
    for (uint32_t i = from; i < peers->count; i++) {
        gap_dc_peer_t *old = &peers->list[i];
        if (old->id != peer->id || old->is_media != peer->is_media || old->addr.v6 != peer->addr.v6)
            continue;
        *old = *peer;
        return 0;
    }
    return gap_dc_peers_add(peers, peer);
}

bool gap_dc_peers_drop(gap_dc_peers_t *peers, int32_t id)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < peers->count; i++)
        if (peers->list[i].id != id) peers->list[kept++] = peers->list[i];
    bool dropped = kept < peers->count;
    peers->count = kept;
    return dropped;
}

bool gap_dc_peers_has(const gap_dc_peers_t *peers, int32_t id)
{
    for (uint32_t i = 0; i < peers->count; i++)
        if (peers->list[i].id == id && !peers->list[i].is_media) return true;
    return false;
}

bool gap_dc_peers_equal(const gap_dc_peers_t *a, const gap_dc_peers_t *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!gap_dc_peer_equal(&a->list[i], &b->list[i])) return false;
    return true;
}

/* --- a file -------------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A line without its comment and the blanks around it. */
static gap_bytes_t bare(gap_bytes_t line)
{
    const uint8_t *comment = line.len > 0 ? memchr(line.data, '#', line.len) : NULL;

    if (comment != NULL) line.len = (size_t)(comment - line.data);
    while (line.len > 0 && is_blank(line.data[line.len - 1])) line.len--;
    for (; line.len > 0 && is_blank(line.data[0]); line.len--) line.data++;
    return line;
}

static void say_why(char *error, size_t cap, uint32_t line, int status)
{
    if (status == GAP_E_LIMIT)
        (void)snprintf(error, cap, "line %u: there is room for %u addresses, take some out",
                       (unsigned)line, GAP_DC_PEERS_MAX);
    else
        (void)snprintf(error, cap, "line %u is no address: write 4=127.0.0.1:4431", (unsigned)line);
}

int gap_dc_peers_read(gap_dc_peers_t *peers, gap_bytes_t text, int32_t own, char *error,
                      size_t error_cap)
{
    const uint32_t from = peers->count;
    uint32_t number = 0;
    size_t at = 0;

    while (at < text.len) {
        const uint8_t *start = text.data + at;
        const uint8_t *stop = memchr(start, '\n', text.len - at);
        size_t len = stop == NULL ? text.len - at : (size_t)(stop - start);
        gap_bytes_t line = bare(gap_bytes(start, len));
        gap_dc_peer_t peer;
        at += len + 1;
        number++;
        if (line.len == 0) continue;
        int r = gap_dc_peer_parse(line, &peer);
        if (r == 0 && peer.id == own && !peer.is_media) continue;
        if (r == 0) r = gap_dc_peers_replace(peers, from, &peer);
        if (r == 0) continue;
        say_why(error, error_cap, number, r);
        return r;
    }
    return 0;
}
