/* tests/unit/test_dc_peers.c - the table of data centres: what is read, what is refused, and what
 * takes the place of what. */
#include "tests/check_main.h"

#include "dc/options.h"
#include "dc/peer_file.h"
#include "dc/peers.h"
#include "tl/tl.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
    const char *text;
    const char *why;
    bool is_taken;
} addresses[] = {
    {"4=127.0.0.1:4431", "as it stands in the help", true},
    {"4=[::1]:4431", "IPv6 in brackets", true},
    {"4=[2001:db8::7]:443,media", "for files only", true},
    {"1=10.0.0.1:1", "the least id and port", true},
    {"1000=255.255.255.255:65535", "the greatest", true},
    {"1001=127.0.0.1:1", "an id beyond that", false},
    {"0=127.0.0.1:1", "ids begin at 1", false},
    {"-4=127.0.0.1:1", "a sign", false},
    {"99999999999999999999=127.0.0.1:1", "an id of many digits", false},
    {"=127.0.0.1:1", "no id", false},
    {"4:127.0.0.1:1", "no equals sign", false},
    {"4=127.0.0.1", "no port", false},
    {"4=127.0.0.1:", "an empty port", false},
    {"4=127.0.0.1:0", "port 0 leads nowhere", false},
    {"4=127.0.0.1:65536", "a port too high", false},
    {"4=localhost:1", "a name", false},
    {"4=::1:1", "IPv6 without brackets", false},
    {"4=[::1:1", "half a bracket", false},
    {"4=127.0.0.1:1,cdn", "another kind", false},
    {"4=127.0.0.1:1,media,media", "a kind twice", false},
    {",media", "nothing but the kind", false},
    {"4=127.0.0.1:1 ", "a blank", false},
    {"", "nothing", false},
    {"4=[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:1",
     "longer than any address", false},
};

START_TEST(addresses_are_read_and_written)
{
    gap_dc_peer_t peer;
    gap_dc_peer_t again;
    char text[GAP_DC_PEER_TEXT];
    int r = gap_dc_peer_parse(gap_str(addresses[_i].text), &peer);

    if (!addresses[_i].is_taken) {
        ck_assert_msg(r == GAP_E_ARGUMENT, "taken: %s", addresses[_i].why);
        return;
    }
    ck_assert_msg(r == 0, "refused: %s", addresses[_i].why);
    ck_assert_uint_eq(gap_dc_peer_format(&peer, text, sizeof text), strlen(addresses[_i].text));
    ck_assert_str_eq(text, addresses[_i].text);
    ck_assert_int_eq(gap_dc_peer_parse(gap_str(text), &again), 0);
    ck_assert(gap_dc_peer_equal(&peer, &again));
}
END_TEST

/* The table as text, one address after the other. */
static const char *shown(const gap_dc_peers_t *peers)
{
    static char text[512];
    char one[GAP_DC_PEER_TEXT];

    text[0] = '\0';
    for (uint32_t i = 0; i < peers->count; i++) {
        (void)gap_dc_peer_format(&peers->list[i], one, sizeof one);
        (void)strncat(text, one, sizeof text - strlen(text) - 2);
        (void)strcat(text, " ");
    }
    return text;
}

static const struct {
    const char *why;
    const char *file;
    const char *table; /* behind 4=10.0.0.4:4, which is given by the command line; own id 2 */
    const char *error; /* part of what is said; NULL: it is taken */
} files[] = {
    {"nothing", "", "", NULL},
    {"comments, blanks and an end without a newline", "# a\n\n \t 1=10.0.0.1:1 # b\r\n3=10.0.0.3:3",
     "1=10.0.0.1:1 3=10.0.0.3:3 ", NULL},
    {"a later line takes an earlier one's place", "1=10.0.0.1:1\n3=10.0.0.3:3\n1=10.0.0.1:9\n",
     "1=10.0.0.1:9 3=10.0.0.3:3 ", NULL},
    {"each family and kind has a place of its own",
     "1=10.0.0.1:1\n1=[::1]:1\n1=10.0.0.1:1,media\n1=[::1]:2\n",
     "1=10.0.0.1:1 1=[::1]:2 1=10.0.0.1:1,media ", NULL},
    {"the command line's place is not taken", "4=10.0.0.4:5\n", "4=10.0.0.4:5 ", NULL},
    {"what was given already is not doubled", "4=10.0.0.4:4\n", "", NULL},
    {"the data centre's own line is passed over", "2=10.0.0.2:2\n", "", NULL},
    {"but not its address for files", "2=10.0.0.2:2,media\n", "2=10.0.0.2:2,media ", NULL},
    {"a line that is none", "1=10.0.0.1:1\nhello\n", NULL, "line 2 is no address"},
};

START_TEST(files_are_read)
{
    gap_dc_peers_t peers = {.count = 0};
    gap_dc_peer_t given;
    char error[128] = "";

    ck_assert_int_eq(gap_dc_peer_parse(gap_str("4=10.0.0.4:4"), &given), 0);
    ck_assert_int_eq(gap_dc_peers_add(&peers, &given), 0);
    int r = gap_dc_peers_read(&peers, gap_str(files[_i].file), 2, error, sizeof error);
    if (files[_i].error != NULL) {
        ck_assert_msg(r == GAP_E_ARGUMENT && strstr(error, files[_i].error) != NULL, "%s: %d %s",
                      files[_i].why, r, error);
        return;
    }
    ck_assert_msg(r == 0, "%s: %s", files[_i].why, error);
    const char *text = shown(&peers);
    ck_assert_str_eq(text + strlen("4=10.0.0.4:4 "), files[_i].table);
}
END_TEST

START_TEST(a_table_has_an_end)
{
    gap_dc_peers_t peers = {.count = 0};
    gap_dc_peer_t peer = {7, {.ip = {127, 0, 0, 1}, .port = 1}, false};
    char error[128] = "";

    for (uint32_t i = 0; i < GAP_DC_PEERS_MAX; i++, peer.addr.port++)
        ck_assert_int_eq(gap_dc_peers_add(&peers, &peer), 0);
    ck_assert_int_eq(gap_dc_peers_add(&peers, &peer), GAP_E_LIMIT);
    ck_assert_int_eq(gap_dc_peers_add(&peers, &peers.list[5]), 0);
    ck_assert_int_eq(gap_dc_peers_replace(&peers, 0, &peer), 0);
    ck_assert_int_eq(gap_dc_peers_read(&peers, gap_str("8=127.0.0.1:1"), 2, error, sizeof error),
                     GAP_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(error, "line 1: there is room for 64"));
    ck_assert(gap_dc_peers_drop(&peers, 7));
    ck_assert(!gap_dc_peers_drop(&peers, 7));
    ck_assert_uint_eq(peers.count, 0);
}
END_TEST

START_TEST(an_address_for_files_is_not_a_home)
{
    gap_dc_peers_t peers = {.count = 0};
    gap_dc_peer_t peer = {7, {.ip = {127, 0, 0, 1}, .port = 1}, true};

    ck_assert_int_eq(gap_dc_peers_add(&peers, &peer), 0);
    ck_assert(!gap_dc_peers_has(&peers, 7));
    peer.is_media = false;
    ck_assert_int_eq(gap_dc_peers_add(&peers, &peer), 0);
    ck_assert(gap_dc_peers_has(&peers, 7));
    ck_assert_uint_eq(peers.count, 2);
}
END_TEST

/* --- the file ------------------------------------------------------------------------------ */

static char folder[64];
static char file_name[96];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/gapless-peers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(file_name, sizeof file_name, "%s/dcs", folder);
}

static void remove_folder(void)
{
    (void)unlink(file_name);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *text, size_t len)
{
    FILE *f = fopen(file_name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static const char *file_text(void)
{
    static char text[512];
    FILE *f = fopen(file_name, "rb");

    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    ck_assert_int_eq(fclose(f), 0);
    return text;
}

static void tell(int32_t id, uint16_t port)
{
    const gap_addr_t addr = {.ip = {127, 0, 0, 1}, .port = port};
    gap_dc_peer_file_t f = {.name = file_name, .own = id};
    char error[256] = "";

    ck_assert_msg(gap_dc_peer_file_add(&f, &addr, error, sizeof error) == 0, "%s", error);
}

START_TEST(each_adds_itself_once)
{
    tell(2, 20);
    tell(4, 40);
    tell(4, 40); /* begun again on its port */
    ck_assert_str_eq(file_text(), "2=127.0.0.1:20\n4=127.0.0.1:40\n");
    tell(2, 21); /* and on another */
    ck_assert_str_eq(file_text(), "2=127.0.0.1:20\n4=127.0.0.1:40\n2=127.0.0.1:21\n");
    tell(2, 20);
    ck_assert_ptr_nonnull(strstr(file_text(), "2=127.0.0.1:21\n2=127.0.0.1:20\n"));
    write_file("# no end", 8);
    tell(2, 22);
    ck_assert_str_eq(file_text(), "# no end\n2=127.0.0.1:22\n");
}
END_TEST

START_TEST(the_file_is_read_when_it_changed)
{
    gap_dc_peer_file_t f = {.name = file_name, .own = 2};
    gap_dc_peers_t peers = {.count = 0};
    char error[256] = "";

    ck_assert_int_eq(gap_dc_peer_parse(gap_str("9=127.0.0.1:9"), &f.given.list[0]), 0);
    f.given.count = 1;
    ck_assert_int_eq(gap_dc_peer_file_read(&f, true, &peers, error, sizeof error), 0);
    ck_assert_str_eq(shown(&peers), "9=127.0.0.1:9 ");
    tell(2, 20);
    tell(4, 40);
    ck_assert_int_eq(gap_dc_peer_file_read(&f, false, &peers, error, sizeof error), 0);
    ck_assert_str_eq(shown(&peers), "9=127.0.0.1:9 4=127.0.0.1:40 ");
    ck_assert_int_eq(gap_dc_peer_file_read(&f, false, &peers, error, sizeof error),
                     GAP_DC_PEER_FILE_SAME);
    ck_assert_int_eq(gap_dc_peer_file_read(&f, true, &peers, error, sizeof error), 0);
    tell(4, 41);
    ck_assert_int_eq(gap_dc_peer_file_read(&f, false, &peers, error, sizeof error), 0);
    ck_assert_str_eq(shown(&peers), "9=127.0.0.1:9 4=127.0.0.1:41 ");
}
END_TEST

START_TEST(a_file_that_is_no_such_file_is_named)
{
    static char zeros[GAP_DC_PEER_FILE_BYTES + 1];
    gap_dc_peer_file_t f = {.name = file_name, .own = 2};
    const gap_addr_t addr = {.ip = {127, 0, 0, 1}, .port = 1};
    gap_dc_peers_t peers = {.count = 7};
    char error[256] = "";

    write_file("1=127.0.0.1:1\n{\"event\":\"ready\"}\n", 32);
    ck_assert_int_eq(gap_dc_peer_file_read(&f, true, &peers, error, sizeof error), GAP_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error, "/dcs: line 2 is no address: write 4="));
    write_file(zeros, sizeof zeros);
    ck_assert_int_eq(gap_dc_peer_file_read(&f, true, &peers, error, sizeof error), GAP_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(error, "longer than 65536 bytes"));
    f.name = folder;
    ck_assert_int_eq(gap_dc_peer_file_read(&f, true, &peers, error, sizeof error), -EISDIR);
    ck_assert_ptr_nonnull(strstr(error, "can't read"));
    ck_assert_int_eq(gap_dc_peer_file_add(&f, &addr, error, sizeof error), -EISDIR);
    ck_assert_ptr_nonnull(strstr(error, "can't write"));
    ck_assert_ptr_nonnull(strstr(error, "choose another --peer-dc-file"));
    ck_assert_uint_eq(peers.count, 7);
}
END_TEST

static const struct {
    const char *args[6];
    const char *error; /* part of what is said; NULL: they are taken */
} lines[] = {
    {{"--peer-dc", "4=127.0.0.1:1", "--peer-dc=4=127.0.0.1:2"}, NULL},
    {{"--peer-dc", "4=127.0.0.1:1", "--bots-dc", "4"}, NULL},
    {{"--bots-dc", "2"}, NULL},
    {{"--bots-dc", "4", "--peer-dc-file", "any"}, NULL},
    {{"--peer-dc", "2=127.0.0.1:1,media"}, NULL},
    {{"--dc", "4", "--peer-dc", "2=127.0.0.1:1"}, NULL},
    {{"--peer-dc", "4"}, "--peer-dc: '4' will not do: give an id and a numeric address like 4="},
    {{"--peer-dc", "2=127.0.0.1:1"}, "2 is this data centre itself: give it another id with --dc"},
    {{"--peer-dc"}, "--peer-dc needs a value"},
    {{"--bots-dc", "4"}, "--bots-dc: nobody could find 4: add --peer-dc 4="},
    {{"--bots-dc", "4", "--peer-dc", "4=127.0.0.1:1,media"}, "nobody could find 4"},
    {{"--bots-dc", "1001"}, "give a number from 0 to 1000"},
    {{"--peer-secret", ""}, "--peer-secret: '' will not do: give a text"},
    {{"--peer-dc-file", ""}, "give a file name"},
    {{"--peer-dc-file", "any", "--listen", "0.0.0.0:0"}, "--listen on the one"},
};

START_TEST(command_lines)
{
    gap_dc_cli_t cli;
    char *argv[8];
    char error[256] = "";
    int argc = 0;

    argv[argc++] = strdup("gapless-dc");
    for (size_t i = 0; lines[_i].args[i] != NULL; i++) argv[argc++] = strdup(lines[_i].args[i]);
    int r = gap_dc_cli_parse(argc, argv, &cli, error, sizeof error);
    if (lines[_i].error == NULL)
        ck_assert_msg(r == 0, "%s", error);
    else
        ck_assert_msg(r == GAP_E_ARGUMENT && strstr(error, lines[_i].error) != NULL, "%d: %s", r,
                      error);
    ck_assert_ptr_null(strchr(error, '\n'));
    for (int i = 0; i < argc; i++) free(argv[i]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_peers");
    TCase *tc = tcase_create("peers");

    tcase_add_loop_test(tc, addresses_are_read_and_written, 0, (int)GAP_ARRAY_LEN(addresses));
    tcase_add_loop_test(tc, files_are_read, 0, (int)GAP_ARRAY_LEN(files));
    tcase_add_test(tc, a_table_has_an_end);
    tcase_add_test(tc, an_address_for_files_is_not_a_home);
    tcase_add_loop_test(tc, command_lines, 0, (int)GAP_ARRAY_LEN(lines));
    suite_add_tcase(s, tc);
    tc = tcase_create("file");
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, each_adds_itself_once);
    tcase_add_test(tc, the_file_is_read_when_it_changed);
    tcase_add_test(tc, a_file_that_is_no_such_file_is_named);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
