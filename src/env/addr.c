/*
 * env/addr.c - numeric addresses as text. No look-ups, no sockets.
 */
#include "env/env.h"

#include <arpa/inet.h>
#include <string.h>

/* "443" up to 65535; nothing before, between or behind the digits. */
static int parse_port(const char *text, uint16_t *out)
{
    unsigned port = 0;

    if (*text == '\0') return GAP_E_ARGUMENT;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return GAP_E_ARGUMENT;
        port = port * 10 + (unsigned)(*text - '0');
        if (port > UINT16_MAX) return GAP_E_ARGUMENT;
    }
    *out = (uint16_t)port;
    return 0;
}

int gap_addr_parse(const char *text, gap_addr_t *out)
{
    char ip[INET6_ADDRSTRLEN];
    gap_addr_t addr = {.v6 = text[0] == '['};
    const char *start = addr.v6 ? text + 1 : text;
    const char *end = strchr(start, addr.v6 ? ']' : ':');

    if (end == NULL || (size_t)(end - start) >= sizeof ip) return GAP_E_ARGUMENT;
    memcpy(ip, start, (size_t)(end - start));
    ip[end - start] = '\0';
    if (addr.v6) {
        end++;
        if (*end != ':') return GAP_E_ARGUMENT;
    }
    if (inet_pton(addr.v6 ? AF_INET6 : AF_INET, ip, addr.ip) != 1) return GAP_E_ARGUMENT;
    int r = parse_port(end + 1, &addr.port);
    if (r < 0) return r;
    *out = addr;
    return 0;
}

void gap_addr_format_ip(const gap_addr_t *addr, char out[46])
{
    out[0] = '\0';
    (void)inet_ntop(addr->v6 ? AF_INET6 : AF_INET, addr->ip, out, 46);
}
