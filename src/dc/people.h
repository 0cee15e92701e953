/*
 * dc/people.h - persons: who may sign in by phone, the codes that are on their way, their two-step
 * passwords and log-out tokens. In memory, as long as the server runs. A person is here from the
 * first time that the phone is asked for; the model knows who has signed in.
 */
#ifndef GAP_DC_PEOPLE_H
#define GAP_DC_PEOPLE_H

#include "base/map.h"
#include "crypto/srp.h"
#include "dc/limits.h"
#include "dc/model.h"

#include <sys/queue.h>

#define GAP_DC_PHONE_DIGITS   10 /* 99966XYYYY */
#define GAP_DC_CODE_DIGITS    5  /* XXXXX */
#define GAP_DC_CODE_HASH      18 /* characters of a phone_code_hash */
#define GAP_DC_TOKEN_BYTES    32
#define GAP_DC_SALT_NEW_BYTES 8  /* what the server gives of salt1; the client adds 32 */
#define GAP_DC_SALT1_BYTES    64 /* room; a longer one is refused */
#define GAP_DC_SALT2_BYTES    16

/** How a code was sent. Each is followed by the next, the last by nothing. */
typedef enum gap_dc_way_of_code {
    GAP_DC_CODE_APP,
    GAP_DC_CODE_SMS,
    GAP_DC_CODE_CALL
} gap_dc_way_of_code_t;

/** A code that one key waits for. */
typedef struct gap_dc_code {
    TAILQ_ENTRY(gap_dc_code) link;
    int64_t key_id;
    char hash[GAP_DC_CODE_HASH + 1];
    uint64_t dead_us;  /* good until then */
    uint64_t again_us; /* may be sent again from then on */
    gap_dc_way_of_code_t way;
    uint32_t wrong;   /* tries */
    bool missed_call; /* the client can read it from the number that calls */
    bool is_right;    /* it was told; the account is still to be made */
} gap_dc_code_t;

/** What the server keeps of a password. */
typedef struct gap_dc_password {
    bool is_set;
    uint32_t version; /* counts its changes */
    uint8_t v[GAP_DH_BYTES];
    uint8_t salt1[GAP_DC_SALT1_BYTES];
    size_t salt1_len;
    char hint[GAP_DC_HINT_BYTES + 1];
} gap_dc_password_t;

/** One answer of account.getPassword; good for one try. */
typedef struct gap_dc_srp {
    TAILQ_ENTRY(gap_dc_srp) link;
    int64_t id;
    uint32_t version; /* of the password that it is for */
    uint8_t b[GAP_DH_BYTES];
} gap_dc_srp_t;

/** Lets a client sign in again without a code. */
typedef struct gap_dc_token {
    TAILQ_ENTRY(gap_dc_token) link;
    uint8_t bytes[GAP_DC_TOKEN_BYTES];
} gap_dc_token_t;

TAILQ_HEAD(gap_dc_codes, gap_dc_code);
TAILQ_HEAD(gap_dc_srps, gap_dc_srp);
TAILQ_HEAD(gap_dc_tokens, gap_dc_token);

typedef struct gap_dc_person {
    TAILQ_ENTRY(gap_dc_person) link;
    int64_t id; /* of the user */
    char phone[GAP_DC_PHONE_DIGITS + 1];
    bool has_account;
    char first_name[GAP_DC_NAME_BYTES + 1];
    char last_name[GAP_DC_NAME_BYTES + 1];
    gap_dc_password_t password;
    struct gap_dc_codes codes; /* oldest first */
    uint32_t code_count;
    struct gap_dc_srps srps; /* oldest first */
    uint32_t srp_count;
    struct gap_dc_tokens tokens; /* oldest first */
    uint32_t token_count;
} gap_dc_person_t;

TAILQ_HEAD(gap_dc_person_list, gap_dc_person);

typedef struct gap_dc_people {
    const gap_alloc_t *alloc;
    const gap_random_t *random;
    gap_map_t by_id;
    struct gap_dc_person_list list;
    uint8_t salt1[GAP_DC_SALT_NEW_BYTES]; /* of all passwords to come */
    uint8_t salt2[GAP_DC_SALT2_BYTES];    /* of all passwords */
    gap_dc_password_t password;           /* that of a new person */
} gap_dc_people_t;

/** @param random Pinned. */
void gap_dc_people_init(gap_dc_people_t *t, const gap_alloc_t *alloc, const gap_random_t *random);
/** Draw the salts and take over the password of every person. Slow if there is one.
 * @param password NULL: none. @return 0; GAP_E_LIBCRYPTO; what random returned. */
GAP_NODISCARD int gap_dc_people_open(gap_dc_people_t *t, const char *password);
/** Wipe and free. Safe twice. */
void gap_dc_people_fini(gap_dc_people_t *t);

/**
 * Read a phone number: digits, perhaps with a plus, blanks, hyphens or brackets between them.
 * @return true: it is one of those that can sign in, 99966XYYYY; its digits are in @p out.
 */
bool gap_dc_phone_read(gap_bytes_t text, char out[GAP_DC_PHONE_DIGITS + 1]);
/** The user id of the person with such a phone. */
int64_t gap_dc_phone_user(const char phone[GAP_DC_PHONE_DIGITS + 1]);

/** The person with this phone (of those that gap_dc_phone_read lets through), made if need be.
 * @return 0; GAP_E_LIMIT GAP_DC_PEOPLE_MAX; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_person_get(gap_dc_people_t *t, const char *phone, gap_dc_person_t **out);
/** The same by user id. @return as above; GAP_E_ARGUMENT no person has such an id. */
GAP_NODISCARD int gap_dc_person_by_id(gap_dc_people_t *t, int64_t id, gap_dc_person_t **out);
/** What others see of a person; views. */
dc_person_t gap_dc_person_names(const gap_dc_person_t *p);
/** @return the person with this user id if it was asked for before, or NULL. */
gap_dc_person_t *gap_dc_person_find(const gap_dc_people_t *t, int64_t id);

/** Send a code: the key's earlier one is replaced.
 * @return 0; GAP_E_NOMEM; what random returned. */
GAP_NODISCARD int gap_dc_code_send(gap_dc_people_t *t, gap_dc_person_t *p, int64_t key_id,
                                   gap_dc_code_t **out);
/** @return the code that this key waits for and that has this hash, or NULL. */
gap_dc_code_t *gap_dc_code_find(const gap_dc_person_t *p, int64_t key_id, gap_bytes_t hash);
void gap_dc_code_drop(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_code_t *code);
/** Is this the code that was sent to the phone? */
bool gap_dc_code_is(const gap_dc_person_t *p, gap_bytes_t code);

/** A new log-out token. @return 0; GAP_E_NOMEM; what random returned. */
GAP_NODISCARD int gap_dc_token_new(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_token_t **out);
/** Use a token up. @return false: the person has no such token. */
bool gap_dc_token_take(gap_dc_people_t *t, gap_dc_person_t *p, gap_bytes_t bytes);

/** The parameters of a password; views into both. */
gap_srp_algo_t gap_dc_password_algo(const gap_dc_people_t *t, const gap_dc_password_t *password);
/** Set a password from its text, or with NULL remove it. Slow. @return 0; GAP_E_LIBCRYPTO; what
 * random returned. */
GAP_NODISCARD int gap_dc_password_set(gap_dc_people_t *t, gap_dc_password_t *password,
                                      const char *text);
/** A new srp_id with its secret. @return 0; GAP_E_NOMEM; what random returned. */
GAP_NODISCARD int gap_dc_srp_new(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_srp_t **out);
/** Take the srp_id out of the person's; the caller wipes and frees it. @return NULL: no such. */
gap_dc_srp_t *gap_dc_srp_take(gap_dc_person_t *p, int64_t id);
void gap_dc_srp_free(gap_dc_people_t *t, gap_dc_srp_t *srp);

#endif
