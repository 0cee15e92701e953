/*
 * Names of events, held against vectors that were made by a program of another language
 * (eid_reference.py), and what the names must and must not tell apart.
 */
#include "hex.h"
#include "runner/eid.h"
#include "sequence/update.h"
#include "updates_build.h"
#include "vectors_eid.h"

static struct gap_eid_key key;
static const gap_tl_vector_t nobody;

static void setup(void)
{
    uint8_t secret[32];

    for (size_t i = 0; i < sizeof secret; i++) secret[i] = (uint8_t)(100 + i);
    ck_assert_int_eq(gap_eid_key_init(&key, secret, 4711), 0);
}

static gap_update_t update_of(gap_bytes_t bytes)
{
    struct gap_item item;
    gap_update_t u;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    gap_update_init(&u, &item, nobody, nobody);
    return u;
}

static struct gap_identity name(const gap_update_t *u)
{
    struct gap_identity out;
    ck_assert_int_eq(gap_eid_of(u, &key, &out), 0);
    return out;
}

/* The update of a vector; its bytes lie in @p buf. */
static gap_update_t vector(size_t i, uint8_t buf[512])
{
    size_t len = hex_to(eid_vectors[i].update, buf, 512);
    return update_of(gap_bytes(buf, len));
}

START_TEST(vectors)
{
    uint8_t buf[512];
    uint8_t expected[16];
    gap_update_t u = vector((size_t)_i, buf);
    struct gap_identity n = name(&u);

    hex_exactly(eid_vectors[_i].eid, expected, sizeof expected);
    ck_assert_msg(memcmp(n.eid.bytes, expected, 16) == 0, "%s", eid_vectors[_i].what);
    ck_assert_msg(n.content == eid_vectors[_i].content, "%s", eid_vectors[_i].what);
    ck_assert_msg(n.has == !gap_eid_is_none(&n.eid), "%s", eid_vectors[_i].what);
    ck_assert_msg(n.is_message == (n.content != 0), "%s", eid_vectors[_i].what);
    ck_assert_msg(n.is_edit == (strstr(eid_vectors[_i].what, "edit") != NULL &&
                                strstr(eid_vectors[_i].what, "after") == NULL) ||
                      strstr(eid_vectors[_i].what, "second one") != NULL,
                  "%s", eid_vectors[_i].what);
}
END_TEST

/* A difference brings the message alone, without update and pts: it has the same name. */
START_TEST(bare_messages_have_the_name_of_their_update)
{
    uint8_t buf[512];
    gap_update_t u = vector((size_t)_i, buf);
    struct gap_identity n = name(&u);

    if (!n.is_message) return;
    u.bytes = gap_bytes(u.bytes.data + 4, u.bytes.len - 12);
    u.flags |= GAP_ITEM_MESSAGE;
    u.pts = -1;
    struct gap_identity bare = name(&u);
    ck_assert_mem_eq(bare.eid.bytes, n.eid.bytes, 16);
    ck_assert_uint_eq(bare.content, n.content);
    ck_assert(bare.is_edit == n.is_edit);
}
END_TEST

/* qts lies in the update also where a difference brings it. */
START_TEST(pts_is_no_part_of_a_name)
{
    uint8_t buf[512];
    gap_update_t u = vector((size_t)_i, buf);
    struct gap_identity n = name(&u);

    u.pts = -1;
    u.pts_count = 0;
    struct gap_identity fetched = name(&u);
    ck_assert_mem_eq(fetched.eid.bytes, n.eid.bytes, 16);
}
END_TEST

START_TEST(secret_messages_of_a_difference)
{
    uint8_t buf[512];
    gap_update_t u = vector(11, buf);
    struct gap_identity n = name(&u);

    ck_assert_str_eq(eid_vectors[11].what, "a secret message");
    u.bytes = gap_bytes(u.bytes.data + 4, u.bytes.len - 8);
    u.flags |= GAP_ITEM_ENCRYPTED;
    struct gap_identity bare = name(&u);
    ck_assert_mem_eq(bare.eid.bytes, n.eid.bytes, 16);
}
END_TEST

/* A message that was folded with its edit: that edit's name can be told from it. */
START_TEST(a_message_knows_the_name_of_its_edit)
{
    uint8_t buf[2][512];
    gap_eid_t as_edit;
    gap_update_t edit = vector(4, buf[0]);
    gap_update_t whole = vector(6, buf[1]);

    ck_assert_str_eq(eid_vectors[6].what, "the message as it is after the edit");
    struct gap_identity e = name(&edit);
    struct gap_identity m = name(&whole);
    ck_assert_uint_eq(e.content, m.content);
    ck_assert(gap_eid_as_edit(&whole, &key, &m, &as_edit));
    ck_assert_mem_eq(as_edit.bytes, e.eid.bytes, 16);
}
END_TEST

START_TEST(random_ids)
{
    uint8_t buf[512];
    gap_update_t u = vector(0, buf);
    struct gap_identity n = name(&u);
    int64_t id;

    ck_assert_int_eq(gap_eid_random_id(&key, &n.eid, 0, &id), 0);
    ck_assert_uint_eq((uint64_t)id, hex_u64(EID_RANDOM_0));
    ck_assert_int_eq(gap_eid_random_id(&key, &n.eid, 1, &id), 0);
    ck_assert_uint_eq((uint64_t)id, hex_u64(EID_RANDOM_1));
    ck_assert_int_eq(gap_eid_random_id_named(&key, &n.eid, gap_bytes("receipt", 7), &id), 0);
    ck_assert_uint_eq((uint64_t)id, hex_u64(EID_RANDOM_RECEIPT));
}
END_TEST

START_TEST(another_account_or_secret_has_other_names)
{
    struct gap_eid_key other = key;
    uint8_t secret[32] = {0};
    uint8_t buf[512];
    gap_update_t u = vector(0, buf);
    struct gap_identity n = name(&u);
    struct gap_identity m;

    other.account++;
    ck_assert_int_eq(gap_eid_of(&u, &other, &m), 0);
    ck_assert_mem_ne(m.eid.bytes, n.eid.bytes, 16);
    ck_assert_int_eq(gap_eid_key_init(&other, secret, 4711), 0);
    ck_assert_int_eq(gap_eid_of(&u, &other, &m), 0);
    ck_assert_mem_ne(m.eid.bytes, n.eid.bytes, 16);
}
END_TEST

/* Whatever is cut off: an error or a name, never a read beyond the end. */
START_TEST(cut_anywhere)
{
    uint8_t buf[512];
    gap_update_t u = vector((size_t)_i, buf);
    size_t whole = u.bytes.len;

    for (size_t len = 0; len < whole; len += 4) {
        struct gap_identity n;
        uint8_t *copy = malloc(len == 0 ? 1 : len); /* so that a checker sees its end */
        memcpy(copy, buf, len);
        u.bytes = gap_bytes(copy, len);
        int r = gap_eid_of(&u, &key, &n);
        ck_assert(r <= 0);
        ck_assert(r == 0 || !n.has);
        free(copy);
    }
}
END_TEST

static Suite *suite(void)
{
    const int count = (int)GAP_ARRAY_LEN(eid_vectors);
    Suite *s = suite_create("eid");
    TCase *t = tcase_create("eid");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, vectors, 0, count);
    tcase_add_loop_test(t, bare_messages_have_the_name_of_their_update, 0, count);
    tcase_add_loop_test(t, pts_is_no_part_of_a_name, 0, count);
    tcase_add_test(t, secret_messages_of_a_difference);
    tcase_add_test(t, a_message_knows_the_name_of_its_edit);
    tcase_add_test(t, random_ids);
    tcase_add_test(t, another_account_or_secret_has_other_names);
    tcase_add_loop_test(t, cut_anywhere, 0, count);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
