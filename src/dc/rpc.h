/* dc/rpc.h - what the parts that answer API calls share. */
#ifndef GAP_DC_RPC_H
#define GAP_DC_RPC_H

#include "dc/server.h"
#include "tl/tl.h"

/** What initConnection says. Views. */
typedef struct gap_dc_device_words {
    int32_t api_id;
    gap_bytes_t model;
    gap_bytes_t system;
    gap_bytes_t app;
} gap_dc_device_words_t;

/** A call taken out of its wrappers. */
typedef struct gap_dc_query {
    gap_bytes_t method;              /* the method itself, its id in front */
    uint32_t id;                     /* of the method */
    int32_t layer;                   /* invokeWithLayer; 0: not there */
    bool has_init;                   /* initConnection was there, */
    gap_dc_device_words_t device;    /* and this is what it said */
    bool no_updates;                 /* invokeWithoutUpdates was there */
    int64_t after[GAP_DC_AFTER_MAX]; /* invokeAfterMsg(s): queries that must have succeeded */
    uint32_t after_count;
} gap_dc_query_t;

/** An rpc_error. */
typedef struct gap_dc_error {
    int32_t code;
    const char *text;
} gap_dc_error_t;

#define GAP_DC_IS_ERROR 3

/**
 * Take a call out of invokeWithLayer, initConnection and their kind. Pure.
 * @param inflated  A packed query inside goes here; one reference is the caller's if not NULL.
 * @return 0; GAP_DC_IS_ERROR with *error; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_unwrap(gap_bytes_t query, gap_gzip_t *zip, gap_dc_query_t *out,
                                gap_packet_t **inflated, gap_dc_error_t *error);

/** The id before the colon of a bot's token ID:SECRET, or 0 if it isn't one. */
int64_t gap_dc_token_id(gap_bytes_t token);

/**
 * Answer help.* calls that every client makes.
 * @param layer  In which to answer.
 * @param out  Appended to.
 * @return 0; DC_NOT_MINE; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_help(const gap_dc_t *dc, const gap_dc_query_t *q, int32_t layer,
                              gap_buf_t *out);

/**
 * Answer what clients ask beside updates: texts of the interface and the like.
 * @param out Appended to.
 * @return 0; DC_NOT_MINE; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_more(const gap_dc_query_t *q, gap_buf_t *out);

/** A call that has to do with who is signed in. */
typedef struct gap_dc_ask {
    gap_dc_t *dc;
    gap_dc_key_t *key;
    const gap_dc_query_t *q;
    gap_buf_t *out;        /* the result is appended */
    gap_dc_error_t *error; /* or this is set */
} gap_dc_ask_t;

/** Answer with an error. @param text Static. @return GAP_DC_IS_ERROR. */
static inline int gap_dc_refuse(gap_dc_ask_t *a, int32_t code, const char *text)
{
    a->error->code = code;
    a->error->text = text;
    return GAP_DC_IS_ERROR;
}

/* Each returns 0 answered; GAP_DC_IS_ERROR, set; DC_NOT_MINE; negative. */

/** Codes, signing in and up by phone, logging out (sign_in.c). */
GAP_NODISCARD int gap_dc_sign_in_call(gap_dc_ask_t *a);
/** Two-step passwords (password.c). */
GAP_NODISCARD int gap_dc_password_call(gap_dc_ask_t *a);
/** The sign-ins of an account (devices.c). */
GAP_NODISCARD int gap_dc_device_call(gap_dc_ask_t *a);

/** Sign the key in as this person and answer auth.authorization. @return as above. */
GAP_NODISCARD int gap_dc_person_enter(gap_dc_ask_t *a, gap_dc_person_t *p);
/** Append the auth.authorization of who is signed in. @return 0; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_put_authorization(gap_dc_t *dc, const gap_dc_key_t *key, gap_buf_t *out);
/** Remember what the client says about itself. */
void gap_dc_device_note(gap_dc_key_t *key, const gap_dc_device_words_t *words);

/** Answer what a data centre is asked by those who live elsewhere: pieces of files, graphs.
 * @param out Appended to. @return 0; GAP_DC_IS_ERROR with *error; DC_NOT_MINE; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_files(const gap_dc_t *dc, const gap_dc_query_t *q, gap_buf_t *out,
                               gap_dc_error_t *error);

/** Append an object to be written. @return 0, GAP_E_NOMEM, as gap_tl_size. */
GAP_NODISCARD int gap_dc_put_object(gap_buf_t *out, gap_tl_object_t object);

#endif
