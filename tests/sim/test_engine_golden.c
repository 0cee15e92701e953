/*
 * Golden traces of the gap engine: the common sequences. Each was written from the rules of
 * core.telegram.org/api/updates before the code ran; the name says the case. The state at the start
 * is pts 10, qts 5, seq 1; gaps wait 500 ms.
 *
 * Every trace is checked with first-in-first-out scheduling (seed 0) and with random choice among
 * the ready loops.
 */
#include "world.h"

#define SEEDS 24

static struct world w;

static void begin(int seed)
{
    world_init(&w, (uint64_t)seed, NULL);
    world_ready(&w);
}

static void feed_message(int32_t pts)
{
    pack_message(&w.p, pts, 1, pts, PACK_USER);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), 0);
}

static gap_packet_t *difference(int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id++) pack_new(&w.p, id);
    return pack_difference(&w.p, last, 5, 1);
}

/* ---- order ---- */

/* S01 */
START_TEST(in_order)
{
    begin(_i);
    for (int32_t pts = 11; pts <= 14; pts++) feed_message(pts);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply 13\n[   0] apply 14\n");
    world_fini(&w);
}
END_TEST

/* S02, S03 */
START_TEST(duplicates_are_dropped)
{
    gap_engine_counters_t count;
    begin(_i);
    feed_message(11);
    feed_message(11);
    feed_message(12);
    feed_message(11);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.duplicates, 2);
    ck_assert_uint_eq(count.gaps, 0);
    world_fini(&w);
}
END_TEST

/* S04 */
START_TEST(swapped_pair_in_a_container)
{
    begin(_i);
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S04: what one container brings in whatever order shows no hole; what is missing does. */
START_TEST(s04_order_within_a_container_shows_no_hole)
{
    begin(_i);
    w.events = true;
    static const int32_t order[] = {14, 12, 11, 13, 16};
    for (size_t i = 0; i < GAP_ARRAY_LEN(order); i++)
        pack_message(&w.p, order[i], 1, order[i], PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply 13\n[   0] apply 14\n"
                     "[   0] gap in common 14..16\n");
    feed_message(15);
    world_run(&w, 10000);
    world_expect(&w,
                 "[ 100] apply 15\n[ 100] apply 16\n[ 100] gap in common healed after 100 ms\n");
    world_fini(&w);
}
END_TEST

START_TEST(count_zero_is_legal)
{
    begin(_i);
    pack_edit(&w.p, 10, 0, 3); /* at the position: fits */
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_edit(&w.p, 11, 0, 11);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 10000);
    world_expect(&w, "[   0] edit 3\n[   0] apply 11\n[   0] edit 11\n");
    world_fini(&w);
}
END_TEST

/* S04 */
START_TEST(swapped_counts_one_and_zero)
{
    begin(_i);
    pack_edit(&w.p, 11, 0, 11);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] edit 11\n");
    world_fini(&w);
}
END_TEST

/* S08 */
START_TEST(pts_zero_has_no_place)
{
    begin(_i);
    pack_edit(&w.p, 0, 0, 3);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 10000);
    world_expect(&w, "[   0] edit 3\n[   0] apply 11\n");
    world_fini(&w);
}
END_TEST

/* S10 */
START_TEST(overlap_is_a_duplicate)
{
    begin(_i);
    feed_message(11);
    feed_message(12);
    pack_delete(&w.p, 13, 3, 1); /* 10..13: begins before 12 */
    (void)world_feed(&w, pack_updates(&w.p, 0));
    feed_message(13);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- gaps ---- */

/* Five messages in one container, with a user who came along. */
static void feed_five(int32_t first, int64_t user)
{
    pack_user(&w.p, user, false);
    for (int32_t pts = first; pts < first + 5; pts++) pack_message(&w.p, pts, 1, pts, PACK_USER);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), 0);
}

static void find_own_user(struct world *world, gap_update_t *update)
{
    int32_t pts = gap_update_pts(update);
    gap_peer_t own = {pts >= 22 && pts < 27 ? 4713 : 4711, GAP_PEER_USER};
    gap_peer_t other = {own.id == 4713 ? 4711 : 4713, GAP_PEER_USER};
    gap_tl_object_t object;

    (void)world;
    if (pts < 12) return;
    ck_assert_msg(gap_update_find(update, own, &object) == 1, "own user of %d", pts);
    ck_assert_msg(gap_update_find(update, other, &object) == 0, "another's at %d", pts);
}

/* S59: Containers that bring the same users share one copy while they are held; those that bring
 * others of the same size do not. */
START_TEST(held_updates_keep_their_own_users)
{
    gap_engine_counters_t count;

    begin(_i);
    w.handled = find_own_user;
    pack_user(&w.p, 4711, false);
    pack_user(&w.p, 4713, false);
    feed_message(10); /* a duplicate that makes all of them known */
    feed_five(12, 4711);
    feed_five(17, 4711);
    feed_five(22, 4713);
    feed_five(27, 4711);
    world_run(&w, 100);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_gt(count.held_bytes, 0);
    feed_message(11);
    world_run(&w, 10000);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.healed, 1);
    ck_assert_uint_eq(count.applied, 21);
    ck_assert_uint_eq(count.held_bytes, 0);
    world_fini(&w);
}
END_TEST

/* M1, S12 */
START_TEST(gap_heals_within_the_wait)
{
    gap_engine_counters_t count;
    begin(_i);
    feed_message(12);
    world_run(&w, 100);
    feed_message(11);
    world_run(&w, 10000);
    world_expect(&w, "[ 100] apply 11\n[ 100] apply 12\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.gaps, 1);
    ck_assert_uint_eq(count.healed, 1);
    ck_assert_uint_eq(count.fetched, 0);
    ck_assert_uint_eq(count.held, 0);
    ck_assert_uint_eq(count.held_bytes, 0);
    world_fini(&w);
}
END_TEST

/* S13 */
START_TEST(two_holes_filled_in_reverse)
{
    begin(_i);
    feed_message(12);
    feed_message(14);
    world_run(&w, 50);
    feed_message(13);
    world_run(&w, 100);
    feed_message(11);
    world_run(&w, 10000);
    world_expect(&w, "[ 100] apply 11\n[ 100] apply 12\n[ 100] apply 13\n[ 100] apply 14\n");
    world_fini(&w);
}
END_TEST

/* S14 */
START_TEST(gap_is_fetched)
{
    begin(_i);
    feed_message(11);
    feed_message(13); /* 12 is lost */
    world_answer(&w, 20, difference(12, 13));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[ 500] difference from 11\n"
                     "[ 520] apply 12\n[ 520] apply 13\n");
    world_fini(&w);
}
END_TEST

/* S17: the deadline of an episode does not move while holes remain. */
START_TEST(partial_fill_keeps_the_deadline)
{
    begin(_i);
    feed_message(12);
    world_run(&w, 400);
    feed_message(14);
    feed_message(11);
    world_answer(&w, 20, difference(13, 14));
    world_run(&w, 10000);
    world_expect(&w, "[ 400] apply 11\n[ 400] apply 12\n[ 500] difference from 12\n"
                     "[ 520] apply 13\n[ 520] apply 14\n");
    world_fini(&w);
}
END_TEST

/* M2: the message was lost, its edit is held. */
START_TEST(message_then_edit)
{
    begin(_i);
    pack_edit(&w.p, 12, 1, 11);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply 11\n[ 520] edit 11\n");
    world_fini(&w);
}
END_TEST

/* ---- differences ---- */

/* M5, S31: difference before live, covered ones dropped, later ones at once after it. */
START_TEST(difference_before_live)
{
    begin(_i);
    feed_message(12);
    world_answer(&w, 100, difference(11, 13));
    world_run(&w, 550);
    feed_message(13);
    feed_message(15);
    feed_message(14);
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 600] apply 11\n[ 600] apply 12\n"
                     "[ 600] apply 13\n[ 600] apply 14\n[ 600] apply 15\n");
    world_fini(&w);
}
END_TEST

/* S81 */
START_TEST(slices_in_order)
{
    begin(_i);
    feed_message(15);
    pack_new(&w.p, 11);
    pack_new(&w.p, 12);
    world_answer(&w, 20, pack_slice(&w.p, 12, 5, 1));
    world_answer(&w, 20, difference(13, 14));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply 11\n[ 520] apply 12\n"
                     "[ 520] difference from 12\n[ 540] apply 13\n[ 540] apply 14\n"
                     "[ 540] apply 15\n");
    world_fini(&w);
}
END_TEST

/* S39: several reasons, one question; one that comes while it is in flight is asked once more. */
START_TEST(signal_while_busy)
{
    begin(_i);
    (void)world_feed(&w, pack_updates_too_long());
    (void)world_feed(&w, pack_updates_too_long());
    gap_engine_missed(w.engine);
    world_answer(&w, 100, difference(11, 11));
    world_answer(&w, 100, pack_empty(1));
    world_run(&w, 50);
    (void)world_feed(&w, pack_updates_too_long());
    gap_engine_missed(w.engine);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[ 100] apply 11\n[ 100] difference from 11\n");
    world_fini(&w);
}
END_TEST

/* S69 */
START_TEST(new_session)
{
    begin(_i);
    world_answer(&w, 20, difference(11, 12));
    gap_engine_missed(w.engine);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 11\n[  20] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S27: deletes and edits of its own box bypass the check and come after the messages. */
START_TEST(own_updates_of_a_difference)
{
    begin(_i);
    gap_engine_missed(w.engine);
    pack_delete(&w.p, 14, 0, 3);
    pack_edit(&w.p, 14, 0, 11);
    pack_message_id(&w.p, 12);
    pack_new(&w.p, 11);
    pack_new(&w.p, 12);
    world_answer(&w, 20, pack_difference(&w.p, 14, 5, 1));
    world_run(&w, 30);
    feed_message(15);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply random 12\n[  20] apply 11\n"
                     "[  20] apply 12\n[  20] delete 3\n[  20] edit 11\n[  30] apply 15\n");
    world_fini(&w);
}
END_TEST

/* S40 */
START_TEST(difference_does_not_turn_back)
{
    begin(_i);
    feed_message(11);
    feed_message(12);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_difference(&w.p, 11, 4, 1));
    world_run(&w, 30);
    feed_message(12);
    feed_message(13);
    world_run(&w, 10000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[  30] apply 13\n"));
    ck_assert_ptr_null(strstr(w.trace, "[  30] apply 12\n"));
    world_fini(&w);
}
END_TEST

/* S32 */
START_TEST(difference_too_long)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_difference_too_long(500));
    world_answer(&w, 20, difference(501, 501));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n"
                     "[  20] common resynchronised 10..500: too long\n"
                     "[  20] difference from 500\n[  40] apply 501\n");
    world_fini(&w);
}
END_TEST

/* M21, S36 */
START_TEST(slice_without_progress)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_slice(&w.p, 10, 5, 1));
    world_answer(&w, 20, pack_slice(&w.p, 10, 5, 1));
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] common failed, again in 1000 ms\n"
                     "[1020] difference from 10\n[1040] common failed, again in 2000 ms\n"
                     "[3040] difference from 10\n[3060] apply 11\n");
    world_fini(&w);
}
END_TEST

/* A gap that the difference did not close is a new gap. */
START_TEST(gap_remains_after_the_difference)
{
    begin(_i);
    feed_message(14);
    world_answer(&w, 20, difference(11, 12));
    world_answer(&w, 20, difference(13, 14));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply 11\n[ 520] apply 12\n"
                     "[1020] difference from 12\n[1040] apply 13\n[1040] apply 14\n");
    world_fini(&w);
}
END_TEST

/* ---- errors ---- */

/* M4, S41, S45 */
START_TEST(errors_back_off)
{
    begin(_i);
    feed_message(12);
    world_error(&w, 20, 500, "PERSISTENT_TIMESTAMP_OUTDATED");
    world_fail(&w, 20, GAP_E_DISCONNECTED);
    world_error(&w, 20, 500, "HISTORY_GET_FAILED");
    world_answer(&w, 20, difference(11, 12));
    world_run(&w, 20000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] common failed, again in 1000 ms\n"
                     "[1520] difference from 10\n[1540] common failed, again in 2000 ms\n"
                     "[3540] difference from 10\n[3560] common failed, again in 4000 ms\n"
                     "[7560] difference from 10\n[7580] apply 11\n[7580] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S46 */
START_TEST(flood_wait)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 0, 420, "FLOOD_WAIT_7");
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 20000);
    world_expect(&w, "[   0] difference from 10\n[   0] common failed, again in 7000 ms\n"
                     "[7000] difference from 10\n[7020] apply 11\n");
    world_fini(&w);
}
END_TEST

/* S43, M25: our position is refused. */
START_TEST(position_refused)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 0, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 0, pack_state(40, 5, 1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 20000);
    world_expect(&w, "[   0] difference from 10\n[   0] state\n"
                     "[   0] common resynchronised 10..40: invalid\n[   0] difference from 40\n");
    world_fini(&w);
}
END_TEST

/* S47 */
START_TEST(signed_out_stops_all)
{
    begin(_i);
    feed_message(12);
    world_error(&w, 20, 401, "AUTH_KEY_UNREGISTERED");
    world_run(&w, 2000000);
    gap_engine_missed(w.engine);
    world_run(&w, 4000000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] signed out\n");
    world_fini(&w);
}
END_TEST

/* S72 */
START_TEST(pts_changed)
{
    begin(_i);
    pack_pts_changed(&w.p);
    world_answer(&w, 0, pack_state(3, 5, 1));
    world_answer(&w, 0, pack_empty(1));
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 10);
    feed_message(4);
    world_run(&w, 10000);
    world_expect(&w, "[   0] state\n[   0] common resynchronised 10..3: reset\n"
                     "[   0] difference from 3\n[  10] apply 4\n");
    world_fini(&w);
}
END_TEST

/* M22 */
START_TEST(large_drop_is_a_reset)
{
    gap_engine_state_t state = {2000000, 5, 1, PACK_DATE, NULL, 0};
    gap_engine_config_t c;
    memset(&c, 0, sizeof c);
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 0);
    world_forget(&w);
    feed_message(1999000); /* a small drop: a duplicate */
    feed_message(100);
    feed_message(101);
    world_run(&w, 10000);
    world_expect(&w, "[   0] common resynchronised 2000000..100: reset\n"
                     "[   0] apply 100\n[   0] apply 101\n");
    world_fini(&w);
}
END_TEST

/* S51, M23: bytes that can't be read cost one difference in ten seconds. */
START_TEST(undecodable_is_fetched_but_not_often)
{
    uint8_t garbage[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    begin(_i);
    for (int i = 0; i < 5; i++)
        ck_assert_int_lt(gap_engine_feed(w.engine, garbage, sizeof garbage, NULL), 0);
    world_answer(&w, 20, pack_empty(1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 60000);
    world_expect(&w, "[   0] difference from 10\n[10000] difference from 10\n");
    world_fini(&w);
}
END_TEST

/* ---- time ---- */

/* S65, M3 */
START_TEST(watchdog)
{
    begin(_i);
    world_run(&w, 600000);
    feed_message(11);
    world_run(&w, 600001);
    world_answer(&w, 20, difference(12, 13));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 2400019);
    world_expect(&w, "[600000] apply 11\n[1500000] difference from 11\n"
                     "[1500020] apply 12\n[1500020] apply 13\n");
    world_run(&w, 2400020);
    world_expect(&w, "[2400020] difference from 13\n");
    world_fini(&w);
}
END_TEST

/* S82: the missing update lay in the socket while the host was busy. */
START_TEST(host_stall)
{
    begin(_i);
    feed_message(12);
    world_run(&w, 0);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    world_send(&w, 300, pack_updates(&w.p, 0));
    world_stall(&w, 700);
    world_run(&w, 10000);
    world_expect(&w, "[ 700] apply 11\n[ 700] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S66, S50 */
START_TEST(fresh_account)
{
    gap_engine_config_t c;
    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    w.events = true;
    feed_message(9); /* before anything is known: held, then seen to be old */
    feed_message(11);
    world_run(&w, 5);
    world_expect(&w, "");
    gap_engine_start(w.engine);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(10, 0, 0));
    world_answer(&w, 20, pack_empty(0));
    world_run(&w, 800000);
    world_expect(&w, "[   5] state\n[  25] started\n[  25] difference from 10\n"
                     "[  45] caught up\n[  45] apply 11\n");
    world_fini(&w);
}
END_TEST

/* S72: what a slice has brought already does not belong to the new count. */
START_TEST(pts_changed_behind_a_slice)
{
    begin(_i);
    feed_message(12);
    pack_new(&w.p, 11);
    pack_new(&w.p, 12);
    world_answer(&w, 0, pack_slice(&w.p, 12, 5, 1));
    world_error(&w, 0, 500, "HISTORY_GET_FAILED");
    world_run(&w, 600);
    pack_pts_changed(&w.p);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_answer(&w, 0, pack_state(3, 5, 1));
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 60000);
    world_expect(&w, "[ 500] difference from 10\n[ 500] apply 11\n[ 500] apply 12\n"
                     "[ 500] difference from 12\n[ 500] common failed, again in 1000 ms\n"
                     "[1500] state\n[1500] common resynchronised 12..3: reset\n"
                     "[1500] difference from 3\n");
    world_fini(&w);
}
END_TEST

/* S72: of what came twice before the new count only one is delivered. */
START_TEST(pts_changed_behind_a_pair)
{
    begin(_i);
    feed_message(12);
    feed_message(12);
    pack_pts_changed(&w.p);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_answer(&w, 0, pack_state(3, 5, 1));
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 60000);
    world_expect(&w, "[   0] state\n[   0] common resynchronised 10..3: reset\n"
                     "[   0] apply 12\n[   0] difference from 3\n");
    world_fini(&w);
}
END_TEST

/* S43: what was delivered before is known as that. */
START_TEST(position_refused_and_an_old_container)
{
    begin(_i);
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 1);
    gap_engine_missed(w.engine);
    world_error(&w, 0, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 0, pack_state(40, 5, 2));
    world_answer(&w, 0, pack_empty(2));
    world_run(&w, 2);
    world_forget(&w);
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 1000);
    world_expect(&w, "");
    world_fini(&w);
}
END_TEST

/* S21, S43: containers that are held while the position is refused are handed out, whatever the new
 * state says of seq. */
START_TEST(position_refused_over_containers)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_updates(&w.p, 1));
    world_answer(&w, 10, pack_state(10, 5, 3));
    world_error(&w, 10, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 10, pack_state(40, 5, 4));
    world_answer(&w, 10, pack_empty(4));
    world_run(&w, 1000);
    ck_assert_ptr_nonnull(strstr(w.trace, "apply query 3\n"));
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_golden");
    TCase *t = tcase_create("common");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, in_order, 0, SEEDS);
    tcase_add_loop_test(t, duplicates_are_dropped, 0, SEEDS);
    tcase_add_loop_test(t, swapped_pair_in_a_container, 0, SEEDS);
    tcase_add_loop_test(t, s04_order_within_a_container_shows_no_hole, 0, SEEDS);
    tcase_add_loop_test(t, count_zero_is_legal, 0, SEEDS);
    tcase_add_loop_test(t, swapped_counts_one_and_zero, 0, SEEDS);
    tcase_add_loop_test(t, pts_zero_has_no_place, 0, SEEDS);
    tcase_add_loop_test(t, overlap_is_a_duplicate, 0, SEEDS);
    tcase_add_loop_test(t, gap_heals_within_the_wait, 0, SEEDS);
    tcase_add_loop_test(t, held_updates_keep_their_own_users, 0, SEEDS);
    tcase_add_loop_test(t, two_holes_filled_in_reverse, 0, SEEDS);
    tcase_add_loop_test(t, gap_is_fetched, 0, SEEDS);
    tcase_add_loop_test(t, partial_fill_keeps_the_deadline, 0, SEEDS);
    tcase_add_loop_test(t, message_then_edit, 0, SEEDS);
    tcase_add_loop_test(t, difference_before_live, 0, SEEDS);
    tcase_add_loop_test(t, slices_in_order, 0, SEEDS);
    tcase_add_loop_test(t, signal_while_busy, 0, SEEDS);
    tcase_add_loop_test(t, new_session, 0, SEEDS);
    tcase_add_loop_test(t, own_updates_of_a_difference, 0, SEEDS);
    tcase_add_loop_test(t, difference_does_not_turn_back, 0, SEEDS);
    tcase_add_loop_test(t, difference_too_long, 0, SEEDS);
    tcase_add_loop_test(t, slice_without_progress, 0, SEEDS);
    tcase_add_loop_test(t, gap_remains_after_the_difference, 0, SEEDS);
    tcase_add_loop_test(t, errors_back_off, 0, SEEDS);
    tcase_add_loop_test(t, flood_wait, 0, SEEDS);
    tcase_add_loop_test(t, position_refused, 0, SEEDS);
    tcase_add_loop_test(t, signed_out_stops_all, 0, SEEDS);
    tcase_add_loop_test(t, pts_changed, 0, SEEDS);
    tcase_add_loop_test(t, large_drop_is_a_reset, 0, SEEDS);
    tcase_add_loop_test(t, undecodable_is_fetched_but_not_often, 0, SEEDS);
    tcase_add_loop_test(t, watchdog, 0, SEEDS);
    tcase_add_loop_test(t, host_stall, 0, SEEDS);
    tcase_add_loop_test(t, fresh_account, 0, SEEDS);
    tcase_add_loop_test(t, pts_changed_behind_a_slice, 0, SEEDS);
    tcase_add_loop_test(t, position_refused_over_containers, 0, SEEDS);
    tcase_add_loop_test(t, position_refused_and_an_old_container, 0, SEEDS);
    tcase_add_loop_test(t, pts_changed_behind_a_pair, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
