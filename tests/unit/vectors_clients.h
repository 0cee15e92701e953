/*
 * tests/unit/vectors_clients.h - what other clients send that ours never does: obfuscated
 * connections and the binding of a temporary key under MTProto 1.0. Bytes are hexadecimal.
 */
#ifndef GAP_TESTS_VECTORS_CLIENTS_H
#define GAP_TESTS_VECTORS_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

struct vector_obfuscated {
    const char *name;
    const char *secret;        /* 16 bytes, or empty */
    const char *tag;           /* of the framing inside */
    int dc;                    /* 0: not written */
    const char *header;        /* the 64 bytes sent first */
    const char *client_stream; /* what follows them */
    const char *client_frames; /* the same in clear */
    const char *server_stream; /* from its first byte */
    const char *server_frames; /* the same in clear */
};

static const struct vector_obfuscated vectors_obfuscated[] = {
    {
        .name = "direct, intermediate",
        .secret = "",
        .tag = "eeeeeeee",
        .dc = 0,
        .header =
            "66088757d9f1f0a1922176a1a1e9e7187cb3e0d42312330b41c0318e042d0c2079182899fae90334807f"
            "b2844d08b564d25391e5eaf4c42c95b7124a40bce6dd",
        .client_stream =
            "f35bb7c2107ec503e42b6b94da980bc7b96cf0b5b040c826ef4f246582c431a8953c1de552e61ba0ea69"
            "ec6cfbee443a530dc0f3e95c3c0c01466dc450a553c89fbe36a88507d00b918aa7dce59c4fd09e7f2018"
            "a88d92be",
        .client_frames =
            "280000000000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa6"
            "7eef280000000000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d"
            "0aa67eef",
        .server_stream =
            "31e2c5125e70d8064097b7777a8fc3565b8bf2a0ac9d907c0fab4e06db565a502302a48b9a51e9e9cc99"
            "88b6f4a56123d88f265e960f3015b25dac163ae8dc8b86ae72dc14ece813b99f7b02",
        .server_frames =
            "4800000000000000000000000100be91513dc5657400000034f7cb3b406709f612fadfbec3f0289d0aa6"
            "7eefe11dbc3bc97d91a26154f932af0199431142871352165e59e1124036b48b97d3",
    },
    {
        .name = "direct, abridged",
        .secret = "",
        .tag = "efefefef",
        .dc = 0,
        .header =
            "f995751dc5bd24f87bf40825dff0633c61d6d7a0a77f2d4887b0ad85e936048138b65227dd22a9ab03f5"
            "074db270fe65964238a1180e7d29af704156d403be5a",
        .client_stream =
            "5d62f7524d0064b2c4f97e6d793c71b70d7896aba15d6430fc3bd3966aa2c3fcf3e4bc4ce7735f5fa0",
        .client_frames =
            "0a0000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa67eef",
        .server_stream =
            "ebd3b97436fa18ba24ff0f0db12bc1b111f441397111d374e0c5058aaf3a818089cc697280caab66ba6f"
            "11d359fdb9c1030b30615cddeaad3383d4e73c513eb66f43c301ff3a2d6325",
        .server_frames =
            "1200000000000000000100be91513dc5657400000034f7cb3b406709f612fadfbec3f0289d0aa67eefe1"
            "1dbc3bc97d91a26154f932af0199431142871352165e59e1124036b48b97d3",
    },
    {
        .name = "MTProxy dd secret, padded intermediate, media DC 4 (-4)",
        .secret = "40a575d9f38a8bc03e644437ef55e75f",
        .tag = "dddddddd",
        .dc = -4,
        .header =
            "c1cd8c5b640ab9c39ded61daa2bed86e818ff3965162e999b2097c028687253a9bf08fa6aa30aba5a65b"
            "67e49d43b643f1757066ef765c0a45f900a040c239e6",
        .client_stream =
            "8b9c35bd7c521c26d09bf603a2d3f72f3a504a356562c1cb3a7fedc95130c4d5e081126ae0a27e36b0e1"
            "fdbce939ef3aafc255",
        .client_frames =
            "2f0000000000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa6"
            "7eef896585d2d54199",
        .server_stream =
            "4ab8ced53029de23c542306e80a7ce7abad823eb1b13e6584ebda3f1354fb0ca4e62fc9aed03b0c31aef"
            "543cf7fd5abfdf15eb56471717fae2f5ed8f7f4ed351f1dd9a22ade12695048796308c23b1",
        .server_frames =
            "4b00000000000000000000000100be91513dc5657400000034f7cb3b406709f612fadfbec3f0289d0aa6"
            "7eefe11dbc3bc97d91a26154f932af0199431142871352165e59e1124036b48b97d3dc7a09",
    },
    {
        .name = "MTProxy plain 16-byte secret, intermediate, test DC 2 (10002)",
        .secret = "40a575d9f38a8bc03e644437ef55e75f",
        .tag = "eeeeeeee",
        .dc = 10002,
        .header =
            "e70eb577ca249bc3e0a88b6d151a2e84f8f95b5065b3028ea23aae522e9695772554da9e090e14176cd2"
            "249a2dd18c2a2a26a16bea051207b04a3100b880e6f6",
        .client_stream =
            "8c906562a98b1a42eab9a401114277bd69fcdcffb1d136b933a4371d6059e4808481db2c1ecbce9410c8"
            "fbdd",
        .client_frames =
            "280000000000000000000000d4720600503dc56514000000f18e7ebe406709f612fadfbec3f0289d0aa6"
            "7eef",
        .server_stream =
            "9f13f2d8b1f76fe405698c1c62ccb0c4626fa6e925e78a52985ad5e560c979a89c02df31fa7bca4d25aa"
            "31125ee9c765b1eaaf23ca31b3b7bb975fcb9afa5c26476a6fe98462a984e9d90d03",
        .server_frames =
            "4800000000000000000000000100be91513dc5657400000034f7cb3b406709f612fadfbec3f0289d0aa6"
            "7eefe11dbc3bc97d91a26154f932af0199431142871352165e59e1124036b48b97d3",
    },
    {
        .name = "gotd Test_generateKeys",
        .secret = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        .tag = "dddddddd",
        .dc = 2,
        .header =
            "616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
            "6161616161616161616161616161ab4162424f66fddc",
        .client_stream = "",
        .client_frames = "",
        .server_stream = "",
        .server_frames = "",
    },
    {
        .name = "gotd TestEncrypt",
        .secret = "8a96ef6e42a18c21837580cd1c91c5a8",
        .tag = "dddddddd",
        .dc = 2,
        .header =
            "f5768f50b731260a46be1027c2eeaa39350624f0b6da59eba56c81fe4510c2e0b61d3dd323ee02388633"
            "e3837a0c1c24fa6f29ccd724be6fbea2dde16dc59dd2",
        .client_stream = "ca7a8226",
        .client_frames = "61626364",
        .server_stream = "8f711982",
        .server_frames = "61626364",
    },
};

/* Keys of MTProto 1.0 for an authorization key of bytes 00 to ff. */
struct vector_kdf1 {
    const char *msg_key;
    unsigned x;
    const char *aes_key;
    const char *aes_iv;
};

static const struct vector_kdf1 vectors_kdf1[] = {
    {
        .msg_key = "000102030405060708090a0b0c0d0e0f",
        .x = 0,
        .aes_key = "17d7295ca9213d1ab656acdb1ad48b2ea7f3a8f7095098d5508b900bbd5fccfc",
        .aes_iv = "2d7d16a65a84108e9805656caa474501cc580aa2edc33abfd0bfad785464d1c6",
    },
    {
        .msg_key = "000102030405060708090a0b0c0d0e0f",
        .x = 8,
        .aes_key = "bb17b07eb91110647098b069bd1a9b6fe5c4bcc3c31f8e67e831d07a61085f68",
        .aes_iv = "5197fc1e25b41fe36f18b5a3a8b2b36cb2cb061f1f157b3514fe42e74fb58359",
    },
};
#define VECTOR_KDF1_MESSAGE "bind-message-test-payload"
#define VECTOR_KDF1_MSG_KEY "fc11a3669566de22b87f66550dc3de6d"

/* The binding of a temporary key. */
static const struct {
    const char *perm_auth_key;
    const char *perm_auth_key_id;
    const char *temp_auth_key;
    const char *temp_auth_key_id;
    const char *nonce;
    const char *temp_session_id;
    int32_t expires_at;
    const char *msg_id;
    const char *random_prefix;
    const char *padding;
    const char *msg_key;
    const char *encrypted_message;
    const char *call; /* auth.bindTempAuthKey as a whole */
} vector_bind = {
    .perm_auth_key =
        "aca2547baa3b4b3e6ad9129adee796042fc4acaaaba40dce7a1196640595829e2ba85c5e68e5d2b7b713"
        "b28720ccd0e65da3b80cd8a9282bde895755b924f4cbbced119dee057d3066d7095c25771a53d9ad6ec3"
        "464ee0e7fe1a4d9851f17b6cc7d6e636e0bdea7d66153cf37005835a528e65673c1f5adaa27465964ba8"
        "9aa6fd045108b25b1dc9ab2d979864858c9eacbfa4a399cdbf2154d2cc6743c5caa40683343d80a36c7f"
        "1289dc5ac5ee585dea1e1cd296444ea6cd8f6c3564b2d355b310a3c02608eea5ec36d38e941bf811489a"
        "b7a24c069e44ff54714cb4a45eee2f310fddc0a1b08bd3dff8801e27c8508efd7ad51ef3c13ef1d9a02e"
        "e4601741",
    .perm_auth_key_id = "65588b3350ef784e",
    .temp_auth_key =
        "5cd116ec03a4e48fef21f9ea464c0fd68e5d68cf750d69f5c011638b3a3da7f5c85f10b1fb5ec259e390"
        "603251f8d900d69c073db7f9d015cf3d944475d23b78fc71f5539b1ed8781d1445e954943463e5797983"
        "de3858c1cc91ca7369f485fed2241c0318b3367553ea7665171791725870713bc0e0f868a3c34e450021"
        "e827f54ef1d846e73e3c42685193b6cd309c932b1cd772c9c7983e18eaa4257c2e52f2b569661fdd5894"
        "4c1bbe10a421061a76faa3914e2d6e5318bca6b6407bc66ae4ee27de78db24b5a204ac55c389f049300a"
        "f921cf10574d62799e73b32888e2cbfda339d942408a277924557e21041466608a0b1f5fff658865b2f7"
        "6f76bb2f",
    .temp_auth_key_id = "fa0740cf201b6527",
    .nonce = "1020304050607080",
    .temp_session_id = "a1a2a3a4a5a6a7a8",
    .expires_at = 1707511505,
    .msg_id = "74777777513dc565",
    .random_prefix = "5bada4bfd5a38aeebd1f24b741c8e927",
    .padding = "d38af39c7058d391",
    .msg_key = "7fd17a81e35549f94ae644112217bd0c",
    .encrypted_message =
        "65588b3350ef784e7fd17a81e35549f94ae644112217bd0c877322533f0878b94e55067066bbb3097d7b"
        "7141ded919c68fdbc578e28f617539ae4fbef116d48acadbc062d6784ab41432e3a90fc960b26912a560"
        "47c8f09f80154c77a6655f3291302a874c4ae4f5",
    .call = "052ad4cd65588b3350ef784e1020304050607080d18ec6656865588b3350ef784e7fd17a81e35549f94a"
            "e644112217bd0c877322533f0878b94e55067066bbb3097d7b7141ded919c68fdbc578e28f617539ae4f"
            "bef116d48acadbc062d6784ab41432e3a90fc960b26912a56047c8f09f80154c77a6655f3291302a874c"
            "4ae4f5000000",
};

#endif
