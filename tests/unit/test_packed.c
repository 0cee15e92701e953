/*
 * Updates as the journal keeps them: what is written is read back; what was changed on the disk, in
 * whatever way, is an error and never a wrong update.
 */
#include "base/prng.h"
#include "hex.h"
#include "runner/packed.h"
#include "updates_build.h"
#include "vectors_eid.h"

#include "crypto/keyed.h"

static const gap_tl_vector_t nobody;

struct row {
    uint8_t *data;
    size_t len;
};

static gap_update_t update_of(gap_bytes_t bytes, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    struct gap_item item;
    gap_update_t u;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    gap_update_init(&u, &item, users, chats);
    return u;
}

/* Of the sequence, before the updates here. */
#define BEFORE 7654321

static struct row pack(const gap_update_t *u)
{
    struct row row = {NULL, gap_packed_size(u)};

    ck_assert_uint_gt(row.len, 0);
    row.data = malloc(row.len);
    gap_packed_write(u, BEFORE, row.data);
    return row;
}

static enum gap_packed_fault unpack(struct row row, gap_update_t *out)
{
    return gap_packed_read(gap_bytes(row.data, row.len), out);
}

/* The check over changed bytes is made right again: what lies behind it must hold on its own. */
static void sum(struct row row)
{
    static const uint8_t zero[16];
    uint8_t hash[16];
    gap_siphash_t h;

    gap_siphash_begin(&h, zero);
    gap_siphash_update(&h, row.data, row.len - 4);
    gap_siphash_end(&h, hash);
    memcpy(row.data + row.len - 4, hash, 4);
}

static void same(const gap_update_t *a, const gap_update_t *b)
{
    ck_assert(gap_bytes_equal(a->bytes, b->bytes));
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_int_eq(a->box, b->box);
    ck_assert_int_eq(a->channel_id, b->channel_id);
    ck_assert_int_eq(a->pts, b->pts);
    ck_assert_int_eq(a->pts_count, b->pts_count);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->users_count, b->users_count);
    ck_assert_uint_eq(a->chats_count, b->chats_count);
    ck_assert(
        gap_bytes_equal(gap_bytes(a->users, a->users_len), gap_bytes(b->users, b->users_len)));
    ck_assert(
        gap_bytes_equal(gap_bytes(a->chats, a->chats_len), gap_bytes(b->chats, b->chats_len)));
}

START_TEST(every_kind_comes_back)
{
    uint8_t buf[512];
    gap_update_t out;
    size_t len = hex_to(eid_vectors[_i].update, buf, sizeof buf);
    gap_update_t u = update_of(gap_bytes(buf, len), nobody, nobody);
    struct row row = pack(&u);

    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_GOOD);
    same(&u, &out);
    ck_assert_int_eq(gap_packed_before(gap_bytes(row.data, row.len)), BEFORE);
    ck_assert_int_eq(out.via, GAP_VIA_JOURNAL);
    ck_assert(out.maybe_repeated);
    ck_assert_ptr_null(out.owner);
    free(row.data);
}
END_TEST

/* Built bytes at a place of their own. */
static gap_bytes_t at(uint8_t *place, gap_bytes_t built)
{
    memcpy(place, built.data, built.len);
    build_free(built);
    return gap_bytes(place, built.len);
}

/* A message in a channel with the one who wrote it and where, as a difference brings it. */
static gap_update_t fetched(bool bare)
{
    const gap_peer_t channel = {500, GAP_PEER_CHANNEL};
    static uint8_t places[3][256];
    gap_bytes_t user = at(places[0], build_user(78, 1, 0, NULL));
    gap_bytes_t chat = at(places[1], build_channel(500, 2, 0));
    gap_bytes_t message = at(places[2], build_new_message(channel, 78, 5, "hello", 20));
    gap_tl_vector_t users = {user.data, user.len, NULL, 1};
    gap_tl_vector_t chats = {chat.data, chat.len, NULL, 1};
    gap_update_t u = update_of(message, users, chats);

    if (!bare) return u;
    u.bytes = gap_bytes(u.bytes.data + 4, u.bytes.len - 12);
    u.flags |= GAP_ITEM_MESSAGE;
    u.pts = -1;
    return u;
}

START_TEST(with_users_and_chats)
{
    gap_update_t u = fetched(_i == 1);
    gap_update_t out;
    struct row row = pack(&u);

    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_GOOD);
    same(&u, &out);
    free(row.data);
}
END_TEST

/* Deleted accounts and groups come along as empty objects. */
START_TEST(with_empty_company)
{
    static uint8_t users[64];
    static uint8_t chats[64];
    gap_tl_user_empty_t nobody_left = {78};
    gap_tl_chat_empty_t no_chat = {79};
    gap_update_t u = fetched(false);
    gap_update_t out;

    gap_bytes_t user = at(users, build(GAP_TL_OF(GAP_TL_USER_EMPTY, &nobody_left)));
    gap_bytes_t chat = at(chats, build(GAP_TL_OF(GAP_TL_CHAT_EMPTY, &no_chat)));
    u.users = user.data;
    u.users_len = (uint32_t)user.len;
    u.chats = chat.data;
    u.chats_len = (uint32_t)chat.len;
    struct row row = pack(&u);
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_GOOD);
    same(&u, &out);
    free(row.data);
}
END_TEST

START_TEST(every_bit_counts)
{
    gap_update_t u = fetched(_i == 1);
    gap_update_t out;
    struct row row = pack(&u);

    for (size_t bit = 0; bit < row.len * 8; bit++) {
        row.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        ck_assert_int_ne(unpack(row, &out), GAP_PACKED_GOOD);
        row.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(row.data);
}
END_TEST

START_TEST(every_length_counts)
{
    gap_update_t u = fetched(_i == 1);
    gap_update_t out;
    struct row row = pack(&u);

    for (size_t len = 0; len < row.len; len++) {
        uint8_t *copy = malloc(len == 0 ? 1 : len); /* so that a checker sees its end */
        memcpy(copy, row.data, len);
        ck_assert_int_eq(gap_packed_read(gap_bytes(copy, len), &out), GAP_PACKED_DAMAGED);
        free(copy);
    }
    free(row.data);
}
END_TEST

/* Somebody who can make the check right again: no bytes are believed, and none beyond the end are
 * read. What is accepted must be what the engine would have made of the bytes. */
START_TEST(hostile_rows)
{
    gap_prng_t random = {(uint64_t)_i + 1};
    gap_update_t u = fetched(_i % 2 == 1);
    gap_update_t out;
    struct row row = pack(&u);
    struct row copy = {malloc(row.len), row.len};

    for (unsigned n = 0; n < 4000; n++) {
        memcpy(copy.data, row.data, row.len);
        unsigned changes = 1 + (unsigned)gap_prng_below(&random, 3);
        for (unsigned c = 0; c < changes; c++) {
            size_t at = 3 + (size_t)gap_prng_below(&random, row.len - 7);
            copy.data[at] = (uint8_t)gap_prng_next(&random);
        }
        sum(copy);
        if (unpack(copy, &out) != GAP_PACKED_GOOD) continue;
        ck_assert_uint_eq(out.bytes.len + out.users_len + out.chats_len + GAP_PACKED_HEAD_BYTES +
                              GAP_PACKED_TAIL_BYTES,
                          row.len);
        if ((out.flags & GAP_ITEM_MESSAGE) == 0) {
            struct gap_item item;
            ck_assert_int_eq(gap_item_read(out.bytes, &item), 0);
            ck_assert_uint_eq(item.id, out.id);
            ck_assert_int_eq(item.box, out.box);
        }
    }
    free(copy.data);
    free(row.data);
}
END_TEST

START_TEST(newer_and_other_layers)
{
    gap_update_t u = fetched(false);
    gap_update_t out;
    struct row row = pack(&u);

    row.data[2] = GAP_PACKED_VERSION + 1; /* its check may be another one */
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_NEWER);
    row.data[2] = 0;
    sum(row);
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_DAMAGED);
    row.data[2] = GAP_PACKED_VERSION;
    gap_store32(row.data + 4, GAP_TL_LAYER - 1);
    sum(row);
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_GOOD); /* it means the same in this one */
    gap_store32(row.data + GAP_PACKED_HEAD_BYTES, 0x12345678);
    sum(row);
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_LAYER);
    for (int f = GAP_PACKED_DAMAGED; f <= GAP_PACKED_LAYER; f++)
        ck_assert_uint_gt(strlen(gap_packed_reason((enum gap_packed_fault)f)), 20);
    free(row.data);
}
END_TEST

/* Users 1000 to 1099 came along with the whole difference; the message names two people and its
 * channel. */
START_TEST(of_many_those_that_it_names)
{
    static uint8_t users[32768];
    static uint8_t chats[16384];
    gap_update_t u = fetched(_i == 1);
    gap_tl_vector_t all_users = {users, 0, NULL, 0};
    gap_tl_vector_t all_chats = {chats, 0, NULL, 0};
    gap_update_t out;
    gap_tl_object_t found;

    for (int64_t id = 1000; id < 1100; id++) {
        gap_bytes_t one = id == 1050 ? build_user(78, 1, 0, NULL) : build_user(id, 1, 0, NULL);
        all_users.len += at(users + all_users.len, one).len;
        all_users.count++;
    }
    for (int64_t id = 480; id < 520; id++) {
        all_chats.len += at(chats + all_chats.len, build_channel(id, 2, 0)).len;
        all_chats.count++;
    }
    u.users = users;
    u.users_len = (uint32_t)all_users.len;
    u.users_count = all_users.count;
    u.chats = chats;
    u.chats_len = (uint32_t)all_chats.len;
    u.chats_count = all_chats.count;
    struct row row = pack(&u);
    ck_assert_uint_lt(row.len, 600);
    ck_assert_int_eq(unpack(row, &out), GAP_PACKED_GOOD);
    ck_assert_uint_eq(out.users_count, 1);
    ck_assert_uint_eq(out.chats_count, 1);
    ck_assert_int_eq(gap_update_find(&out, (gap_peer_t){78, GAP_PEER_USER}, &found), 1);
    ck_assert_int_eq(gap_update_find(&out, (gap_peer_t){500, GAP_PEER_CHANNEL}, &found), 1);
    ck_assert_int_eq(gap_update_find(&out, (gap_peer_t){1001, GAP_PEER_USER}, &found), 0);
    free(row.data);
}
END_TEST

START_TEST(too_large)
{
    gap_update_t u = fetched(false);

    u.bytes.len = GAP_PACKED_MAX_BYTES;
    ck_assert_uint_eq(gap_packed_size(&u), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("packed");
    TCase *t = tcase_create("packed");
    tcase_add_loop_test(t, every_kind_comes_back, 0, (int)GAP_ARRAY_LEN(eid_vectors));
    tcase_add_loop_test(t, with_users_and_chats, 0, 2);
    tcase_add_test(t, with_empty_company);
    tcase_add_loop_test(t, every_bit_counts, 0, 2);
    tcase_add_loop_test(t, every_length_counts, 0, 2);
    tcase_add_loop_test(t, hostile_rows, 0, 4);
    tcase_add_test(t, newer_and_other_layers);
    tcase_add_loop_test(t, of_many_those_that_it_names, 0, 2);
    tcase_add_test(t, too_large);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
