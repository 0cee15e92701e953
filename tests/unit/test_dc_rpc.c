/*
 * tests/unit/test_dc_rpc.c - calls in their wrappers, bots' tokens, fates, and the command line of
 * gapless-dc.
 */
#include "base/bytes.h"
#include "base/packet.h"
#include "base/prng.h"
#include "dc/options.h"
#include "dc/rpc.h"
#include "tests/check_main.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

/* --- wrappers ------------------------------------------------------------------------------ */

static uint8_t bytes[65536];

static gap_bytes_t written(gap_tl_object_t object)
{
    int64_t n = gap_tl_write(object, bytes, sizeof bytes);
    ck_assert_int_gt(n, 0);
    return gap_bytes(bytes, (size_t)n);
}

static int unwrap(gap_bytes_t query, gap_dc_query_t *out, gap_dc_error_t *error)
{
    gap_gzip_t zip;
    gap_packet_t *inflated;

    gap_gzip_init(&zip, gap_alloc_default());
    int r = gap_dc_unwrap(query, &zip, out, &inflated, error);
    gap_packet_unref(inflated);
    gap_gzip_fini(&zip);
    return r;
}

START_TEST(test_everything_a_client_wraps)
{
    uint32_t nothing = 0;
    int64_t after[2] = {40, 44};
    gap_tl_invoke_without_updates_t silent = {GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing)};
    gap_tl_input_client_proxy_t proxy = {gap_str("127.0.0.1"), 443};
    gap_tl_json_object_t params = {gap_tl_array(NULL, 0)};
    gap_tl_init_connection_t init = {
        .flags = GAP_TL_INIT_CONNECTION_F_PROXY | GAP_TL_INIT_CONNECTION_F_PARAMS,
        .api_id = 1,
        .device_model = gap_str("a device with quite a long name, as some of them have"),
        .proxy = GAP_TL_OF(GAP_TL_INPUT_CLIENT_PROXY, &proxy),
        .params = GAP_TL_OF(GAP_TL_JSON_OBJECT, &params),
        .query = GAP_TL_OF(GAP_TL_INVOKE_WITHOUT_UPDATES, &silent),
    };
    gap_tl_invoke_with_layer_t layer = {198, GAP_TL_OF(GAP_TL_INIT_CONNECTION, &init)};
    gap_tl_invoke_after_msgs_t msgs = {gap_tl_array(after, 2),
                                       GAP_TL_OF(GAP_TL_INVOKE_WITH_LAYER, &layer)};
    gap_bytes_t query = written(GAP_TL_OF(GAP_TL_INVOKE_AFTER_MSGS, &msgs));
    gap_dc_query_t q;
    gap_dc_error_t error;

    ck_assert_int_eq(unwrap(query, &q, &error), 0);
    ck_assert_uint_eq(q.id, GAP_TL_UPDATES_GET_STATE);
    ck_assert_uint_eq(q.method.len, 4);
    ck_assert_int_eq(q.layer, 198);
    ck_assert(q.has_init);
    ck_assert(q.no_updates);
    ck_assert_uint_eq(q.after_count, 2);
    ck_assert_int_eq(q.after[1], 44);
    for (size_t n = 0; n < query.len; n += 4)
        ck_assert_msg(unwrap(gap_bytes(query.data, n), &q, &error) == GAP_DC_IS_ERROR, "cut at %zu",
                      n);
    ck_assert_int_eq(error.code, 400);
    ck_assert_str_eq(error.text, "INPUT_FETCH_ERROR");
}
END_TEST

START_TEST(test_wrappers_have_a_limit)
{
    gap_dc_query_t q;
    gap_dc_error_t error;

    for (size_t depth = 0; depth < 64; depth++) {
        for (size_t i = 0; i < depth; i++)
            gap_store32(bytes + 4 * i, GAP_TL_INVOKE_WITHOUT_UPDATES);
        gap_store32(bytes + 4 * depth, GAP_TL_UPDATES_GET_STATE);
        int r = unwrap(gap_bytes(bytes, 4 * depth + 4), &q, &error);
        ck_assert_int_eq(r, depth <= GAP_DC_WRAPPERS_MAX ? 0 : GAP_DC_IS_ERROR);
    }
}
END_TEST

START_TEST(test_garbage_in_wrappers)
{
    static const uint32_t ids[] = {
        GAP_TL_INVOKE_WITH_LAYER,
        GAP_TL_INIT_CONNECTION,
        GAP_TL_INVOKE_WITHOUT_UPDATES,
        GAP_TL_INVOKE_AFTER_MSG,
        GAP_TL_INVOKE_AFTER_MSGS,
        GAP_TL_INVOKE_WITH_MESSAGES_RANGE,
        GAP_TL_INVOKE_WITH_TAKEOUT,
        GAP_TL_INVOKE_WITH_BUSINESS_CONNECTION,
        GAP_MT_GZIP_PACKED,
        GAP_TL_VECTOR,
        GAP_TL_INVOKE_WITH_APNS_SECRET,
        GAP_TL_INVOKE_WITH_GOOGLE_PLAY_INTEGRITY,
    };
    gap_prng_t prng = {(uint64_t)_i + 1};
    gap_dc_query_t q;
    gap_dc_error_t error;

    for (unsigned round = 0; round < 200; round++) {
        size_t words = gap_prng_below(&prng, 40);
        for (size_t i = 0; i < words; i++) {
            uint32_t v = (uint32_t)gap_prng_next(&prng);
            if ((v & 3) == 0) v = ids[v / 4 % GAP_ARRAY_LEN(ids)];
            if ((v & 3) == 1) v = v / 4 % 16;
            gap_store32(bytes + 4 * i, v);
        }
        int r = unwrap(gap_bytes(bytes, words * 4), &q, &error);
        ck_assert_msg(r == 0 || r == GAP_DC_IS_ERROR, "seed %d: %d", _i, r);
    }
}
END_TEST

/* --- tokens -------------------------------------------------------------------------------- */

static const struct {
    const char *token;
    int64_t id;
    const char *why;
} tokens[] = {
    {"123456:ABC-def", 123456, "as they come"},
    {"1:x", 1, "the shortest"},
    {"999999999999999:x", 999999999999999, "fifteen digits"},
    {"1000000000000000:x", 0, "sixteen are no id"},
    {"123456", 0, "no secret"},
    {"123456:", 0, "an empty secret"},
    {":secret", 0, "no id"},
    {"-5:secret", 0, "a sign"},
    {"12a:secret", 0, "a letter in the id"},
    {"", 0, "nothing"},
};

START_TEST(test_tokens)
{
    ck_assert_msg(gap_dc_token_id(gap_str(tokens[_i].token)) == tokens[_i].id, "%s",
                  tokens[_i].why);
}
END_TEST

/* --- fates --------------------------------------------------------------------------------- */

START_TEST(test_fates_follow_the_seed_and_the_rules)
{
    gap_dc_options_t o;
    unsigned count[4] = {0};
    unsigned other = 0;

    gap_dc_options_init(&o);
    o.seed = 5;
    o.loss = 0.05;
    o.reorder = 0.1;
    o.duplicate = 0.02;
    for (uint32_t i = 0; i < 100000; i++) {
        gap_dc_fate_t f = gap_dc_fate(&o, i, 77, 0, false, true);
        gap_dc_fate_t g = gap_dc_fate(&o, i, 77, 0, false, true);
        ck_assert_int_eq(f.fate, g.fate);
        ck_assert_uint_eq(f.late_us, g.late_us);
        count[f.fate]++;
        other += gap_dc_fate(&o, i, 78, 0, false, true).fate != f.fate;
        if (f.fate == DC_LATE) {
            ck_assert_uint_ge(f.late_us, 1);
            ck_assert_uint_le(f.late_us, (uint64_t)o.reorder_ms * 1000 + 1);
        }
        ck_assert_int_eq(gap_dc_fate(&o, i, 77, 0, true, true).fate, DC_SENT);
        ck_assert_int_ne(gap_dc_fate(&o, i, 77, 0, false, false).fate, DC_DROPPED);
    }
    ck_assert_uint_ge(count[DC_DROPPED], 4500);
    ck_assert_uint_le(count[DC_DROPPED], 5500);
    ck_assert_uint_ge(count[DC_LATE], 9000);
    ck_assert_uint_le(count[DC_LATE], 10500);
    ck_assert_uint_ge(count[DC_TWICE], 1400);
    ck_assert_uint_le(count[DC_TWICE], 2100);
    ck_assert_msg(other > 10000, "accounts have fates of their own");
}
END_TEST

START_TEST(test_fates_of_calls)
{
    gap_dc_options_t o;
    unsigned errors = 0;
    unsigned floods = 0;

    gap_dc_options_init(&o);
    ck_assert_int_eq(gap_dc_call_fate(&o, 1, 1, 0).code, 0);
    o.rpc_error = 0.1;
    o.flood = 0.2;
    for (uint32_t i = 0; i < 10000; i++) {
        int32_t code = gap_dc_call_fate(&o, 1, i, 0).code;
        errors += code == 500;
        floods += code == 420;
    }
    ck_assert_uint_ge(errors, 900);
    ck_assert_uint_le(errors, 1100);
    ck_assert_uint_ge(floods, 1600);
    ck_assert_uint_le(floods, 2000);
    o.rpc_error = 1.0;
    ck_assert_int_eq(gap_dc_call_fate(&o, 1, 1, 0).code, 500);
}
END_TEST

/* New faults leave those alone that the same seed gave before. */
START_TEST(test_fates_of_answers)
{
    gap_dc_options_t o;
    gap_dc_options_t before;
    unsigned dropped = 0;
    unsigned lost = 0;
    uint64_t latest = 0;

    gap_dc_options_init(&before);
    before.rpc_error = 0.1;
    before.flood = 0.2;
    o = before;
    o.drop_answer = 0.1;
    o.lose_session = 0.1;
    o.answer_ms = 50;
    for (uint32_t i = 0; i < 10000; i++) {
        gap_dc_call_fate_t f = gap_dc_call_fate(&o, 1, i, 0);
        gap_dc_call_fate_t again = gap_dc_call_fate(&o, 1, i, 0);
        ck_assert_int_eq(f.code, gap_dc_call_fate(&before, 1, i, 0).code);
        ck_assert(f.answer == again.answer && f.late_us == again.late_us);
        dropped += f.answer == GAP_DC_ANSWER_DROPPED;
        lost += f.answer == GAP_DC_SESSION_LOST;
        if (f.late_us > latest) latest = f.late_us;
        /* What is refused is answered, and one fate is enough. */
        ck_assert(f.code == 0 || f.answer == GAP_DC_FAITHFUL);
        ck_assert(f.late_us == 0 || f.answer == GAP_DC_FAITHFUL);
    }
    /* A tenth of the 72 % that are carried out; a tenth of what is left. */
    ck_assert_uint_ge(dropped, 650);
    ck_assert_uint_le(dropped, 790);
    ck_assert_uint_ge(lost, 580);
    ck_assert_uint_le(lost, 720);
    ck_assert_uint_ge(latest, 49000);
    ck_assert_uint_le(latest, 50000);
}
END_TEST

/* Faults that name methods are for these, and refusals leave the other draws as they are. */
START_TEST(test_fates_by_method)
{
    static const char *const rules[] = {
        "messages.editMessage:0.5:400:MESSAGE_ID_INVALID",
        "messages.editMessage+messages.sendMessage:.2:403:CHAT_WRITE_FORBIDDEN"};
    gap_dc_options_t o;
    gap_dc_options_t all;
    const char *expected;
    unsigned refused[2] = {0};
    unsigned dropped = 0;
    unsigned lost = 0;

    gap_dc_options_init(&all);
    all.drop_answer = 0.3;
    all.lose_session = 0.3;
    o = all;
    ck_assert_int_eq(gap_dc_methods_parse(gap_str("messages.sendMessage"), &o.drop_methods), 0);
    ck_assert_int_eq(
        gap_dc_methods_parse(gap_str("messages.sendMedia+messages.editMessage"), &o.lose_methods),
        0);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(gap_dc_refusal_parse(gap_str(rules[i]), &o.refusals[i], &expected), 0);
    o.refusal_count = 2;
    for (uint32_t i = 0; i < 10000; i++) {
        gap_dc_call_fate_t free = gap_dc_call_fate(&all, 1, i, GAP_TL_MESSAGES_SEND_MESSAGE);
        gap_dc_call_fate_t send = gap_dc_call_fate(&o, 1, i, GAP_TL_MESSAGES_SEND_MESSAGE);
        gap_dc_call_fate_t edit = gap_dc_call_fate(&o, 1, i, GAP_TL_MESSAGES_EDIT_MESSAGE);
        gap_dc_call_fate_t read = gap_dc_call_fate(&o, 1, i, GAP_TL_MESSAGES_READ_HISTORY);
        refused[0] += edit.code == 400 && strcmp(edit.text, "MESSAGE_ID_INVALID") == 0;
        refused[1] += send.code == 403 && strcmp(send.text, "CHAT_WRITE_FORBIDDEN") == 0;
        if (send.code == 0 && free.answer == GAP_DC_ANSWER_DROPPED) {
            ck_assert_int_eq(send.answer, GAP_DC_ANSWER_DROPPED);
            dropped++;
        }
        ck_assert_int_ne(send.answer, GAP_DC_SESSION_LOST);
        ck_assert_int_ne(edit.answer, GAP_DC_ANSWER_DROPPED);
        lost += edit.answer == GAP_DC_SESSION_LOST;
        ck_assert(read.code == 0 && read.answer == GAP_DC_FAITHFUL);
    }
    ck_assert_uint_ge(refused[0], 4800);
    ck_assert_uint_le(refused[0], 5200);
    ck_assert_uint_ge(refused[1], 1850);
    ck_assert_uint_le(refused[1], 2150);
    ck_assert_uint_ge(dropped, 2200); /* 0.3 of what the second rule leaves */
    ck_assert_uint_ge(lost, 1000);
}
END_TEST

/* --- command line -------------------------------------------------------------------------- */

static const struct {
    const char *args[4];
    int result;
    const char *error; /* part of it */
    const char *why;
} lines[] = {
    {{NULL}, 0, NULL, "no options"},
    {{"--loss", "0.05", NULL}, 0, NULL, "a probability"},
    {{"--loss=.5", NULL}, 0, NULL, "with an equals sign"},
    {{"--loss", "1.5", NULL}, GAP_E_ARGUMENT, "--loss: '1.5'", "more than certain"},
    {{"--loss", "nan", NULL}, GAP_E_ARGUMENT, "probability", "not a number"},
    {{"--loss", NULL}, GAP_E_ARGUMENT, "--loss P", "no value"},
    {{"--lose", "1", NULL}, GAP_E_ARGUMENT, "--help", "unknown"},
    {{"--events", "-1", NULL}, GAP_E_ARGUMENT, "from 0 to", "negative"},
    {{"--events", "12x", NULL}, GAP_E_ARGUMENT, "from 0 to", "no whole number"},
    {{"--seed", "18446744073709551615", NULL}, 0, NULL, "the largest seed"},
    {{"--seed", "18446744073709551616", NULL}, GAP_E_ARGUMENT, "64 bits", "one more"},
    {{"--kinds", "new_message,pin", NULL}, 0, NULL, "kinds"},
    {{"--kinds", "new_message,", NULL}, GAP_E_ARGUMENT, "callback_query", "an empty kind"},
    {{"--listen", "localhost:80", NULL}, GAP_E_ARGUMENT, "127.0.0.1:0", "a name"},
    {{"--listen", "[::1]:0", NULL}, 0, NULL, "IPv6"},
    {{"--key", "", NULL}, GAP_E_ARGUMENT, "file name", "an empty name"},
    {{"--await-clients", "0", NULL}, GAP_E_ARGUMENT, "from 1", "nobody to push to"},
    {{"--slow-mode", "10", NULL}, 0, NULL, "of all supergroups"},
    {{"--slow-mode=10:3", NULL}, 0, NULL, "of one"},
    {{"--slow-mode", "10:4", NULL}, GAP_E_ARGUMENT, "broadcast", "of what has none"},
    {{"--slow-mode", "10:99", NULL}, GAP_E_ARGUMENT, "--channels", "of what is not there"},
    {{"--slow-mode", "0", NULL}, GAP_E_ARGUMENT, "from 1 to 86400", "no time"},
    {{"--slow-mode", "5:x", NULL}, GAP_E_ARGUMENT, "channel's number", "no number"},
    {{"--role", "member:3", NULL}, 0, NULL, "a role in one channel"},
    {{"--role", "reader", NULL}, 0, NULL, "a role everywhere"},
    {{"--role", "owner", NULL}, GAP_E_ARGUMENT, "admin, member or reader", "no role"},
    {{"--flood-rule", "*:each:20/60", NULL}, 0, NULL, "a flood rule"},
    {{"--flood-rule", "*:each:20", NULL}, GAP_E_ARGUMENT, "20/60", "half a flood rule"},
    {{"--edit-window", "60", NULL}, 0, NULL, "a minute to edit"},
    {{"--edit-window", "0", NULL}, GAP_E_ARGUMENT, "at least 1", "no time to edit"},
    {{"--drop-answer", "0.1", NULL}, 0, NULL, "answers dropped"},
    {{"--drop-answer", "2", NULL}, GAP_E_ARGUMENT, "probability", "more than all of them"},
    {{"--drop-answer=.1:messages.sendMessage", NULL}, 0, NULL, "answers of a method"},
    {{"--drop-answer", "0.1:messages.sendMessages", NULL},
     GAP_E_ARGUMENT,
     "up to 8 methods",
     "of one that is not there"},
    {{"--lose-session", "0.1:", NULL}, GAP_E_ARGUMENT, "up to 8 methods", "of none"},
    {{"--lose-session", "1:messages.sendMessage+messages.sendMedia", NULL}, 0, NULL, "of two"},
    {{"--refuse", "messages.editMessage:.1:400:MESSAGE_ID_INVALID", NULL}, 0, NULL, "a refusal"},
    {{"--refuse", "*:1:500:X", NULL}, 0, NULL, "of everything"},
    {{"--refuse", "edit:.1:400:X", NULL}, GAP_E_ARGUMENT, "first methods", "of nothing"},
    {{"--refuse", "*:2:400:X", NULL}, GAP_E_ARGUMENT, "probability", "more than all"},
    {{"--refuse", "*:1:40:X", NULL}, GAP_E_ARGUMENT, "400:MESSAGE", "with no code"},
    {{"--refuse", "*:1:400:", NULL}, GAP_E_ARGUMENT, "400:MESSAGE", "with no text"},
    {{"--refuse", "*:1:400", NULL}, GAP_E_ARGUMENT, "400:MESSAGE", "without a text"},
    {{"--refuse", "*:1:400:A23456789012345678901234567890123456789012345678", NULL},
     GAP_E_ARGUMENT,
     "400:MESSAGE",
     "with a text that is too long"},
    {{"surplus", NULL}, GAP_E_ARGUMENT, "surplus", "an argument that is no option"},
};

START_TEST(test_command_line)
{
    char *argv[6];
    char copies[4][64];
    int argc = 1;
    gap_dc_cli_t cli;
    char error[256] = "";
    char program[] = "gapless-dc";

    argv[0] = program;
    for (; lines[_i].args[argc - 1] != NULL; argc++) {
        (void)snprintf(copies[argc - 1], sizeof copies[0], "%s", lines[_i].args[argc - 1]);
        argv[argc] = copies[argc - 1];
    }
    int r = gap_dc_cli_parse(argc, argv, &cli, error, sizeof error);
    ck_assert_msg(r == lines[_i].result, "%s: %d", lines[_i].why, r);
    if (r < 0) ck_assert_msg(strstr(error, lines[_i].error) != NULL, "%s", error);
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

START_TEST(test_values_arrive)
{
    static const char *const args[] = {"gapless-dc",  "--seed",       "7",      "--slice",
                                       "3",           "--dc",         "4",      "--reorder",
                                       "0.25",        "--reorder-ms", "20",     "--kinds",
                                       "new_message", "--ledger",     "x.jsonl"};
    char *argv[GAP_ARRAY_LEN(args)];
    char copies[GAP_ARRAY_LEN(args)][32];
    gap_dc_cli_t cli;
    char error[256];

    for (size_t i = 0; i < GAP_ARRAY_LEN(args); i++) {
        (void)snprintf(copies[i], sizeof copies[i], "%s", args[i]);
        argv[i] = copies[i];
    }
    ck_assert_int_eq(gap_dc_cli_parse((int)GAP_ARRAY_LEN(args), argv, &cli, error, sizeof error),
                     0);
    ck_assert_uint_eq(cli.dc.seed, 7);
    ck_assert_uint_eq(cli.dc.world.seed, 7);
    ck_assert_uint_eq(cli.dc.traffic.seed, 7);
    ck_assert_uint_eq(cli.dc.world.slice, 3);
    ck_assert_uint_eq(cli.dc.world.channel_slice, 3);
    ck_assert_int_eq(cli.dc.dc, 4);
    ck_assert(cli.dc.reorder == 0.25);
    ck_assert_uint_eq(cli.dc.reorder_ms, 20);
    ck_assert_uint_eq(cli.dc.traffic.kinds, 1U << DC_NEW_MESSAGE);
    ck_assert_str_eq(cli.ledger, "x.jsonl");
}
END_TEST

START_TEST(test_rules_arrive)
{
    static const char *const args[] = {"gapless-dc",     "--slow-mode",   "10:3",
                                       "--role",         "admin",         "--flood-rule",
                                       "*:each:20/60:7", "--edit-window", "60"};
    char *argv[GAP_ARRAY_LEN(args)];
    char copies[GAP_ARRAY_LEN(args)][32];
    gap_dc_cli_t cli;
    char error[256];

    for (size_t i = 0; i < GAP_ARRAY_LEN(args); i++) {
        (void)snprintf(copies[i], sizeof copies[i], "%s", args[i]);
        argv[i] = copies[i];
    }
    ck_assert_int_eq(gap_dc_cli_parse((int)GAP_ARRAY_LEN(args), argv, &cli, error, sizeof error),
                     0);
    const dc_options_t *o = &cli.dc.world;
    ck_assert_uint_eq(o->house_count, 2);
    ck_assert_uint_eq(o->houses[0].channel, 3);
    ck_assert_uint_eq(o->houses[0].slow_s, 10);
    ck_assert(!o->houses[0].is_role);
    ck_assert_uint_eq(o->houses[1].channel, 0);
    ck_assert(o->houses[1].is_role);
    ck_assert_int_eq(o->houses[1].role, DC_ROLE_ADMIN);
    ck_assert_uint_eq(o->flood_count, 1);
    ck_assert_uint_eq(o->floods[0].wait_s, 7);
    ck_assert_uint_eq(o->edit_window_s, 60);
    ck_assert(o->edit_window_all);
}
END_TEST

START_TEST(test_help_names_every_option)
{
    static const char *const names[] = {
        "--listen",        "--dc",          "--key",          "--pubkey-out", "--ledger",
        "--seed",          "--channels",    "--users",        "--events",     "--rate",
        "--kinds",         "--reorder",     "--reorder-ms",   "--loss",       "--duplicate",
        "--delay-ms",      "--rpc-error",   "--flood",        "--disconnect", "--slice",
        "--await-clients", "--drop-answer", "--lose-session", "--refuse"};
    char text[8192];
    char tiny[8];

    ck_assert_int_lt(gap_dc_cli_help(text, sizeof text), (int)sizeof text);
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        char pattern[32];
        (void)snprintf(pattern, sizeof pattern, "  %s ", names[i]);
        const char *line = strstr(text, pattern);
        ck_assert_msg(line != NULL, "%s", names[i]);
        const char *end = strchr(line, '\n');
        const char *shown = strstr(line, "(default ");
        ck_assert_msg(shown != NULL && shown < end, "%s has no default", names[i]);
    }
    ck_assert_int_gt(gap_dc_cli_help(tiny, sizeof tiny), 1000);
    ck_assert_uint_eq(strlen(tiny), sizeof tiny - 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_rpc");
    TCase *tc = tcase_create("rpc");

    tcase_add_test(tc, test_everything_a_client_wraps);
    tcase_add_test(tc, test_wrappers_have_a_limit);
    tcase_add_loop_test(tc, test_garbage_in_wrappers, 0, 50);
    tcase_add_loop_test(tc, test_tokens, 0, GAP_ARRAY_LEN(tokens));
    tcase_add_test(tc, test_fates_follow_the_seed_and_the_rules);
    tcase_add_test(tc, test_fates_of_calls);
    tcase_add_test(tc, test_fates_of_answers);
    tcase_add_test(tc, test_fates_by_method);
    tcase_add_loop_test(tc, test_command_line, 0, GAP_ARRAY_LEN(lines));
    tcase_add_test(tc, test_values_arrive);
    tcase_add_test(tc, test_rules_arrive);
    tcase_add_test(tc, test_help_names_every_option);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
