/*
 * tests/unit/vectors_crypto.h - test vectors of the ciphers and of the key exchange's arithmetic:
 * those printed in Telegram's sample of a key exchange, and computed ones on which several
 * independent implementations agree. Bytes are hexadecimal, in wire order.
 */
#ifndef GAP_TESTS_VECTORS_CRYPTO_H
#define GAP_TESTS_VECTORS_CRYPTO_H

#include <stdint.h>

struct vector_ige {
    const char *name;
    const char *key;
    const char *iv;
    const char *plaintext;
    const char *ciphertext;
};

static const struct vector_ige vectors_ige[] = {
    {
        .name = "server answer_with_hash",
        .key = "5ea702f743e850f5546e857f08b7d5337bbaedf9b61248751594851be2e8c297",
        .iv = "1cef8e372a63d97ebfa805c0dbb018bc7c1e0931693fbcb1a1afc0c0a8bbc849",
        .plaintext =
            "60026275cc91ddec5371c67b10331c4c1d362585ba0d89b5406709f612fadfbec3f0289d0aa67eefe11d"
            "bc3bc97d91a26154f932af01994303000000fe000100c71caeb9c6b1c9048e6c522f70f13f73980d4023"
            "8e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4dbfa336f6e0ac925139543aed44cce"
            "7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f642477fe96bb2a941d"
            "5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b410dba"
            "74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928f"
            "ef5b9ae4e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b1"
            "05ee2e4e15d04b2454bf6f4fadf034b10403119cd8e3b92fcc5bfe0001000a77200bdff6e6c4c126a2c4"
            "1df310ab3a3bdbd698cd480749e1f3c64fb1cfc9dfc70ac6f1aa671019620a640055b2cf7d7d99cc8653"
            "3645c0fa000954de2987bad68d7450cf134c9f0305f34c1bb285da8233f65970a01c4bd3afd5ea3cd586"
            "4b8f1dcb35d5e9737df15063c54cf53048ef519a280498dddaf23764f29ffb0c5813caad90c319be8592"
            "b78c4be815e65ada7c62ea23754b5a2c5a86c4721872d0cc48e0f895c3ebe186e81e5f0e88a6b3f09101"
            "c409af3410b64238fbf2a2095e3f3b7ffc7eb3a02a319b99a155647bc59958bcdfed8a1cc6eb7f13f860"
            "0e521d9d0247b0f639f2fa3b09f72987781f71c0e8aa950167de5092380b4853e7f1513dc565c26f8049"
            "523e89d2",
        .ciphertext =
            "6ad7dd5d8b2526c761abe50e93c82a6f331b1eae0ad011893da976e3771d4aa45209d234fea656429853"
            "86b817bf8980f517f6d32dbeb47e34534556f950ddf960db721a48480231619161112682c6046d5629c7"
            "1cd1ec8061dfcdd704703ec7a8aebdcbd159579fc8886d9fa51e009af49b5ab90c7628eb81c9788a2eb6"
            "ac0e757a7debe3d949f80a990bedb4d2dbae43f00328b82f4d8fc83a9b9cfeef467e1593bb4579ee3241"
            "2f167a780cfa517650bd0eb51cbfb50e3afe978839466131fcd956711e63614f006a55ed35ed2b1f833c"
            "29f4fd7a84f0c8f1c10dfc1a1aaf9a8a57108decf206e3968406f0fb25e922df154f497b51527e483420"
            "2fab477a137d0a99d1c347196fba10699f52ea56f01ef93829b310a5c97db95fd57e64417e526eb920d2"
            "61157c6e38791bdd5389eeb744e075d952db33a8151207d0ab3c629e30a723a5205f8fa18398937ed271"
            "4a4e76a5f4512508a4be1b4d6ae46fd156c6f06347af5e07ce49279195133b07cce4bc6775d88f361118"
            "0d23c4c70946619ad759ab9f183a385ccf9bf19315fadbe8a4fdc748af52df930345909c870de4b48901"
            "e9f90e56d74ca534d8e1fe3a35a92a18d676958eb8fc3d82f9cee308df2a9e4ccd23ff89ea255b9eedbc"
            "3378148879666ffc2e19a431cbb57ae1a010ffe5cb39abf131add9e90bf969a112c435509b78960e0b20"
            "031c822190841561e8390446227660bbaccf3d53574bfba33bf476e3bdc9eb680aa2a17fd6756f652725"
            "ed0313e5eb0fd6a9c8c949eefbe809a89311bf20f40055ca25fd169dc13ee14b315092fde4184638d849"
            "682fd862",
    },
    {
        .name = "client_DH_inner_data with hash+padding",
        .key = "5ea702f743e850f5546e857f08b7d5337bbaedf9b61248751594851be2e8c297",
        .iv = "1cef8e372a63d97ebfa805c0dbb018bc7c1e0931693fbcb1a1afc0c0a8bbc849",
        .plaintext =
            "1d3d83a956f5ac962d53259934616b5c01ae2d7854b64366406709f612fadfbec3f0289d0aa67eefe11d"
            "bc3bc97d91a26154f932af0199430000000000000000fe000100a215d057bc6648453d68c2f418a38d9d"
            "4f4fa47e5d520ac7ebc2adc3b00075090c10a1e9d96a5dda127317f2ddc165c5f6c8c2854648c106d0d9"
            "df684dae70b0e6021658806245b494b762b1979e8bd597b5cc8e43a80f96ca47fb0765c98d40529f3d94"
            "c82113ae32c603aa24411ef8b330565a1d66ea6b89c9d4f8affeea397c4b247564215d147b6ad0df7f3f"
            "b4499e89e34304531d87448b91967b5bd53093f09386c0f78940c1dd6aa7c8667e15857453e6aad275f9"
            "4cd386468cf49108fb7c54282596a4d0314dce9efed4066a6e072471439aeaaa74157db7dd53f0198298"
            "2534dee8740610ba433bf459b3dfe38674561f31991ce007ba112dda671874876952857ba6aaa495a20d",
        .ciphertext =
            "14d185e575255986c29be3a0437d525ba22430cba0cd755225945ad3a1acefb536518514f5086892e6e3"
            "fa84d1cbb644bc8f7bebcde74e31ba8a073f47623ebb6e7d94b3a676a4c1afd4689c52d05f73d21c33f6"
            "4fe6aeabd04273d9117cd064e467e1f8e6c887bcae4679e0399ad35db1302a80629618f8c8485248d89a"
            "4e3568b464ff7b608cbe24b51eeb81b65d76224b62a1669eaa48a99c122e5e8a778e13dd441dc5217516"
            "0088a498f186a2b99c736fe8c5c3e274d804c629564a0f15ddabc5b449356a7990900652a7432afb1499"
            "c7ce09246f6b29006425df2926465b04f17c0077b6a336a50e46b675ad5607f05818f84eadec1f4847bf"
            "311027e742f8b1e183c01810c4ce964f2a0f36e257849c144c9b0b93b4a7a9e57391db0ccb0d757a2b7a"
            "77257c8ff55553d66b6e1d45e9d8ca88e5a47b16322ff2ed5f5abe099e7006b2d29c829d746b704130b1",
    },
    {
        .name = "one block",
        .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .iv = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        .plaintext = "00000000000000000000000000000000",
        .ciphertext = "5197a15d7aba262b24f8c3a8897f9eeb",
    },
    {
        .name = "two blocks zero iv",
        .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .iv = "0000000000000000000000000000000000000000000000000000000000000000",
        .plaintext = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .ciphertext = "5a6e045708fb7196f02e553d02c3a692c77045e8d1171befd8f3ed7d282eb8b0",
    },
    {
        .name = "four blocks",
        .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .iv = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        .plaintext =
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829"
            "2a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        .ciphertext =
            "42e66e1a756cccf5b27acc47523ad074ee39bf54e3db37bbdf415df6b400fca977f708327c9e9341cc3d"
            "c8efd31e76463daa65b1f0d0252f790d77f1824a662c",
    },
    {
        .name = "repeated plaintext blocks",
        .key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .iv = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
        .plaintext =
            "111111111111111111111111111111111111111111111111111111111111111111111111111111111111"
            "1111111111111111111111111111111111111111111111111111111111111111111111111111",
        .ciphertext =
            "279bd743b970423cf48ed72955c698e72ec2cf1897a43d7e88b186a3f07823b8ab47cf3a679afd9a641f"
            "d7d61d84f49a54f905370800acddd8c94a91106cd90d9e93f3126757b8a8d543a2df5d7f24fb",
    },
    {
        .name = "1 KiB",
        .key = "f32ee177a16c5d55ced82de3bc391b6e80dc2e65944a8c0bbed86700bec7b2c5",
        .iv = "32952e2bbbf1329e82ceda722a53a5b1466d1e01928b6b2fd5f6eb4ecd30b5ab",
        .plaintext =
            "e16d939cb83f3a83ec884ebd426470840c05036aae138676276c0bb164a03c4aa6fc60ff48aa6039886b"
            "e3c1e34dcad2722c4ca65daea9e67ecb9bc82c9c96f7ce776718632dec0ae70373f29b0b299361454bb8"
            "d7d703c08a16d4032e2420aa69df21dd70f3ccc5b9850dcba829192a4663bb922ab92577c14374f61fff"
            "b7d379beeb902600149b5b89c3ecbe805c9eb8084393e30a18555fbfbdca9e880097d505f63df4d1e4cb"
            "e835c461c09bb12feda48556fc0e77aab52fe98d64538f21143d4945d2df821c7f1170c016d3e612058c"
            "a843523ebe2409286e8e763d03c79e7e75af4057a52ca79d49fe60e08bde121a19a098f1121c08f5461c"
            "80f1010b497fb17eccfeb18309aac000187aab9981543a35221756ddcc8dd1a0f6ab40c0338da986be33"
            "84e2391c9a415f66d42e5e9800eb86ab247d64fc43bb3a9342511f0a7906fbccbbcdd93544adf24a9a18"
            "1f1d0c80d299a4e12f2b72a20fd464b84c11c4538313757dc28bdd519d775eb28fed804162ad93853685"
            "9e3189a07e332e132b661ac18a84f1bb05b9d055629918914d6997a787d668dcc0c985c958261e51b524"
            "41550442a8907107835b28e6120c8731dfb2964f78fe098992396433b15471969ec594a5ef965a5c558b"
            "37e2d595c75b70fecd20b5541ce58354b9130b013b3d3f00238b66734162ba82eb3d66599da0cf00d821"
            "1d2d697149494f845ce7606fa217817ee586056fac90eaccb66c6fbf0e0fe5bad3e976479ed355ae2923"
            "4ae7c3aabf9cd78624d62b44bd961fe3d10b6916afcf0b00336177777d25f9e4a6c868169205ce3efa46"
            "81f4809c639e7cc4e0e3a8c002a63a92f15ca0fc1c04366b3194b372946f13b3045cf35fd7a87148893a"
            "e193bd70f90dc557a82834f052ab1af54dde07e6e96a5b156e0f580f547a58a5fd016b72b7a46a4e9a65"
            "488a98fcbc074042f155882c1a998c2816b0a4001b5eb7c5a56545ad54abf5993dd7a5fa611f1aca6dca"
            "500736199bfdfa17b055a0f9cf9741232f276af779715632dcd4b48a7578aeb22a33e51e67bb14572887"
            "567d1f3603191356a0aa22fb3d59632e299bd7007780427c3931f50e3a0ef53cdb9d4a2d6c0aa34f62c2"
            "c7564a8c9299c66e800ea42972493e968a4c2237ca9814d898cd9fe83b87abfb4d4502ceec8534e4ca87"
            "8420cec6e360a392da65b2debbd97922d082522878f8387770c6b49eb7cdcb0f997b12ac84bf1fe219f0"
            "2ad32531f90705110b20d2f8b7164b7f5da02f526fbe1067de388b132239e75b55d8ac54be21e4d01bcd"
            "f804979ac5b13326cd11eea86346c36dfe53068e86af3d4a4e57f1bd98014f8b3f63d08f5ffd9d315e26"
            "ffba8eae35c5e6875addb54285272541c71cebda7b7dc9fd176aba8af028fe6c3ed251bcacae9386cb79"
            "8a1bd48295d97289d62f80ef688ab7a3",
        .ciphertext =
            "884ea7c274088448b4a25c46eab9fa4cdf06703e79f47fdc943f243d9a30955843d6c3f0a6a30bded7fc"
            "8b8e538ddc0c5a3da79975c4cc80bceb6853628c1f4333b801879333ea904a13a4f4b4f75ba85e54180e"
            "6f3e1599a925905a0b27e460b59f27258f60c0208d1ce7c075312d344bbdcec9a99034f01a591a937dc3"
            "9c98b3a50a0216e425fc541f247b268e1508e02a38d2f58ca940d3653e3c4f7789ad03f431a32a6c5dc9"
            "f88c5b3cc98486980658ca058d379d7089255e5b5c9d0afb71cf1b8d2688928b9d9c5c391c9c1f393d70"
            "1fba97ab481683efe4082b2c76b5b42416c05dedb82f0ebe9bb33498d3f4ef316f60cc325fdee9436dab"
            "e1657aa7449570f6114a11cae821b33d1317c45fc2e7f5fbc03804e0b674772a64ae94d27493ffd74d14"
            "52a5d33d3ae4692fbbcce1ca6e315a3d93d0794b0ce9180938fe95bbbe663564e2c103035fba0f573926"
            "d312ba64aac6a86edb2a818538cb6a94c8f2236003d6046165a9b41c86f6961848a62358dfe102df4580"
            "01f9ea4151ce6009e8a73c5e8af8f1b887da4bbc851cc234d34e3649ad14fbf51bf2b48ee791f740ee28"
            "f3c1f98237dba69798a1f73d86f51abb8cc0a689cd665f3b57120f85d1f2a0b4df9ceb07d653f84287cb"
            "0141b99247b7fc565e21a5f6b4366d6402678be25237efc66b094e66e1a97b3d909d91a11772b03ea05b"
            "d62da7233c28de59b7b0d0ca29a6ed0089ebcc189ac82f1e63bb0d696cba75359021bab7aa78ba4eec5d"
            "adc5b2d0c587180798359e868a3b86a618b125cf192e42e5a42d9f5880aefd314695b1299ee2acb50b34"
            "a4b973892baae81a4bd07120c25c4d50545c0e8ff387344abac940e2297510b9b627f5843183676d554c"
            "f9ce57daaf82907dade2417697897357b65c4ba940736202a045d12d265f7c639e780c3fdbd7bf2beb4d"
            "7e650bd48d01f8cc0b51b5fd28f74a029f8b024173962c11a4c8991706f88545600d2cfaf6e6c96ef26e"
            "ed31baec4fedd21b7e7ae937bab95becab00543153e79a52f6190d3b988978ab56aab06c2668541b927d"
            "0b8961c0fe92fca66de17edc166322b89adfbb2a5fee9113dd0ae1da62a20772686994960c80b661fa58"
            "0d3643b35f0d90d5b9fa11d57465372b1f435fc5431656e1725eee6d8cf9318d86f7b34f7ceb32851dd4"
            "67f4f0da24b7f86612de527bb9839c12bb4cec3a3adf4360a985041db8c1014e5414871d5bd6ba6173e4"
            "cfb0ba9477e49e8cad2162521644957604480c5fb30d5b2714cba58aef34b60884d6c1fa649cb34eb2f2"
            "66bd1d6483d8c71a42f9e255d8898814dcc7922216eff5fef129713f81dabd73125a3a907c8c07335c67"
            "2cd41f2bf83553507272cac329b0adff0cdf0d31ffd2b4592d2f726aa27539f430390ea2cb50b4b4bf42"
            "36f7fb78c3c8fab589b14256288f8c04",
    },
};

struct vector_pq {
    uint64_t pq;
    uint64_t p;
    uint64_t q;
    const char *p_bytes;
    const char *q_bytes;
};

static const struct vector_pq vectors_pq[] = {
    {2694724800268887959U, 1513098571U, 1780931429U, "5a300d4b", "6a26db65"},
    {1724114033281923457U, 1229739323U, 1402015859U, "494c553b", "53911073"},
    {378221U, 613U, 617U, "0265", "0269"},
    {15U, 3U, 5U, "03", "05"},
    {4611685975477714963U, 2147483629U, 2147483647U, "7fffffed", "7fffffff"},
    {9223372073361997769U, 2147483659U, 4294967291U, "8000000b", "fffffffb"},
    {18446743979220271189U, 4294967279U, 4294967291U, "ffffffef", "fffffffb"},
    {6917529027641081853U, 3U, 2305843009213693951U, "03", "1fffffffffffffff"},
    {4611756387170189291U, 65537U, 70368744177643U, "010001", "3fffffffffeb"},
    {9223372052960903141U, 1073741827U, 8589934583U, "40000003", "01fffffff7"},
    {4000000035000000049U, 1000000007U, 4000000007U, "3b9aca07", "ee6b2807"},
    {9000027000059000177U, 1000003U, 9000000000059U, "0f4243", "082f79cd903b"},
};

/* Keys of Telegram's servers, current and retired. */
struct vector_fingerprint {
    const char *modulus;
    const char *exponent;
    uint64_t fingerprint;
};

static const struct vector_fingerprint vectors_fingerprint[] = {
    {
        .modulus =
            "c8c11d635691fac091dd9489aedced2932aa8a0bcefef05fa800892d9b52ed03200865c9e97211cb2ee6"
            "c7ae96d3fb0e15aeffd66019b44a08a240cfdd2868a85e1f54d6fa5deaa041f6941ddf302690d61dc476"
            "385c2fa655142353cb4e4b59f6e5b6584db76fe8b1370263246c010c93d011014113ebdf987d093f9d37"
            "c2be48352d69a1683f8f6e6c2167983c761e3ab169fde5daaa12123fa1beab621e4da5935e9c198f82f3"
            "5eae583a99386d8110ea6bd1abb0f568759f62694419ea5f69847c43462abef858b4cb5edc84e7b9226c"
            "d7bd7e183aa974a712c079dde85b9dc063b8a5c08e8f859c0ee5dcd824c7807f20153361a7f63cfd2a43"
            "3a1be7f5",
        .exponent = "010001",
        .fingerprint = 0xb25898df208d2603U,
    },
    {
        .modulus =
            "e8bb3305c0b52c6cf2afdf7637313489e63e05268e5badb601af417786472e5f93b85438968e20e6729a"
            "301c0afc121bf7151f834436f7fda680847a66bf64accec78ee21c0b316f0edafe2f41908da7bd1f4a51"
            "07638eeb67040ace472a14f90d9f7c2b7def99688ba3073adb5750bb02964902a359fe745d8170e36876"
            "d4fd8a5d41b2a76cbff9a13267eb9580b2d06d10357448d20d9da2191cb5d8c93982961cdfdeda629e37"
            "f1fb09a0722027696032fe61ed663db7a37f6f263d370f69db53a0dc0a1748bdaaff6209d5645485e6e0"
            "01d1953255757e4b8e42813347b11da6ab500fd0ace7e6dfa3736199ccaf9397ed0745a427dcfa6cd67b"
            "cb1acff3",
        .exponent = "010001",
        .fingerprint = 0xd09d1d85de64fd85U,
    },
    {
        .modulus =
            "aeec36c8ffc109cb099624685b97815415657bd76d8c9c3e398103d7ad16c9bba6f525ed0412d7ae2c2d"
            "e2b44e77d72cbf4b7438709a4e646a05c43427c7f184debf72947519680e651500890c6832796dd11f77"
            "2c25ff8f576755afe055b0a3752c696eb7d8da0d8be1faf38c9bdd97ce0a77d3916230c4032167100edd"
            "0f9e7a3a9b602d04367b689536af0d64b613ccba7962939d3b57682beb6dae5b608130b2e52aca78ba02"
            "3cf6ce806b1dc49c72cf928a7199d22e3d7ac84e47bc9427d0236945d10dbd15177bab413fbf0edfda09"
            "f014c7a7da088dde9759702ca760af2b8e4e97cc055c617bd74c3d97008635b98dc4d621b4891da9fb04"
            "73047927",
        .exponent = "010001",
        .fingerprint = 0x0bc35f3509f7b7a5U,
    },
    {
        .modulus =
            "bdf2c77d81f6afd47bd30f29ac76e55adfe70e487e5e48297e5a9055c9c07d2b93b4ed3994d3eca5098b"
            "f18d978d54f8b7c713eb10247607e69af9ef44f38e28f8b439f257a11572945cc0406fe3f37bb92b7911"
            "2db69eedf2dc71584a661638ea5becb9e23585074b80d57d9f5710dd30d2da940e0ada2f1b878397dc1a"
            "72b5ce2531b6f7dd158e09c828d03450ca0ff8a174deacebcaa22dde84ef66ad370f259d18af80663801"
            "2da0ca4a70baa83d9c158f3552bc9158e69bf332a45809e1c36905a5caa12348dd57941a482131be7b23"
            "55a5f4635374f3bd3ddf5ff925bf4809ee27c1e67d9120c5fe08a9de458b1b4a3c5d0a428437f2beca81"
            "f4e2d5ff",
        .exponent = "010001",
        .fingerprint = 0x15ae5fa8b5529542U,
    },
    {
        .modulus =
            "b3f762b739be98f343eb1921cf0148cfa27ff7af02b6471213fed9daa0098976e667750324f1abcea4c3"
            "1e43b7d11f1579133f2b3d9fe27474e462058884e5e1b123be9cbbc6a443b2925c08520e7325e6f1a6d5"
            "0e117eb61ea49d2534c8bb4d2ae4153fabe832b9edf4c5755fdd8b19940b81d1d96cf433d19e6a22968a"
            "85dc80f0312f596bd2530c1cfb28b5fe019ac9bc25cd9c2a5d8a0f3a1c0c79bcca524d315b5e21b5c26b"
            "46babe3d75d06d1cd33329ec782a0f22891ed1db42a1d6c0dea431428bc4d7aabdcf3e0eb6fda4e23eb7"
            "733e7727e9a1915580796c55188d2596d2665ad1182ba7abf15aaa5a8b779ea996317a20ae044b820bff"
            "35b6e8a1",
        .exponent = "010001",
        .fingerprint = 0xaeae98e13cd7f94fU,
    },
    {
        .modulus =
            "be6a71558ee577ff03023cfa17aab4e6c86383cff8a7ad38edb9fafe6f323f2d5106cbc8cafb83b869cf"
            "fd1ccf121cd743d509e589e68765c96601e813dc5b9dfc4be415c7a6526132d0035ca33d6d6075d4f535"
            "122a1cdfe017041f1088d1419f65c8e5490ee613e16dbf662698c0f54870f0475fa893fc41eb55b08ff1"
            "ac211bc045ded31be27d12c96d8d3cfc6a7ae8aa50bf2ee0f30ed507cc2581e3dec56de94f5dc0a7abee"
            "0be990b893f2887bd2c6310a1e0a9e3e38bd34fded2541508dc102a9c9b4c95effd9dd2dfe96c29be647"
            "d6c69d66ca500843cfaed6e440196f1dbe0e2e22163c61ca48c79116fa77216726749a976a1c4b0944b5"
            "121e8c01",
        .exponent = "010001",
        .fingerprint = 0x5a181b2235057d98U,
    },
    {
        .modulus =
            "c150023e2f70db7985ded064759cfecf0af328e69a41daf4d6f01b538135a6f91f8f8b2a0ec9ba9720ce"
            "352efcf6c5680ffc424bd634864902de0b4bd6d49f4e580230e3ae97d95c8b19442b3c0a10d8f5633fec"
            "edd6926a7f6dab0ddb7d457f9ea81b8465fcd6fffeed114011df91c059caedaf97625f6c96ecc7472555"
            "6934ef781d866b34f011fce4d835a090196e9a5f0e4449af7eb697ddb9076494ca5f81104a305b6dd276"
            "65722c46b60e5df680fb16b210607ef217652e60236c255f6a28315f4083a96791d7214bf64c1df4fd0d"
            "b1944fb26a2a57031b32eee64ad15a8ba68885cde74a5bfc920f6abf59ba5c75506373e7130f9042da92"
            "2179251f",
        .exponent = "010001",
        .fingerprint = 0xc3b42b026ce86b21U,
    },
    {
        .modulus =
            "c6aeda78b02a251db4b6441031f467fa871faed32526c436524b1fb3b5dca28efb8c089dd1b46d92c895"
            "993d87108254951c5f001a0f055f3063dcd14d431a300eb9e29517e359a1c9537e5e87ab1b116faecf5d"
            "17546ebc21db234d9d336a693efcb2b6fbcca1e7d1a0be414dca408a11609b9c4269a920b09fed1f9a15"
            "97be02761430f09e4bc48fcafbe289054c99dba51b6b5eb7d9c3a2ab4e490545b4676bd620e93804bcac"
            "93bf94f73f92c729ca899477ff17625ef14a934d51dc11d5f8650a3364586b3a52fcff2fedec8a8406ca"
            "c4e751705a472e55707e3c8cd5594342b119c6c3293532d85dbe9271ed54a2fd18b4dc79c04a30951107"
            "d5639397",
        .exponent = "010001",
        .fingerprint = 0x9a996a1db11c729bU,
    },
    {
        .modulus =
            "b1066749655935f0a5936f517034c943bea7f3365a8931ae52c8bcb14856f004b83d26cf2839be0f2260"
            "7470d67481771c1ce5ec31de16b20bbaa4ecd2f7d2ecf6b6356f27501c226984263edc046b89fb6d3981"
            "546b01d7bd34fedcfcc1058e2d494bda732ff813e50e1c6ae249890b225f82b22b1e55fcb063dc3c0e18"
            "e91c28d0c4aa627dec8353eee6038a95a4fd1ca984eb09f94aeb7a2220635a8ceb450ea7e61d915cdb4e"
            "ecedaa083aa3801daf071855ec1fb38516cb6c2996d2d60c0ecbcfa57e4cf1fb0ed39b2f37e94ab4202e"
            "cf595e167b3ca62669a6da520859fb6d6c6203dfdfc79c75ec3ee97da8774b2da903e3435f2cd294670a"
            "75a526c1",
        .exponent = "010001",
        .fingerprint = 0xb05b2a6f70cdea78U,
    },
    {
        .modulus =
            "c2a8c55b4a62e2b78a19b91cf692bcdc4ba7c23fe4d06f194e2a0c30f6d9996f7d1a2bcc89bc1ac4333d"
            "44359a6c433252d1a8402d9970378b5912b75bc8cc3fa76710a025bcb9032df0b87d7607cc53b928712a"
            "174ea2a80a8176623588119d42ffce40205c6d72160860d8d80b22a8b8651907cf388effbef29cd7cf2b"
            "4eb8a872052da1351cfe7fec214ce48304ea472bd66329d60115b3420d08f6894b0410b6ab9450249967"
            "617670c932f7cbdb5d6fbcce1e492c595f483109999b2661fcdeec31b196429b7834c7211a93c6789d9e"
            "e601c18c39e521fda9d7264e61e518add6f0712d2d5228204b851e13c4f322e5c5431c3b7f3108966848"
            "6aadc59f",
        .exponent = "010001",
        .fingerprint = 0x71e025b6c76033e3U,
    },
};

/* A key pair that exists for tests only. */
static const char vector_rsa_private_pem[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpAIBAAKCAQEAjdfGNVGpuW4lQTj+vSoiJYZbW1Pb/ZgI3tFZWER6sny2dDYW\n"
    "SVYkihtzD/erA8LNKlPH+4+bfMLAGWx1eWakrmzTmddhFrPxnUbS8lxDZRVEhovy\n"
    "hd69RAGuW+jI9xAVAQT+N8gx5TviNBsEiQacZGJtfj7VuUWCUSkP/9ldn2xge7EF\n"
    "ZRW6sB4xyVTRD+QcpTqXvdEdw2LpoVfAwkjnYDd3njQy/G5NohwO3R9vt5+NwnHt\n"
    "6km1EjI6kkK7MUuCGhtayoXoboSJLhe/+bu4M+7/F2/WpeEW2YQg/QpFSckuK8Tf\n"
    "hMkG5vqTriOmoBpksDODxAWpRkNPlzIc0/ZUJwIDAQABAoIBABD39sIggQWUu903\n"
    "ycsXKXBEHgATd1Zjo/AFVcMS/NCxzbaiVSaJ08430XCKvZ6HZTmX6JfbdWDxVWoq\n"
    "iPUwhn6dY0UHY0SEMLaS0fU6J2Uw1vqiRFhSg2GJh/J+gIgvQtaqjRUJnI/NYFbB\n"
    "GAOifal0AvWe47zfKA4N3lhKXde5QZqqg5gIj/Vyqi+EG0E8GACMTMFtOuX0QkyR\n"
    "+xmBChRNaCAbBX4WLtzqtPZjwVHARHeqd5pHklcMQh3tOkicccqfzFgWr1jvYjzB\n"
    "f7PGPOzv793sM542JDDFw24Wl0WxjPBCYvIZ6z4HUN+NzXHoT5NHXEn22XJbR3k4\n"
    "ANIAJUECgYEAxP3afkLJowEEsziiGtITuwZmuuxNQi6DbKiNtlAdpHu4en1mEWJA\n"
    "zLx7hngpWKrhxhSI9ZWPxmSRiEbw4raryhNYpCQrQkSSwM1KjERNMGx2rt1sjSex\n"
    "5+k3k3P0q+O+BWCi6NthOXfDpVBW82aV0CXQCGd38/DgkK4j80W902cCgYEAuFTh\n"
    "9AGc0JrZ4LZbxukFTvtvqKuurRhJx5lU7tgmD7h4YQh5cbNPE8T+hAQMImsESoUB\n"
    "EzZOD7PDXi5eGYcchlq+uFRlTSC30xgszHEvUHc9/eSPMhmux/eAGVHV/G9RNIst\n"
    "htKE7DBxphKnw84jPnzfY9SReMG1QMCo35elwUECgYEAlYn3UR22H41oWfzF4gJT\n"
    "hAgp9//l7jWNAvE5Eori1bgtpJ6I2u1xL3ptcvjIukyOM2XnSjaM/Bff+kmQFyqA\n"
    "YlgpVAE47YdMuBufWbeHuRi9R6VDACx/+wKpc7/0nn+2AjMHuCjBN3TZCidgukjH\n"
    "tUjfEWIqRv42Gt523/ezUEUCgYEAhBWG56L0LGKZtzTU5N56yFLRewqymyQpUhZk\n"
    "TtWhyGgGEnnRFBFJm7/wJMcFrvACXieaUpr6KrRETUtqcF5pqTiDK3CGOlM0hdXv\n"
    "2/tKzRz01eaeWWcf3/hQ2VPTwxQ9GyqTz+UwDFLWTQtXHa6rgI5YQJ/EMcSUTbcA\n"
    "C2AODUECgYBRGcIS6qhBDOY9nwPeikLIkY3xO1EVA1vwrAk4wxZRlv3SGVa4PstT\n"
    "SThV+fN8dplMhLm+Di+lQSfK/qWAwUdzmfjCFKQ2tG4xwQrjPuo/HpBG09X754s+\n"
    "GwrbY1C3xuvoqFjIYpF8GV75qHfZu2zVSijOHwPTarqkCWa2IjYKmg==\n"
    "-----END RSA PRIVATE KEY-----\n";

static const char vector_rsa_public_pem[] =
    "-----BEGIN RSA PUBLIC KEY-----\n"
    "MIIBCgKCAQEAjdfGNVGpuW4lQTj+vSoiJYZbW1Pb/ZgI3tFZWER6sny2dDYWSVYk\n"
    "ihtzD/erA8LNKlPH+4+bfMLAGWx1eWakrmzTmddhFrPxnUbS8lxDZRVEhovyhd69\n"
    "RAGuW+jI9xAVAQT+N8gx5TviNBsEiQacZGJtfj7VuUWCUSkP/9ldn2xge7EFZRW6\n"
    "sB4xyVTRD+QcpTqXvdEdw2LpoVfAwkjnYDd3njQy/G5NohwO3R9vt5+NwnHt6km1\n"
    "EjI6kkK7MUuCGhtayoXoboSJLhe/+bu4M+7/F2/WpeEW2YQg/QpFSckuK8TfhMkG\n"
    "5vqTriOmoBpksDODxAWpRkNPlzIc0/ZUJwIDAQAB\n"
    "-----END RSA PUBLIC KEY-----\n";

#define VECTOR_RSA_FINGERPRINT 0x9f04b4362311a9a0U

/* In both runs the first temporary key gives a block that is not below the modulus. */
struct vector_rsa_pad {
    const char *name;
    const char *data;
    const char *padding;
    const char *temp_key_refused;
    const char *temp_key;
    const char *block;
    const char *encrypted;
};

static const struct vector_rsa_pad vectors_rsa_pad[] = {
    {
        .name = "p_q_inner_data_dc",
        .data =
            "955ff5a908256595edb7766797000000045a300d4b000000046a26db65000000406709f612fadfbec3f0"
            "289d0aa67eefe11dbc3bc97d91a26154f932af019943a8bbc849512dac6c67b6efd9157d6ca7377a1776"
            "307d84265c6be9bdcf802ac102000000",
        .padding =
            "d944bb8347c876177fe03c2562bf4e87258ef147a7815d8853aa4b1065a5a385d0da7e0b6100faf55728"
            "d04dfc84e7e0d20006e07e1cb036730f5b3209cf85b2365b39de2cbc56f40b725ad347835e5d1973567e"
            "ce8a02cf343d54f7",
        .temp_key_refused = "f36d931727fb7b4fa3204684344b22b7c91d07046926463c7b6917cbce73e2ab",
        .temp_key = "513fdca6f5b53fa908e22f2042b1e8e20ede1a44a198d9cdb30f87d7971d4064",
        .block =
            "7d46d1930552fe73cf81a7a195a488f6d1a2b4285f9cb59e57961ca20841ec8c196bbfb01a0c47377e32"
            "435efbdfb23ef663fd0630c3685376ebc1752cf6002d98193a7a8a3e3d4d6e1fb56ece3841355c12e679"
            "392747add74a50886ca6ccbd0e6ddd6cc8b541181675b13855a716b58f1a1fb59679c379c399e0c725f7"
            "78e6a1d497d2b8f6bd4a87a75598ae6862e4e2ba2988131f3cb0250dfa10bcc17e2a7742b54fb67a06a3"
            "9b960f66f361092de8de0cffc92f8a1ea391425df2da0ff58d1cbaf5987202a6080baf257b15c3692cde"
            "0022a98ba8f94ee1841b0e7d839158ad5b93120b3d3f196a9e8156d1d35309add37a06a176d495d63d92"
            "9b3e6569",
        .encrypted =
            "7951a933b3a6f7e6c290dd6d16f712a77c67dfc751d84b2cac0396d4c19100563641c83502e563936bbf"
            "1003959bab27928ecbec85c7d449734b72e020f561b9dbd9078c93e21d79fd149308fea4f2d3fa07a428"
            "00c65254d2c302ead118e4cea3c9c7ef3f95e609433ca0cd46a1f6e8ca468ca7db8e478f038eed4144b3"
            "550c1260659f608f061df0834fb9c90dd0c01a955f31ec93951ef663cd697025ebba827828052ee28430"
            "3a6419ec3eb84dbf406fecb86aa9c7b7eb21656fc0b22ab3b188f19dda80062d8c8f11391e5ed4d468aa"
            "452e266bc376323d0a8ce23eb62cd00514e707618d569868634e1cfc9ea8ab2c70acfd732f15083f41bf"
            "6a4512cb",
    },
    {
        .name = "p_q_inner_data_temp_dc",
        .data =
            "88dffd5608256595edb7766797000000045a300d4b000000046a26db65000000406709f612fadfbec3f0"
            "289d0aa67eefe11dbc3bc97d91a26154f932af019943a8bbc849512dac6c67b6efd9157d6ca7377a1776"
            "307d84265c6be9bdcf802ac10200000080510100",
        .padding =
            "71d5c8debf0955be70caeebe9a96bc41d6d51b3175a579f26a8f1ad9bc9b7119b18216e3b5d87351b0e9"
            "e64755200361e035f9a4eba537c2ad8a7dc7532c1e9afa5766c7ccb50a343b93f7c093c002c050c2e3ef"
            "4d33a26c",
        .temp_key_refused = "12275dc2e7ccd243a34608478473267b2cfc4362d85b83a88892ff4c9e40bd76",
        .temp_key = "61ed56bc5131d5f6624ab4af1d16d67e0ac00af5cb236fe69e5f18da849c9743",
        .block =
            "3d5326051fbcf9eee04857f77db9c3a7e22287997bcc462b570e4297ac18852a1fe818026aaad57de981"
            "e24f917895b28e70be786a58e14fb8dc1bd4ed81f5060bc4352ac7d1554cdfda12b31ca1ed0e966b4c64"
            "646b469471789626ca15e688241cc464446e715246c0f84aaa642acf3f89844dc9afe3c176947d06f720"
            "d87c10a4b5ce56cfe33f9f2b1a43cde2b48e46053780066960412dc2f0ef9e3a0b5ea0bc0e23f666a4a0"
            "02cdb0708ca0f49da94c7795462cdeaace545095b76a96c34d068197400b042f29efbc1590b80b4ef361"
            "8698e0baf3a2020e8654d910b06c5a2c65de7a268191f9911ca2f4f33a42e8eab5bd2f582e9bdb72246d"
            "813bc111",
        .encrypted =
            "8a1fc09b7b5c5fc5b1277dabcc3b276077a26680ef31915153117d0e1d6750e0a81b754e18eb95c61a30"
            "814c0522cfbc9e3cb646b12dece56c3326e6565e76dc04de8bd90ecd044f52a57b35b5f90481940b0345"
            "e559c51c7d99755f431200658f2d4f6a3a651ae1dd12302724910488de1928d9d19e626e9bca5bf41b22"
            "a30a15a5f7ffb7b387f98569d86e77ab940e083b8cfec8988ee2f261cbc133b4f100a1907c89e79b0fc0"
            "4bcff0109c960df85b81424cd2e3460f7816357496066610e323641a9ed3763599a76a134df96d90017c"
            "45eb237840ce727f7747bad0614c949621b686015f58f563bc59108cfa8088744dd14c4fc4145a8c5288"
            "7db7f2ba",
    },
};

#endif
