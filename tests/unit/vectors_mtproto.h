/*
 * tests/unit/vectors_mtproto.h - test vectors of the protocol: Telegram's published key exchange,
 * packets under the key it makes, packets that a client must refuse, and frames. Bytes are
 * hexadecimal, in wire order.
 */
#ifndef GAP_TESTS_VECTORS_MTPROTO_H
#define GAP_TESTS_VECTORS_MTPROTO_H

#include <stdint.h>

/*
 * The published key exchange. Server payloads are shorter than the length they declare: the random
 * filler behind the object was not printed. The RSA block's temporary key was not printed either.
 */
static const struct {
    const char *req_pq_multi_payload;
    const char *res_pq_payload;
    const char *dh_gen_ok_payload;
    const char *nonce;
    const char *server_nonce;
    const char *new_nonce;
    const char *rsa_padding;
    const char *p_q_inner_data_dc;
    const char *encrypted_answer;
    const char *tmp_aes_key;
    const char *tmp_aes_iv;
    const char *answer_with_hash;
    const char *dh_prime;
    const char *g_a;
    const char *b;
    const char *g_b;
    const char *client_padding;
    const char *client_encrypted_data;
    const char *auth_key;
    const char *auth_key_id;
    const char *auth_key_aux_hash;
    const char *new_nonce_hash1;
    const char *new_nonce_hash2;
    const char *new_nonce_hash3;
    const char *first_salt;
    int32_t server_time;
    int32_t g;
    int32_t dc;
    uint64_t fingerprint;
} vector_exchange = {
    .req_pq_multi_payload =
        "0000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa67eef",
    .res_pq_payload =
        "000000000000000001d83175503dc565a800000063241605406709f612fadfbec3f0289d0aa67eefe11dbc3b"
        "c97d91a26154f932af01994308256595edb776679700000015c4b51c03000000a5b7f709355fc30b216be86c"
        "022bb4c385fd64de851d9dd0",
    .dh_gen_ok_payload =
        "00000000000000000100be91513dc5657400000034f7cb3b406709f612fadfbec3f0289d0aa67eefe11dbc3b"
        "c97d91a26154f932af0199431142871352165e59e1124036b48b97d3",
    .nonce = "406709f612fadfbec3f0289d0aa67eef",
    .server_nonce = "e11dbc3bc97d91a26154f932af019943",
    .new_nonce = "a8bbc849512dac6c67b6efd9157d6ca7377a1776307d84265c6be9bdcf802ac1",
    .rsa_padding =
        "d944bb8347c876177fe03c2562bf4e87258ef147a7815d8853aa4b1065a5a385d0da7e0b6100faf55728d04d"
        "fc84e7e0d20006e07e1cb036730f5b3209cf85b2365b39de2cbc56f40b725ad347835e5d1973567ece8a02cf"
        "343d54f7",
    .p_q_inner_data_dc =
        "955ff5a908256595edb7766797000000045a300d4b000000046a26db65000000406709f612fadfbec3f0289d"
        "0aa67eefe11dbc3bc97d91a26154f932af019943a8bbc849512dac6c67b6efd9157d6ca7377a1776307d8426"
        "5c6be9bdcf802ac102000000",
    .encrypted_answer =
        "6ad7dd5d8b2526c761abe50e93c82a6f331b1eae0ad011893da976e3771d4aa45209d234fea65642985386b8"
        "17bf8980f517f6d32dbeb47e34534556f950ddf960db721a48480231619161112682c6046d5629c71cd1ec80"
        "61dfcdd704703ec7a8aebdcbd159579fc8886d9fa51e009af49b5ab90c7628eb81c9788a2eb6ac0e757a7deb"
        "e3d949f80a990bedb4d2dbae43f00328b82f4d8fc83a9b9cfeef467e1593bb4579ee32412f167a780cfa5176"
        "50bd0eb51cbfb50e3afe978839466131fcd956711e63614f006a55ed35ed2b1f833c29f4fd7a84f0c8f1c10d"
        "fc1a1aaf9a8a57108decf206e3968406f0fb25e922df154f497b51527e4834202fab477a137d0a99d1c34719"
        "6fba10699f52ea56f01ef93829b310a5c97db95fd57e64417e526eb920d261157c6e38791bdd5389eeb744e0"
        "75d952db33a8151207d0ab3c629e30a723a5205f8fa18398937ed2714a4e76a5f4512508a4be1b4d6ae46fd1"
        "56c6f06347af5e07ce49279195133b07cce4bc6775d88f3611180d23c4c70946619ad759ab9f183a385ccf9b"
        "f19315fadbe8a4fdc748af52df930345909c870de4b48901e9f90e56d74ca534d8e1fe3a35a92a18d676958e"
        "b8fc3d82f9cee308df2a9e4ccd23ff89ea255b9eedbc3378148879666ffc2e19a431cbb57ae1a010ffe5cb39"
        "abf131add9e90bf969a112c435509b78960e0b20031c822190841561e8390446227660bbaccf3d53574bfba3"
        "3bf476e3bdc9eb680aa2a17fd6756f652725ed0313e5eb0fd6a9c8c949eefbe809a89311bf20f40055ca25fd"
        "169dc13ee14b315092fde4184638d849682fd862",
    .tmp_aes_key = "5ea702f743e850f5546e857f08b7d5337bbaedf9b61248751594851be2e8c297",
    .tmp_aes_iv = "1cef8e372a63d97ebfa805c0dbb018bc7c1e0931693fbcb1a1afc0c0a8bbc849",
    .answer_with_hash =
        "60026275cc91ddec5371c67b10331c4c1d362585ba0d89b5406709f612fadfbec3f0289d0aa67eefe11dbc3b"
        "c97d91a26154f932af01994303000000fe000100c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c1"
        "4934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce7c3720fd51f6"
        "9458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc4988"
        "0708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba74d8a84b2a14b3144e0e"
        "f1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0"
        "f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf0"
        "34b10403119cd8e3b92fcc5bfe0001000a77200bdff6e6c4c126a2c41df310ab3a3bdbd698cd480749e1f3c6"
        "4fb1cfc9dfc70ac6f1aa671019620a640055b2cf7d7d99cc86533645c0fa000954de2987bad68d7450cf134c"
        "9f0305f34c1bb285da8233f65970a01c4bd3afd5ea3cd5864b8f1dcb35d5e9737df15063c54cf53048ef519a"
        "280498dddaf23764f29ffb0c5813caad90c319be8592b78c4be815e65ada7c62ea23754b5a2c5a86c4721872"
        "d0cc48e0f895c3ebe186e81e5f0e88a6b3f09101c409af3410b64238fbf2a2095e3f3b7ffc7eb3a02a319b99"
        "a155647bc59958bcdfed8a1cc6eb7f13f8600e521d9d0247b0f639f2fa3b09f72987781f71c0e8aa950167de"
        "5092380b4853e7f1513dc565c26f8049523e89d2",
    .dh_prime =
        "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d2"
        "2530f4dbfa336f6e0ac925139543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc97465129693284"
        "54f18faf8c595f642477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a69581"
        "1051907e162753b56b0f6b410dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d"
        "169c6bc465b0d6ff9ca3928fef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850c"
        "e929851f0d8115f635b105ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5b",
    .g_a =
        "0a77200bdff6e6c4c126a2c41df310ab3a3bdbd698cd480749e1f3c64fb1cfc9dfc70ac6f1aa671019620a64"
        "0055b2cf7d7d99cc86533645c0fa000954de2987bad68d7450cf134c9f0305f34c1bb285da8233f65970a01c"
        "4bd3afd5ea3cd5864b8f1dcb35d5e9737df15063c54cf53048ef519a280498dddaf23764f29ffb0c5813caad"
        "90c319be8592b78c4be815e65ada7c62ea23754b5a2c5a86c4721872d0cc48e0f895c3ebe186e81e5f0e88a6"
        "b3f09101c409af3410b64238fbf2a2095e3f3b7ffc7eb3a02a319b99a155647bc59958bcdfed8a1cc6eb7f13"
        "f8600e521d9d0247b0f639f2fa3b09f72987781f71c0e8aa950167de5092380b4853e7f1",
    .b =
        "1376a5a6bf7a9f874b47028f3d5cff0689fd52f58949bb0ee9bacdbe81dd1ced07101844eb6f2ae19e61120b"
        "84799431f445785e33a18141399821479ae96786e0f4e9c5c6c9e46bf562c21c96b0f8f7438c8caba3dfcb3d"
        "d3b886c2a37b95ed804315335c0ddffeb3a278243d89f964278bc734d1087d6d4b554c1f78397a414f440e38"
        "ba9a4f1211b20ae835437762f81a45fdb035bb2220d939693084b39a3c7be2481309ab9ae378eab8bb3a15a6"
        "9eba80bef683582e2218fa604e823eabd111553d31dbb46b9383a0d8eef615fff9cf266c970800aa28ac5e96"
        "2d20351311a815ffa7562989ca6d6323bf2b5af40ef3f45021b7445664852d07b80172ce",
    .g_b =
        "a215d057bc6648453d68c2f418a38d9d4f4fa47e5d520ac7ebc2adc3b00075090c10a1e9d96a5dda127317f2"
        "ddc165c5f6c8c2854648c106d0d9df684dae70b0e6021658806245b494b762b1979e8bd597b5cc8e43a80f96"
        "ca47fb0765c98d40529f3d94c82113ae32c603aa24411ef8b330565a1d66ea6b89c9d4f8affeea397c4b2475"
        "64215d147b6ad0df7f3fb4499e89e34304531d87448b91967b5bd53093f09386c0f78940c1dd6aa7c8667e15"
        "857453e6aad275f94cd386468cf49108fb7c54282596a4d0314dce9efed4066a6e072471439aeaaa74157db7"
        "dd53f01982982534dee8740610ba433bf459b3dfe38674561f31991ce007ba112dda6718",
    .client_padding = "74876952857ba6aaa495a20d",
    .client_encrypted_data =
        "14d185e575255986c29be3a0437d525ba22430cba0cd755225945ad3a1acefb536518514f5086892e6e3fa84"
        "d1cbb644bc8f7bebcde74e31ba8a073f47623ebb6e7d94b3a676a4c1afd4689c52d05f73d21c33f64fe6aeab"
        "d04273d9117cd064e467e1f8e6c887bcae4679e0399ad35db1302a80629618f8c8485248d89a4e3568b464ff"
        "7b608cbe24b51eeb81b65d76224b62a1669eaa48a99c122e5e8a778e13dd441dc52175160088a498f186a2b9"
        "9c736fe8c5c3e274d804c629564a0f15ddabc5b449356a7990900652a7432afb1499c7ce09246f6b29006425"
        "df2926465b04f17c0077b6a336a50e46b675ad5607f05818f84eadec1f4847bf311027e742f8b1e183c01810"
        "c4ce964f2a0f36e257849c144c9b0b93b4a7a9e57391db0ccb0d757a2b7a77257c8ff55553d66b6e1d45e9d8"
        "ca88e5a47b16322ff2ed5f5abe099e7006b2d29c829d746b704130b1",
    .auth_key =
        "aca2547baa3b4b3e6ad9129adee796042fc4acaaaba40dce7a1196640595829e2ba85c5e68e5d2b7b713b287"
        "20ccd0e65da3b80cd8a9282bde895755b924f4cbbced119dee057d3066d7095c25771a53d9ad6ec3464ee0e7"
        "fe1a4d9851f17b6cc7d6e636e0bdea7d66153cf37005835a528e65673c1f5adaa27465964ba89aa6fd045108"
        "b25b1dc9ab2d979864858c9eacbfa4a399cdbf2154d2cc6743c5caa40683343d80a36c7f1289dc5ac5ee585d"
        "ea1e1cd296444ea6cd8f6c3564b2d355b310a3c02608eea5ec36d38e941bf811489ab7a24c069e44ff54714c"
        "b4a45eee2f310fddc0a1b08bd3dff8801e27c8508efd7ad51ef3c13ef1d9a02ee4601741",
    .auth_key_id = "65588b3350ef784e",
    .auth_key_aux_hash = "20b5c361a4f5a3d0",
    .new_nonce_hash1 = "1142871352165e59e1124036b48b97d3",
    .new_nonce_hash2 = "20d87dd307142b798b67a8dea2c22140",
    .new_nonce_hash3 = "141c6db2686ef8df4e08e685ccd31510",
    .first_salt = "49a6747298503dce",
    .server_time = 1707425105,
    .g = 3,
    .dc = 2,
    .fingerprint = 0xd09d1d85de64fd85U,
};

/* Whole packets under that key. */
struct vector_packet {
    const char *name;
    int x; /* 0 to the server, 8 to the client */
    int32_t seqno;
    const char *salt;
    const char *session_id;
    const char *msg_id;
    const char *body;
    const char *padding;
    const char *msg_key_large;
    const char *packet;
};

static const struct vector_packet vectors_packet[] = {
    {
        .name = "client ping",
        .x = 0,
        .seqno = 0,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "78563412513dc565",
        .body = "ec77be7a8877665544332211",
        .padding = "8c8b053da881dd3f3bf6fa5553f068f9c69d0583",
        .msg_key_large = "b0e5b244a33aae1cf586afcaea8ec921c50929de7d3557bfcdc89753704f0c6b",
        .packet =
            "65588b3350ef784ef586afcaea8ec921c50929de7d3557bf9caa3e293faf43d79fc1f2f0ef0aac544415"
            "a0bb412f251b4f05bccea2659f39ec46c9757e2fb1fe83ba4dabee15df74f22acf00dac718c0bbe501e6"
            "1945d9c2",
    },
    {
        .name = "server pong",
        .x = 8,
        .seqno = 0,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "79563422513dc565",
        .body = "c573773478563412513dc5658877665544332211",
        .padding = "673c6dd9b33338824ec4cc30",
        .msg_key_large = "eb315459a6f4990a7be315a6de79c274e9452a932e4e46a2d9c88d18df4c35fb",
        .packet =
            "65588b3350ef784e7be315a6de79c274e9452a932e4e46a20782913cf4a0e4b6b7c8c86604036d65b2df"
            "592dcb484886eaf079bc5eef3aefbd317501919ae5f38cb4280cffcef293ac05ec722eaed8228c4e9645"
            "4abd26a4",
    },
    {
        .name = "client container: initConnection(help.getConfig) + msgs_ack",
        .x = 0,
        .seqno = 2,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "80563442513dc565",
        .body =
            "dcf8f1730200000078563442513dc56501000000340000000d0d9bdae4000000a95ecdc1000000003930"
            "000002504300054c696e7578000003312e3002656e000000000002656e006b18f9c47c563442513dc565"
            "020000001c00000059b4d66215c4b51c0200000079563422513dc5657b563432513dc565",
        .padding = "06db8a7433464f94a3e8e69870fcd260cb36824ba137f335",
        .msg_key_large = "b942041cf75ea11e637e3852e7a039aecc920b1d542951fa2d366b87f535a14e",
        .packet =
            "65588b3350ef784e637e3852e7a039aecc920b1d542951fa4cc4002d0285f6cff2bccd4c3cb1b651aa0e"
            "3a4709027af1df6cc7c8ee2a8324e116f8192a1d00084c80cfde880669d302320a95dd4bc460c6e66380"
            "969603f824ff2dd7122d119a4f647ae144450d7f3ffa5cb68945697b15562781c7d4691a0aa0c44cead8"
            "48c90cc004958ad8f162bec169d71afcef7851b555fd9f58225953b6989bf2c18bd491da6b92d94d4a04"
            "4de3d367ad231d3ad9d4c36e60b6c64605bb71a6954c72ecc1faf9287b9c9cb0",
    },
    {
        .name = "server container: new_session_created + rpc_result(rpc_error)",
        .x = 8,
        .seqno = 4,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "81563452513dc565",
        .body =
            "dcf8f173020000007b563452513dc565010000001c0000000809c29e78563442513dc56511100f0e0d0c"
            "0b0a49a6747298503dce7d563452513dc5650300000024000000016d5cf378563442513dc56519ca4421"
            "a40100000c464c4f4f445f574149545f33000000",
        .padding = "b7c935c672757b45dae1d37929b3a139d6af6613dd71b330",
        .msg_key_large = "b706bc3e824814f276944c3ffab265c5297c84e4a5c3c2a1ccb31d13b58a8376",
        .packet =
            "65588b3350ef784e76944c3ffab265c5297c84e4a5c3c2a19d294e6872c328097ce23f62c35274a4b8aa"
            "5b1d296182dbb1e08168ca06091d70ffad1986005f222cd4a767515596701daa5e9caf9b3477ceb06e52"
            "9c18b20b03afddc2120d00393503a0987bd2b9567c8891a68095c8ae143ea36f0cdf352690c82b615c93"
            "20b5ceb95bd20b19efa9b285a2b075e85500c9ed0fbedc960fc9e6e42358359f5b2a975470837e295d87"
            "a2acf97019d57f1f227cfef9847aa0cd",
    },
    {
        .name = "server rpc_result(gzip_packed)",
        .x = 8,
        .seqno = 5,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "79563462513dc565",
        .body =
            "016d5cf378563442513dc565a1cf7230241f8b0800000000000203133db255c68181818109881947e911"
            "4b030085edfe1208020000000000",
        .padding = "549ba2ff51390fddff8bdb1b9fb99dc7abdd922399e7ab9a",
        .msg_key_large = "a3690e7140e432018931475e170fe7263930d94541825dc3dd4869dd5401efe4",
        .packet =
            "65588b3350ef784e8931475e170fe7263930d94541825dc34a3f06faf8db7190574ffb9170f8d6197bfa"
            "ef4824e521baf8cc85ca9e945ac72da97c1fc3873be13244e0f311bc0ea06ce425974cb9eb0f5f29af91"
            "94cc6a6bc32c04a760ddf1f9fc248ce98b0a82249d23456b002d9c05c78145eba1f620d64984d4420008"
            "006a47695b25d0668f65",
    },
    {
        .name = "server bad_server_salt",
        .x = 8,
        .seqno = 0,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "79563472513dc565",
        .body = "7b44abed78563442513dc56501000000300000008877665544332211",
        .padding = "6a5e66b83e04239524794043ba68fef45c711cd7",
        .msg_key_large = "4aec3e2bde580cddcab7ae72a1d958e9c5cd6750f5fa445bf9e6b58f375763eb",
        .packet =
            "65588b3350ef784ecab7ae72a1d958e9c5cd6750f5fa445bd766b01c9cc551f5e60b3012b5bf05f04429"
            "b24e3ffdd90a0004b72f0bc5ab4a3a29b3d1241300c4d93a93ef0f50fc86fedc421e6f2572fa919b5026"
            "29241fb7a052eea44b1e88a2251d93d68dd9c786",
    },
    {
        .name = "server pong, 1024-byte padding boundary",
        .x = 8,
        .seqno = 0,
        .salt = "49a6747298503dce",
        .session_id = "0102030405060708",
        .msg_id = "79563482513dc565",
        .body = "c573773478563412513dc5658877665544332211",
        .padding =
            "fdb4cfecbe8477d5fc163b0d2465a589d5ea226ad2b4205e1e443b1ef3b043dd051a3390748fe0a777b7"
            "1a6eec2af6bc832d9c0038fd27747b0e3ef3fedf7cd40ad898d669cce47348426a8c9ca44820a2cb1c5e"
            "58b61df754f87f27e9b5c61e57a8f4b8adb8a4c9e575d7844923e6d70038a02a62622359e7b98631cb42"
            "0ddc51dd9309c5df19c609b6c8234f264b52fda71f5515677d22cf533fbca92ed479d4df6920d64aff64"
            "a619c27add979fab5deaac4a4d979b40c74d6f1dd23b0c96f52ed13c84f4bfd472a5eb586040713efc92"
            "5bffdf915ef803f9dadc875352e3fa483690f2a0ee7ebd61bb18a776632429bd008a770e73cb38d05eae"
            "d6415b7e6845dbc166c98c55f9b9bb723c47c5b3635173d9d63bca17141e547c1086e1535416180c2440"
            "2fb6ab8bfa58420a832fa62c71eafdf7a54767fc550e9260065c3ea6299240136c4c8c51a1150fa276e0"
            "28feda1c40d4bfc6d285d6886eb030de7a85680796cf4de76ff8876393bb86c05f1d2225834f3c0e9f80"
            "4e291bc23390eff4835ee4192677a05f5ee97d4cc38167ed29f60e10581b927114e17f9b111b4d54ef02"
            "9dc2dd39d57e84b22976b28baa3443005b1b9dce5fecce8e619d51632de628186d93c19844e8ee0a9f5e"
            "a397a9a1e2fafb0115d3a1cac24ba693ceeaa24c193dd93d57fd3d74379214f0c8b4299a3e8e26c12bd0"
            "be39426779a4ef5ca58c169ea62fd6419220deb6fb7109ce6aed3945c17a25d12e4a2c6c750dce7ccf21"
            "7a7c902165fe915d0393fe9155984a63e4496cc22aec7656c4a312f586d01f66d2a7c363549c41ab5c2a"
            "3b4e48f054384a3be442d8962395804dfa42670e69cfd1b8718a8b6719c7a1a2e4c0446918415ea34d6e"
            "3dc6078ca9f090b795c3dba87e9c8848f23655c7088588f147ef3f2c2c0d65de15fa0c778d1f973e21ea"
            "f4a31cc4fac588b19342b33751095a728e4eec74f47361c2450b90a011819ed947b36cff29d1faeb9888"
            "c9cc75d36b57435b20e6811364c8c5a8b0f6fd198f518e022cdda7b14bbcb9a62ab43e084bc7aad856dc"
            "6edd66ff443c95e67c71c72c6c983771ebba16c8239393184be03e5595cb492f93776f81188948562f83"
            "8ec991da2890ff6b923ebf561fa6655ed52ef3bac3474a8ca9fb92b66f473b071e68ee8a18f638121a77"
            "a38b56fc108d9ce817b1a893ef7fde23aa0f0e7b3c935a511309fe6dbe3e4ac89ad9bd2f913c3f8fdc14"
            "b679964c34364263944b8bb5b969bd1d8d7fb195c7b62926673e1b573e3c43376c9fe87b76ed0765170c"
            "809c375cd8bad6e3836d3ece6ced63be35404d5be36a51b2b4b0bfcb1a5d76940dd1a05249d29f212f3b"
            "e22542e479ef086b6ae4f4b3aeb5ea7596fd441d881922ed10d40c0ac6f04f7b16b896caff1bf2debe93"
            "fed4d24ff77f52cc59863ae4",
        .msg_key_large = "c505ada3d937309ac2ea6ab747d2706971099f38ac1fff6cf3bee4f3f1ee224c",
        .packet =
            "65588b3350ef784ec2ea6ab747d2706971099f38ac1fff6cd8cd1cd7e6bc14429426b9b9913d79bb93c9"
            "c54b86608c66e523606810279d5d1d355809d535caa84b853edf859525b2632c0c5d217bb59a5200c695"
            "5fca0c6ba902c4487aabb02bcb6a0649531de331401ab9fb77371317f87aef86225761accfa131ef933e"
            "945b5f723fbcf284ac4e6589474662bfa9a81a51b0bdb71b3f65ac021f4db76b879a921edc4e236fb44f"
            "65f77246c367c7726c65f3afc2abef49d6320c0997684818ff7c22dc4fa149fce4e819ecd8a2bd308aea"
            "ec619d160b4b47f2733c27dd60e4354341c3f8ffad7aa01620b8a1b90fce9bf6e831148e8db4225f69ef"
            "f1d356d95dbacb004b60f46250aab5ccc91a13a39c63bb0602e8ee316907e37576a09daa9e56759c5e20"
            "36fdd5a7734359e6d81cb1add2a622ccbf864179814ab1b026cc20852aa765ec5ffd39bacf2bdd662878"
            "b79ffe115a060f9dbb5be780b63f586ba5a06d713ea9cb92cdd2e7e049ca5af4341b2beb9d0395dcf639"
            "92fbc9c933affbab7d67a760018f50b300777ca3b5eaf24afa1ef15a5cbfd432e08a15d71ef7b7fe429a"
            "815c9f5c3c8344122860503b31381291bb9b205254a62f4ac4be92e177712090f8f3a5ac59b84bdb950b"
            "cd624131198a3ce22b7667b71f24b0aab27e9e5f921b2b737ff5e6aa7f5d57d6144b7857ee7c64427c27"
            "9ec8d6f5c65c7eb167087d90713f73489a9aca9b4703f3bb3248bbf604a596350303f4c2a03d7bd1c24d"
            "392252929dd440a4ccba0ba254b46e490bfcf04fe393c008e99b119d655a03024da6e160a54d9a95e556"
            "cc544d6f34c7e422ef0d4a188fe7af448634cee6efdabfbc2b4fcc1bd43e81fd939f62f36e141e45698f"
            "4088d8f475091503c682669563d5a62ecc45ed17f857c9a58ee27e6e5f27bdc66acb39c375a7d64dd453"
            "51da04838d395e86d97629a42829e9e8d068c2f985327f7dcac1e9ded2be4bf7844946b50f92958281bb"
            "7d8f685ee0537d3ef236d026dbfdfc56073ab0865935db4593d9d97e454ce25a034662fc84d60bac46dc"
            "35017ff9240e267a66ac017b320ddfb57b55963679a71e0035a8acc9fcd6e2470eb54d9deb5ab55ae072"
            "da2bbd9f616296145336ad5e01d263d3bcc249ac0048bc0c0887e7834370b30211b816f725a763412194"
            "f68713eb9ff8e41a59e7876ff40f04f9034450a1358702585c4ef1e761d92fd44a0e8269a7561a73ccda"
            "0fdb1f8c40b77ea761740e488e363f4a219363f5238683b8b5246c85c42a05f2f0eb85115c3251c80e3a"
            "a0e6deea7cd8c6c489e255c2aa8ac2776386910c86dfe39f627a05f31637abb26844477df007ed751bc1"
            "3a5c779486fb9f59e7f4a9ec9b96b6d1ca9cd0801b15216c994c5cacfd1c01e3e6ebfb3ad96e0d5a04d2"
            "9ee3e3988807c20fbaad4ec5c1f4ed60cd7eeea7bb581d82e59cbeed8456f066658cde8fdfded61cb8d6"
            "523e6276ac63024f36624cdaaaf586a8b2f72ec7fc109934d7e163720302717be8a3829530a33514066f"
            "cbc736ce",
    },
};

/*
 * Packets from a server that a client in session `vector_invalid_session` must drop at server time
 * `vector_invalid_time`. Those with in_session are sound as packets: it is the session that has to
 * refuse them.
 */
static const char vector_invalid_session[] = "0102030405060708";
static const int32_t vector_invalid_time = 1707425105;

struct vector_invalid {
    const char *name;
    const char *why;
    int in_session;
    const char *packet;
};

static const struct vector_invalid vectors_invalid[] = {
    {
        .name = "padding 0",
        .why = "padding length 0 < 12",
        .in_session = 0,
        .packet =
            "65588b3350ef784e5d7613b2fd24b9c4690c1723646541f1f7bdec6ac804d720c7e09419774741a6c410"
            "94b8c6ca23198bcf5e233de557ca019ed870fdfe56a89827e866c353ac48139a968daad238a0f6b09694"
            "403011ca",
    },
    {
        .name = "padding 8",
        .why = "padding length 8 < 12",
        .in_session = 0,
        .packet =
            "65588b3350ef784ef55ef00096e60442526d0f219bb40e22a3883d621db9800ee427b3c7c826779a13f5"
            "929abe6a76ac0a29bd429938b7362ef3b169fa5e413a9c0ca11f3969d353",
    },
    {
        .name = "padding 1036",
        .why = "padding length 1036 > 1024",
        .in_session = 0,
        .packet =
            "65588b3350ef784ea3ee6e8a15d32813e8adf8f0e8b77a1c397d84f23be82c3573c32ac4808a42387702"
            "eeb27862c015b92401a5250fb1687c2f1bb74a435b85a68bc481ceecb74c2016e8d3e4d7ea7d783b5d44"
            "d0d746340163c045419ea0d74f4a2983fc74edb6751970c8b351c6ae873b44c6d1298b80f95306c186b4"
            "726918bcd0e79cf638f66ff490cf4820c273f0be0b5a38666609f7f503f3082135087b3a7988291fef3d"
            "065113cfad575546a995fb81fe0df207cf83e7ede13b0977449b0171a32e5ee6c84c5d6b331871b59bc1"
            "631be54eab9c7d199118e880a5e1ab90f35b11da885b7cde5738f8fe52b410e95bbffb694a78d1c2ab07"
            "380100274fec66d6f77b4fa95e97b14c85582ecba50dc32cc887c6d2d69eca08d1c679d374f35a7328c4"
            "aae8d3f80c50e420631880fe1dc2c2ae4bc623ed426d0356d9350e66c2fa114c7b137902dd23825a191c"
            "d56f2d89dcda57a38ce983ecd91ba12f7ba16b92e660d11b1eb9da1c7ddbe6339954c666f57d3585c6f0"
            "d8ca1497a819115d5d704607a21a0d09c5b2d2e07354243240c201f9f3e7d9b5efe7ee36fecb4ef8ebde"
            "5b1f5e5cb889a7b44e2ba3543e079d87ccfe1b84060f06ac4711d68c8fa3e890e3defba79127f23cd7ec"
            "246ed14aeaeca4cea73175dc25c681c12faa4b32fb57d617977bd2ff35c6afcba6c8cba60f71b3652665"
            "4b9ddde6fa77f644152d700be8d476e65ead46732ed5c93bbaba6922ba5f885fa974b6863c3d62839c80"
            "63b1334a0c8b12591736e53f96b513dbc00668928491cbfe3de53778635306ae5a77595ee22734a153e2"
            "4c57b6b7f9dc8f22184d24b386f3cca168cb94ce31eb0ffa0e16e48f54f930a8ccd2af2d1c5bee8df524"
            "9e2b9b03c870a0ae67b33fd21451d72d80156dff3f2f4bdca1889ec601b6b4b642c0e683186b2afb5625"
            "1d4204d258946e0601fdd61c5ef8283255223a214ab894bcd478dcca42dc309786586987f0596f5bee8e"
            "f682cc333428b7c897ed7e16b98cf9340ea394a0691445f28502278eddb2b443844a634bd9fb8e9d469e"
            "09b46d3be0efebeb637a63272b7a3c0366e020a8cc80f78b7d1a7c7bb21f647d4853f5d9588243144650"
            "2c402fd16825e3d472a2e3aed4c21614bee3d1fbc4c8fb80348d9439222ab24bc09c237af69d2348c71d"
            "d72aba4a17843031bdbed8df99e1bc4db12edc44e67091eb674545bed13249392073d2fed1a78318f8b9"
            "d6a251e39dce15d270a7c560e432cd6c0924089b20de74955732c40daaa190bf74de58b79a9c7bc6082f"
            "a2923bae62ed17b50f224d5b6676bafe8b7b44653992924204cdacc18a397a83a3f0117af852ee51d218"
            "9aa3014351e70a311ce0e990a32c0b8c827cb1e0d8f739de02a0734f9e28ca0a6dcebfb63ac1a94eeb63"
            "14a786ea449354833cd678aa189d166bd8739890fc3511646e23dafb798a85365266c2cc968fef7ba51e"
            "e5bab523ac2d81ba09fda9cd0e689585694f95108ac3448d64cff65484b5c1b5fec29551919c824ff099"
            "b0b4d1a7eba65da9722c693ae956010a1f215ae0",
    },
    {
        .name = "length not multiple of 4",
        .why = "message_data_length 18 not divisible by 4",
        .in_session = 0,
        .packet =
            "65588b3350ef784e6d5818ad6a849a72e64eee18bd05fae7ad13e7351c4daf5ada19b434d5ae066d8a31"
            "2f500710892990d15b3faaaaf30c421c3cd7ee7548f6e617c1c59b4fe4ecaf8f357fdede810d89202c24"
            "193c0bf8",
    },
    {
        .name = "length beyond buffer",
        .why = "message_data_length larger than plaintext",
        .in_session = 0,
        .packet =
            "65588b3350ef784edcd6fda2f1d6968e74b74b3a0be85d3f1b6d5c92f80669ee01a8d857508bbec60640"
            "2a335c8893b2b7b7ecfb6021e6e158c90119fb7818cfc707e9cff680000e3c858d9febfb6a14146341ae"
            "3122aa43",
    },
    {
        .name = "negative length",
        .why = "message_data_length negative",
        .in_session = 0,
        .packet =
            "65588b3350ef784ee6ef09147f106f3c04686af775ff24572ad86f1a46c2dc25052af5dec9b8a8c250e0"
            "92b1dc7206ff969a8b94f02bc46c5a05f695d7b2e084e9a74d04c6c66abce7ad0a4f5ef6247f9d146bb4"
            "da30cd50",
    },
    {
        .name = "foreign session_id",
        .why = "session_id differs from the active session",
        .in_session = 1,
        .packet =
            "65588b3350ef784e0bfa472823cfa2de1919ad1c48a68a232dfc2f8ad50850c8c9a05bba7180bb5cbf07"
            "adef2b5c22c35a9637b0615abf3df3774f362d983e05d1efff6c8ccbad9767c008c8cb51ce321ad18cfd"
            "cf87926f",
    },
    {
        .name = "even msg_id",
        .why = "server msg_id must be odd",
        .in_session = 1,
        .packet =
            "65588b3350ef784eeaa455425493a81101ff24a5f1958a61fd28da255a24aa5d51a7a545bbf3c7e4573a"
            "26d4304a4d9a82c40c167c17be0b9787cdd76832f118b3a9115b6e9b47078aac4a381d193697a623cb34"
            "18a7a948",
    },
    {
        .name = "client-direction key (x=0) on server packet",
        .why = "msg_key check fails when x=8 is used",
        .in_session = 0,
        .packet =
            "65588b3350ef784e797147ca572d18f8ab4610cabd614facdb7cc503038de6dd54ccc6fe47130d156509"
            "4deb2614bef82a6f9a5457c9c5c3da279c52e21eadc7dce0b4ea8610b8b7f2704dbdc67cd4f50573ed89"
            "b438b016",
    },
    {
        .name = "ciphertext bit flipped",
        .why = "msg_key mismatch",
        .in_session = 0,
        .packet =
            "65588b3350ef784e0cd48a832a0493d92ae4548f3861876466e553fe970158f91a93b84157493a66ae3b"
            "daa68e338d6b2bd57080cd83e11a55d3655b26543bb445889ea5f73417fe1e2436d17a809c7e8c83f0b1"
            "2cddf3a8",
    },
    {
        .name = "msg_key bit flipped",
        .why = "msg_key mismatch",
        .in_session = 0,
        .packet =
            "65588b3350ef784e9a40840a9a181a91ac90b23071eed40b0d3c164c296d6dfeffa4a1df3271f2339be8"
            "c1c922b02bd8f6ead27b95aa5e4f713ab888b3c2cf8b8b978304f1ad19c127d89667faccb18eae426124"
            "df09184f",
    },
    {
        .name = "msg_id 301 s in the past",
        .why = "too old relative to server time 1707425105 (300 s)",
        .in_session = 1,
        .packet =
            "65588b3350ef784e08f1cb66f160989899fbadc12b774da5943756ae3dc74004748d4bbd057980a01e82"
            "04ad8ef914de8cf8ea21cb33868d55fb40d390a9539008cc96943d5ca7f8404cb89636f824dee62cdd9c"
            "8553a92f",
    },
    {
        .name = "msg_id 31 s in the future",
        .why = "too new relative to server time 1707425105 (30 s)",
        .in_session = 1,
        .packet =
            "65588b3350ef784e2f24b021a99b5e8a409e29696c22de55fcd32b916d754f14099a14f56eb1932b75d9"
            "cf3acc851ce1266d32d0f7782052b4c6470320e61002c6c27fabae031452b7b87926ce1958f9eb8b346d"
            "2256bda0",
    },
};

/* Quick acknowledgement of vectors_packet[0]. */
#define VECTOR_QUICK_ACK 0xc4b2e5b0U
static const char vector_quick_ack_abridged[] = "c4b2e5b0";
static const char vector_quick_ack_intermediate[] = "b0e5b2c4";
static const char vector_ack_request_abridged[] =
    "9665588b3350ef784ef586afcaea8ec921c50929de7d3557bf9caa3e293faf43d79fc1f2f0ef0aac544415a0bb41"
    "2f251b4f05bccea2659f39ec46c9757e2fb1fe83ba4dabee15df74f22acf00dac718c0bbe501e61945d9c2";
static const char vector_ack_request_intermediate[] =
    "5800008065588b3350ef784ef586afcaea8ec921c50929de7d3557bf9caa3e293faf43d79fc1f2f0ef0aac544415"
    "a0bb412f251b4f05bccea2659f39ec46c9757e2fb1fe83ba4dabee15df74f22acf00dac718c0bbe501e61945d9c2";

struct vector_frame {
    const char *name;
    const char *payload;
    const char *abridged;
    const char *intermediate;
};

static const struct vector_frame vectors_frame[] = {
    {
        .name = "req_pq_multi (40 bytes)",
        .payload =
            "0000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa67eef",
        .abridged =
            "0a0000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa67eef",
        .intermediate =
            "280000000000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa6"
            "7eef",
    },
    {
        .name = "504-byte payload (126 words)",
        .payload =
            "2da5fe3c5d6563b65b4e728245270a31e27f61b1c3c2d7ca538067dee655fa880f8a0e8f8729f8f1f716"
            "6f9a69dc0647a1f910efdb4791ab2d83d1b3ee0a821167b214afe5eb42311d96f0046c10259250345a73"
            "a3fbd6aac01e115683ea9089269c40779260378bf4e7ea179eae95bf0c61680be75b690b3825ba203404"
            "9252643b03754c7188b219cfd7aceacdb470a6a776db351420945ea986bf6444c375769945e45fe3c627"
            "9867d314b2ae78068f5451cd02a76b36763dcab10a28697dc88706f0919c2c92a8d14b5fc68943d893e2"
            "8ce63127015067ed4e186af2beea9ad32067b26a79a25a662c8fd52b2d88b2f5422bcece5bb772171d36"
            "904b17b4b13d9bf9d354fb541b9dab35d930e5882f742ce0167040f18aa2859f7529f8c319f1b74019df"
            "da79aa9170c65e416e4894b259cd0c2dbe82c352e33ec1b7ae581de110bf0208da5c80c971c5ffa747ad"
            "656b2999cf1890bd7da4b09b2d1614f2ccd721211f49bc8e57266a19e905e7dbdd753748a171509c1161"
            "05769b32d721c1c1579a18198fd01df1a0cf74508eb9bbcfddbce66f41a78909de6093fbf31604f5cf8c"
            "17b139068e1fb5ab14274dac8dc660910a415cab2003b745613d3870aef109d42b902f68b2bd7faab1fd"
            "5331209d34a1311930433a0f19a43813c75d64b3a83ee39042c122b5103d34995a2b193dbac074fc306a",
        .abridged =
            "7e2da5fe3c5d6563b65b4e728245270a31e27f61b1c3c2d7ca538067dee655fa880f8a0e8f8729f8f1f7"
            "166f9a69dc0647a1f910efdb4791ab2d83d1b3ee0a821167b214afe5eb42311d96f0046c10259250345a"
            "73a3fbd6aac01e115683ea9089269c40779260378bf4e7ea179eae95bf0c61680be75b690b3825ba2034"
            "049252643b03754c7188b219cfd7aceacdb470a6a776db351420945ea986bf6444c375769945e45fe3c6"
            "279867d314b2ae78068f5451cd02a76b36763dcab10a28697dc88706f0919c2c92a8d14b5fc68943d893"
            "e28ce63127015067ed4e186af2beea9ad32067b26a79a25a662c8fd52b2d88b2f5422bcece5bb772171d"
            "36904b17b4b13d9bf9d354fb541b9dab35d930e5882f742ce0167040f18aa2859f7529f8c319f1b74019"
            "dfda79aa9170c65e416e4894b259cd0c2dbe82c352e33ec1b7ae581de110bf0208da5c80c971c5ffa747"
            "ad656b2999cf1890bd7da4b09b2d1614f2ccd721211f49bc8e57266a19e905e7dbdd753748a171509c11"
            "6105769b32d721c1c1579a18198fd01df1a0cf74508eb9bbcfddbce66f41a78909de6093fbf31604f5cf"
            "8c17b139068e1fb5ab14274dac8dc660910a415cab2003b745613d3870aef109d42b902f68b2bd7faab1"
            "fd5331209d34a1311930433a0f19a43813c75d64b3a83ee39042c122b5103d34995a2b193dbac074fc30"
            "6a",
        .intermediate =
            "f80100002da5fe3c5d6563b65b4e728245270a31e27f61b1c3c2d7ca538067dee655fa880f8a0e8f8729"
            "f8f1f7166f9a69dc0647a1f910efdb4791ab2d83d1b3ee0a821167b214afe5eb42311d96f0046c102592"
            "50345a73a3fbd6aac01e115683ea9089269c40779260378bf4e7ea179eae95bf0c61680be75b690b3825"
            "ba2034049252643b03754c7188b219cfd7aceacdb470a6a776db351420945ea986bf6444c375769945e4"
            "5fe3c6279867d314b2ae78068f5451cd02a76b36763dcab10a28697dc88706f0919c2c92a8d14b5fc689"
            "43d893e28ce63127015067ed4e186af2beea9ad32067b26a79a25a662c8fd52b2d88b2f5422bcece5bb7"
            "72171d36904b17b4b13d9bf9d354fb541b9dab35d930e5882f742ce0167040f18aa2859f7529f8c319f1"
            "b74019dfda79aa9170c65e416e4894b259cd0c2dbe82c352e33ec1b7ae581de110bf0208da5c80c971c5"
            "ffa747ad656b2999cf1890bd7da4b09b2d1614f2ccd721211f49bc8e57266a19e905e7dbdd753748a171"
            "509c116105769b32d721c1c1579a18198fd01df1a0cf74508eb9bbcfddbce66f41a78909de6093fbf316"
            "04f5cf8c17b139068e1fb5ab14274dac8dc660910a415cab2003b745613d3870aef109d42b902f68b2bd"
            "7faab1fd5331209d34a1311930433a0f19a43813c75d64b3a83ee39042c122b5103d34995a2b193dbac0"
            "74fc306a",
    },
    {
        .name = "508-byte payload (127 words)",
        .payload =
            "8934cf5e53806f80522a166404589a0ebf2604028469f9d2d50013396053ddc225ae13ea069b02fc92d6"
            "92dc9debc35a570597228681ed4f5ee8ab58e5d06766fc48b5e7899fe6c6253d106398b45a425bd376ef"
            "e796ae0c14a8216f24b1d1f3f600ac5de08aa4db446556538dcea9f7a824c61a8025ba8b830d9168f581"
            "c3c16192bdf5de0675b6b5aeb73e89bd51e4af8b6acf95ac3369f7ca9093f990104668c595be58e32570"
            "aa69ad007f64874a378d762884fe02d85c8b250a7da14345f562b548b7fd7408c9b915c1c45b85065ca0"
            "282f2e8bdb638c7e03b1959863885bd201f6a89027fabb37bd3eb8107c32ca82716e2ab3b38cc9a858e4"
            "b2fa04b3dbeb8d3bdc71bd354009ac5033d0962771a0ada780c495d380081faa5ae866635a5306f2525c"
            "e7681255439af58003d49276e8f544a159ce8b33ba0495fcb7cc0491a9810bf7e774e78d0051ed6e0ba6"
            "e1bd72d619699a61d623ffa72b6d5b770a1ec06d0bedac6fece8200d57bcd47eeecc5a6e8e7e9abe7135"
            "691af2520a301fa55bf662c7c0eae31e7cb77cf1b192c1d4b53532d1685d1dfb3b73c3cfb3f1bf193afd"
            "ad14f62d4ff6df07dd6985a56f4988e4c02136bed49c2df3f00440022a007aeb4bfe4844ba30ba777c41"
            "7889912ba22c3ffdcc9defbe3d73fb53b1ece20e3a85956b3de13d524dc5ac7c4159367b079064a09e05"
            "44fa4d40",
        .abridged =
            "7f7f00008934cf5e53806f80522a166404589a0ebf2604028469f9d2d50013396053ddc225ae13ea069b"
            "02fc92d692dc9debc35a570597228681ed4f5ee8ab58e5d06766fc48b5e7899fe6c6253d106398b45a42"
            "5bd376efe796ae0c14a8216f24b1d1f3f600ac5de08aa4db446556538dcea9f7a824c61a8025ba8b830d"
            "9168f581c3c16192bdf5de0675b6b5aeb73e89bd51e4af8b6acf95ac3369f7ca9093f990104668c595be"
            "58e32570aa69ad007f64874a378d762884fe02d85c8b250a7da14345f562b548b7fd7408c9b915c1c45b"
            "85065ca0282f2e8bdb638c7e03b1959863885bd201f6a89027fabb37bd3eb8107c32ca82716e2ab3b38c"
            "c9a858e4b2fa04b3dbeb8d3bdc71bd354009ac5033d0962771a0ada780c495d380081faa5ae866635a53"
            "06f2525ce7681255439af58003d49276e8f544a159ce8b33ba0495fcb7cc0491a9810bf7e774e78d0051"
            "ed6e0ba6e1bd72d619699a61d623ffa72b6d5b770a1ec06d0bedac6fece8200d57bcd47eeecc5a6e8e7e"
            "9abe7135691af2520a301fa55bf662c7c0eae31e7cb77cf1b192c1d4b53532d1685d1dfb3b73c3cfb3f1"
            "bf193afdad14f62d4ff6df07dd6985a56f4988e4c02136bed49c2df3f00440022a007aeb4bfe4844ba30"
            "ba777c417889912ba22c3ffdcc9defbe3d73fb53b1ece20e3a85956b3de13d524dc5ac7c4159367b0790"
            "64a09e0544fa4d40",
        .intermediate =
            "fc0100008934cf5e53806f80522a166404589a0ebf2604028469f9d2d50013396053ddc225ae13ea069b"
            "02fc92d692dc9debc35a570597228681ed4f5ee8ab58e5d06766fc48b5e7899fe6c6253d106398b45a42"
            "5bd376efe796ae0c14a8216f24b1d1f3f600ac5de08aa4db446556538dcea9f7a824c61a8025ba8b830d"
            "9168f581c3c16192bdf5de0675b6b5aeb73e89bd51e4af8b6acf95ac3369f7ca9093f990104668c595be"
            "58e32570aa69ad007f64874a378d762884fe02d85c8b250a7da14345f562b548b7fd7408c9b915c1c45b"
            "85065ca0282f2e8bdb638c7e03b1959863885bd201f6a89027fabb37bd3eb8107c32ca82716e2ab3b38c"
            "c9a858e4b2fa04b3dbeb8d3bdc71bd354009ac5033d0962771a0ada780c495d380081faa5ae866635a53"
            "06f2525ce7681255439af58003d49276e8f544a159ce8b33ba0495fcb7cc0491a9810bf7e774e78d0051"
            "ed6e0ba6e1bd72d619699a61d623ffa72b6d5b770a1ec06d0bedac6fece8200d57bcd47eeecc5a6e8e7e"
            "9abe7135691af2520a301fa55bf662c7c0eae31e7cb77cf1b192c1d4b53532d1685d1dfb3b73c3cfb3f1"
            "bf193afdad14f62d4ff6df07dd6985a56f4988e4c02136bed49c2df3f00440022a007aeb4bfe4844ba30"
            "ba777c417889912ba22c3ffdcc9defbe3d73fb53b1ece20e3a85956b3de13d524dc5ac7c4159367b0790"
            "64a09e0544fa4d40",
    },
    {
        .name = "transport error -404",
        .payload = "6cfeffff",
        .abridged = "016cfeffff",
        .intermediate = "040000006cfeffff",
    },
    {
        .name = "transport error -429",
        .payload = "53feffff",
        .abridged = "0153feffff",
        .intermediate = "0400000053feffff",
    },
    {
        .name = "transport error -444",
        .payload = "44feffff",
        .abridged = "0144feffff",
        .intermediate = "0400000044feffff",
    },
};

#endif
