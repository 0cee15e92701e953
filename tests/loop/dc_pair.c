/* tests/loop/dc_pair.c - see dc_pair.h. */
#include "tests/loop/dc_pair.h"

struct dc_thread two;
struct dc_thread four;
struct client client;
atomic_uint four_is_at;
static gap_dc_script_t script;

void pair_know(gap_dc_peers_t *peers, int32_t id, uint16_t port, bool is_media)
{
    gap_dc_peer_t peer = {id, {.ip = {127, 0, 0, 1}, .port = port}, is_media};

    ck_assert_int_eq(gap_dc_peers_add(peers, &peer), 0);
}

static void hear(void *data)
{
    struct dc_thread *t = data;
    gap_dc_peers_t peers = {.count = 0};

    if (atomic_load(&four_is_at) == 0) return;
    pair_know(&peers, 4, (uint16_t)atomic_load(&four_is_at), false);
    pair_know(&peers, 4, (uint16_t)atomic_load(&four_is_at), true);
    ck_assert_int_eq(gap_dc_set_peers(t->dc, &peers), 0);
}

void pair_setup(void)
{
    atomic_store(&four_is_at, 0);
    dc_thread_init(&two);
    two.options.look_at_peers = hear;
    dc_thread_init(&four);
    four.options.dc = 4;
    client_init(&client, 5);
}

void pair_start(void)
{
    dc_thread_start(&two);
    pair_know(&four.options.peers, 2, two.port, false);
    dc_thread_start(&four);
    atomic_store(&four_is_at, four.port);
}

void pair_teardown(void)
{
    client_fini(&client);
    dc_thread_stop(&four);
    dc_thread_stop(&two);
    gap_dc_script_fini(&script);
}

void pair_go_to(struct client *c, const struct dc_thread *t)
{
    const struct peer_style style = {PEER_INNER_DC, false, false, t->options.dc};

    client_connect(c, t->port, WIRE_INTERMEDIATE);
    client_shake_hands(c, &style);
}

gap_bytes_t pair_call(struct client *c, uint32_t id, gap_buf_t *pushes)
{
    const uint32_t nothing = 0;

    return client_call(c, GAP_TL_OF(id, &nothing), pushes);
}

void pair_expect_error(gap_bytes_t result, int32_t code, const char *text)
{
    gap_mt_rpc_error_t e;

    ck_assert_int_gt(gap_tl_read(result, GAP_MT_RPC_ERROR, &e, sizeof e), 0);
    ck_assert_int_eq(e.error_code, code);
    ck_assert_msg(e.error_message.len == strlen(text) &&
                      memcmp(e.error_message.data, text, strlen(text)) == 0,
                  "%.*s, not %s", (int)e.error_message.len, (const char *)e.error_message.data,
                  text);
}

void pair_play(const char *text)
{
    char error[256] = "";

    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &script, error, sizeof error) == 0,
        "%s", error);
    two.options.script = &script;
    four.options.script = &script;
}

void pair_get_difference(struct client *c)
{
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1, .qts = 1};

    (void)client_call(c, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), NULL);
}
