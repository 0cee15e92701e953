/*
 * tests/unit/vectors_tl.h - published serialisations: what the server and other clients agree on.
 * Short ones in full; long strings by length, head and SHA-256 of all their bytes, their content
 * being the bytes 0, 1, ... 255, 0, 1, ...
 */
#ifndef GAP_TESTS_VECTORS_TL_H
#define GAP_TESTS_VECTORS_TL_H

#include <stddef.h>
#include <stdint.h>

static const struct {
    size_t len;   /* of the content */
    size_t whole; /* head, content and padding */
    const char *head;
    const char *sha256; /* of the whole */
} string_vectors[] = {
    {0, 4, "00",
     "df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119"},
    {1, 4, "01",
     "67abdd721024f0ff4e0b3f4c2fc13bc5bad42d0b7851d456d88d203d15aaa450"},
    {2, 4, "02",
     "7dc4096fa4ca962ffe7ba24f3cb48480065a7714e6a4a27588185d3d86a8dde8"},
    {3, 4, "03",
     "df9f188da1208f692545737aa3a6eacae9f3db9f258fdf2bbcb87e3ae9b6c4a2"},
    {4, 8, "04",
     "7cf799d8efb275e6fb1fc9f5507d2afad8e1a788a0ffea33bd7722082baa12f1"},
    {5, 8, "05",
     "52c46ea3c02ecb3a4c8892cc11361c54946b13bef65d2a9ade34b79c5b658680"},
    {253, 256, "fd",
     "8129424451c2cd8526c3108c7ae1644c62dc2cceb09f5dc47809b70fbf3b6c52"},
    {254, 260, "fefe0000",
     "bbc942681e57d51d8e4e2531a76bd09c8a0b3d1fdc282f2543f6b506d691959a"},
    {255, 260, "feff0000",
     "c6bf58af3e5dfbcf25a67e319553fd72b1a1c8f203add7c5ab9de76ce812ad62"},
    {256, 260, "fe000100",
     "bc8505d840dbfa94553902fba5458ce6827114454817606b7953c78b51f65e5a"},
    {65535, 65540, "feffff00",
     "6ccaf91f270817c7d141f13d8d40c08273ada83fe291d55031f6c06053f29a95"},
    {65536, 65540, "fe000001",
     "25d6f4d63354a29d3d1c75290a3722828ebaf5cd756811a24d647c89c3316288"},
};

static const struct {
    uint32_t id;
    const char *name;
} service_ids[] = {
    {0x05162463U, "resPQ"},
    {0x83c95aecU, "p_q_inner_data"},
    {0xa9f55f95U, "p_q_inner_data_dc"},
    {0x56fddf88U, "p_q_inner_data_temp_dc"},
    {0x79cb045dU, "server_DH_params_fail"},
    {0xd0e8075cU, "server_DH_params_ok"},
    {0xb5890dbaU, "server_DH_inner_data"},
    {0x6643b654U, "client_DH_inner_data"},
    {0x3bcbf734U, "dh_gen_ok"},
    {0x46dc1fb9U, "dh_gen_retry"},
    {0xa69dae02U, "dh_gen_fail"},
    {0xf35c6d01U, "rpc_result"},
    {0x2144ca19U, "rpc_error"},
    {0x5e2ad36eU, "rpc_answer_unknown"},
    {0xcd78e586U, "rpc_answer_dropped_running"},
    {0xa43ad8b7U, "rpc_answer_dropped"},
    {0x0949d9dcU, "future_salt"},
    {0xae500895U, "future_salts"},
    {0x347773c5U, "pong"},
    {0xe22045fcU, "destroy_session_ok"},
    {0x62d350c9U, "destroy_session_none"},
    {0x9ec20908U, "new_session_created"},
    {0x73f1f8dcU, "msg_container"},
    {0x3072cfa1U, "gzip_packed"},
    {0x62d6b459U, "msgs_ack"},
    {0xa7eff811U, "bad_msg_notification"},
    {0xedab447bU, "bad_server_salt"},
    {0x7d861a08U, "msg_resend_req"},
    {0xda69fb52U, "msgs_state_req"},
    {0x04deb57dU, "msgs_state_info"},
    {0x8cc0d131U, "msgs_all_info"},
    {0x276d3ec6U, "msg_detailed_info"},
    {0x809db6dfU, "msg_new_detailed_info"},
    {0x60469778U, "req_pq"},
    {0xbe7e8ef1U, "req_pq_multi"},
    {0xd712e4beU, "req_DH_params"},
    {0xf5045f1fU, "set_client_DH_params"},
    {0x58e4a740U, "rpc_drop_answer"},
    {0xb921bd04U, "get_future_salts"},
    {0x7abe77ecU, "ping"},
    {0xf3427b8cU, "ping_delay_disconnect"},
    {0xe7512126U, "destroy_session"},
    {0x9299359fU, "http_wait"},
    {0x75a3f765U, "bind_auth_key_inner"},
    {0xf660e1d4U, "destroy_auth_key_ok"},
    {0x0a9f2259U, "destroy_auth_key_none"},
    {0xea109b13U, "destroy_auth_key_fail"},
    {0xd1435160U, "destroy_auth_key"},
    {0xcb9f372dU, "invokeAfterMsg"},
    {0x3dc4b4f0U, "invokeAfterMsgs"},
    {0xc1cd5ea9U, "initConnection"},
    {0xda9b0d0dU, "invokeWithLayer"},
    {0xbf9459b7U, "invokeWithoutUpdates"},
    {0xcdd42a05U, "auth.bindTempAuthKey"},
    {0x8e48a188U, "auth.dropTempAuthKeys"},
};

/* `prefix` makes an object of a bare value: the id of a constructor with that one field. */
static const struct {
    const char *why;
    const char *prefix;
    const char *hex;
    const char *json; /* NULL: of another layer, unknown here */
} object_vectors[] = {
    {"string utf-8",
     "1bcd962b",
     "0cd09fd180d0b8d0b2d0b5d182000000",
     "{\"_\":\"account.emailVerified\",\"email\":\"Привет\"}"},
    {"int -1",
     "619877e3",
     "ffffffff",
     "{\"_\":\"account.resetPasswordFailedWait\",\"retry_date\":-1}"},
    {"int min",
     "619877e3",
     "00000080",
     "{\"_\":\"account.resetPasswordFailedWait\",\"retry_date\":-2147483648}"},
    {"long",
     "0897101e",
     "8877665544332211",
     "{\"_\":\"account.paidMessagesRevenue\",\"stars_amount\":\"123460561643650"
     "8552\"}"},
    {"long -1",
     "0897101e",
     "ffffffffffffffff",
     "{\"_\":\"account.paidMessagesRevenue\",\"stars_amount\":\"-1\"}"},
    {"double 1.5",
     "a4dfe02b",
     "000000000000f83f",
     "{\"_\":\"jsonNumber\",\"value\":1.5}"},
    {"double -0.1",
     "a4dfe02b",
     "9a9999999999b9bf",
     "{\"_\":\"jsonNumber\",\"value\":-0.10000000000000001}"},
    {"int128",
     "f18e7ebe",
     "000102030405060708090a0b0c0d0e0f",
     "{\"_\":\"req_pq_multi\",\"nonce\":\"AAECAwQFBgcICQoLDA0ODw==\"}"},
    {"Bool true",
     "fc6df364",
     "b5757299",
     "{\"_\":\"channelAdminLogEventActionToggleAntiSpam\",\"new_value\":true}"},
    {"Bool false",
     "fc6df364",
     "379779bc",
     "{\"_\":\"channelAdminLogEventActionToggleAntiSpam\",\"new_value\":false}"},
    {"Vector<int> [1,2,3] (boxed)",
     "589a2126",
     "15c4b51c03000000010000000200000003000000",
     "{\"_\":\"help.peerColorSet\",\"colors\":[1,2,3]}"},
    {"Vector<long> [] (boxed, empty)",
     "36668d99",
     "15c4b51c00000000",
     "{\"_\":\"account.savedMusicIds\",\"ids\":[]}"},
    {"Vector<string> [\"a\",\"\"] (boxed)",
     "bae88aca",
     "15c4b51c020000000161000000000000",
     "{\"_\":\"account.invalidateSignInCodes\",\"codes\":[\"a\",\"\"]}"},
    {"msgs_ack two ids",
     "",
     "59b4d66215c4b51c0200000001000000513dc56505000000513dc565",
     "{\"_\":\"msgs_ack\",\"msg_ids\":[\"7333334986344366081\",\"7333334986344366"
     "085\"]}"},
    {"future_salts (bare vector of bare future_salt)",
     "",
     "950850ae04000000513dc565513dc56501000000513dc5655944c5650807060504030201",
     "{\"_\":\"future_salts\",\"req_msg_id\":\"7333334986344366084\",\"now\":17074"
     "25105,\"salts\":[{\"_\":\"future_salt\",\"valid_since\":1707425105,\"valid_"
     "until\":1707426905,\"salt\":\"72623859790382856\"}]}"},
    {"future_salts empty",
     "",
     "950850ae04000000513dc565513dc56500000000",
     "{\"_\":\"future_salts\",\"req_msg_id\":\"7333334986344366084\",\"now\":17074"
     "25105,\"salts\":[]}"},
    {"updates.getDifference flags=0",
     "",
     "63f7c2190000000064000000513dc56505000000",
     "{\"_\":\"updates.getDifference\",\"pts\":100,\"date\":1707425105,\"qts\":5}"},
    {"updates.getDifference pts_total_limit only",
     "",
     "63f7c219010000006400000088130000513dc56505000000",
     "{\"_\":\"updates.getDifference\",\"pts\":100,\"pts_total_limit\":5000,\"dat"
     "e\":1707425105,\"qts\":5}"},
    {"updates.getDifference all three optionals",
     "",
     "63f7c2190700000064000000e803000088130000513dc5650500000007000000",
     "{\"_\":\"updates.getDifference\",\"pts\":100,\"pts_limit\":1000,\"pts_total"
     "_limit\":5000,\"date\":1707425105,\"qts\":5,\"qts_limit\":7}"},
    {"updates.getChannelDifference force",
     "",
     "783d17030100000028ec5af3d2029649000000008877665544332211e72ed4944d0000006400"
     "0000",
     "{\"_\":\"updates.getChannelDifference\",\"force\":true,\"channel\":{\"_\":\"i"
     "nputChannel\",\"channel_id\":\"1234567890\",\"access_hash\":\"123460561643"
     "6508552\"},\"filter\":{\"_\":\"channelMessagesFilterEmpty\"},\"pts\":77,\"li"
     "mit\":100}"},
    {"codeSettings with true flags and a vector",
     "",
     "783d25ad5200000015c4b51c0100000002010200",
     "{\"_\":\"codeSettings\",\"current_number\":true,\"allow_app_hash\":true,\"l"
     "ogout_tokens\":[\"AQI=\"]}"},
    {"codeSettings empty",
     "",
     "783d25ad00000000",
     "{\"_\":\"codeSettings\"}"},
    {"codeSettings token+app_sandbox share bit 8 (string then Bool)",
     "",
     "783d25ad0001000003616263b5757299",
     "{\"_\":\"codeSettings\",\"token\":\"abc\",\"app_sandbox\":true}"},
    {"updates.channelDifferenceEmpty final timeout=30",
     "",
     "fbaf113e03000000f40100001e000000",
     "{\"_\":\"updates.channelDifferenceEmpty\",\"final\":true,\"pts\":500,\"time"
     "out\":30}"},
    {"updateChannelTooLong with pts",
     "",
     "1f948d10010000002a0000000000000009000000",
     "{\"_\":\"updateChannelTooLong\",\"channel_id\":\"42\",\"pts\":9}"},
    {"updateChannelTooLong without pts",
     "",
     "1f948d10000000002a00000000000000",
     "{\"_\":\"updateChannelTooLong\",\"channel_id\":\"42\"}"},
    {"updates.state",
     "",
     "3e2a6ca50a00000002000000513dc5650300000004000000",
     "{\"_\":\"updates.state\",\"pts\":10,\"qts\":2,\"date\":1707425105,\"seq\":3,\"u"
     "nread_count\":4}"},
    {"auth.importBotAuthorization",
     "",
     "2cffa36700000000393000002030313233343536373839616263646566303132333435363738"
     "3961626364656600000003313a61",
     "{\"_\":\"auth.importBotAuthorization\",\"flags\":0,\"api_id\":12345,\"api_h"
     "ash\":\"0123456789abcdef0123456789abcdef\",\"bot_auth_token\":\"1:a\"}"},
    {"auth.sendCode",
     "",
     "4f2477a60a393939363632313233340039300000203031323334353637383961626364656630"
     "313233343536373839616263646566000000783d25ad00000000",
     "{\"_\":\"auth.sendCode\",\"phone_number\":\"9996621234\",\"api_id\":12345,\"a"
     "pi_hash\":\"0123456789abcdef0123456789abcdef\",\"settings\":{\"_\":\"codeS"
     "ettings\"}}"},
    {"auth.signIn with phone_code",
     "",
     "51a9528d010000000a3939393636323132333400016800000532323232320000",
     "{\"_\":\"auth.signIn\",\"phone_number\":\"9996621234\",\"phone_code_hash\":\""
     "h\",\"phone_code\":\"22222\"}"},
    {"invokeAfterMsg(invokeWithoutUpdates(help.getConfig))",
     "",
     "2d379fcb04000000513dc565b75994bf6b18f9c4",
     "{\"_\":\"invokeAfterMsg\",\"msg_id\":\"7333334986344366084\",\"query\":{\"_\":"
     "\"invokeWithoutUpdates\",\"query\":{\"_\":\"help.getConfig\"}}}"},
    {"user (layer 228, flags + flags2=0, min+self)",
     "",
     "83ccb8b10b04100000000000090300000000000055000000000000000141000006615f757365"
     "7200",
     NULL},
    {"error rpc_result",
     "",
     "016d5cf304000000513dc56519ca4421900100001250484f4e455f434f44455f494e56414c49"
     "4400",
     "{\"_\":\"rpc_result\",\"req_msg_id\":\"7333334986344366084\",\"result\":{\"_\""
     ":\"rpc_error\",\"error_code\":400,\"error_message\":\"PHONE_CODE_INVALID\""
     "}}"},
};

#endif
