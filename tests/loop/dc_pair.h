/*
 * tests/loop/dc_pair.h - data centres 2 and 4, each on a thread of its own, and a client. 4 is told
 * of 2 when it starts; 2 hears of 4, and of an address of 4 for files, when it asks.
 */
#ifndef GAP_TESTS_LOOP_DC_PAIR_H
#define GAP_TESTS_LOOP_DC_PAIR_H

#include "tests/loop/dc_client.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <stdatomic.h>

#define BOT 4242

extern struct dc_thread two;
extern struct dc_thread four;
extern struct client client;
extern atomic_uint four_is_at; /* its port, as 2 is to hear of it; 0: not yet */

/* Fixtures: options may be changed between setup and pair_start. */
void pair_setup(void);
void pair_teardown(void);
void pair_start(void);
/* Both are to play this script. */
void pair_play(const char *text);

/* Add an address on the loopback to a table. */
void pair_know(gap_dc_peers_t *peers, int32_t id, uint16_t port, bool is_media);
/* Connect and make a new key. */
void pair_go_to(struct client *c, const struct dc_thread *t);
/* Call a method without arguments. */
gap_bytes_t pair_call(struct client *c, uint32_t id, gap_buf_t *pushes);
/* updates.getDifference from the beginning: who calls it is ready. */
void pair_get_difference(struct client *c);
void pair_expect_error(gap_bytes_t result, int32_t code, const char *text);

#endif
