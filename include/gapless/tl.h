/*
 * gapless/tl.h - reading, writing, skipping, comparing and printing TL objects.
 *
 * The generated header <gapless/tl_api.h> has, for every combinator of the API schema (layer
 * GAP_TL_LAYER), a constant and a plain struct: `updateNewMessage` becomes
 * GAP_TL_UPDATE_NEW_MESSAGE and gap_tl_update_new_message_t, `messages.sendMessage` becomes
 * GAP_TL_MESSAGES_SEND_MESSAGE and gap_tl_messages_send_message_t (namespaces and camel case become
 * underscores; a name that is a keyword of C or C++ gets a trailing underscore). Generated
 * structs are promised per layer, not across layers. <gapless/tl_mt.h> has the same for MTProto's
 * own messages with the prefixes GAP_MT_ and gap_mt_; <gapless/tl_calls.h> has a typed call for
 * every method.
 *
 * In a struct a field of type
 *   #                      is uint32_t. The word is the truth about which optional fields are
 *                          there: reading leaves absent members zero, writing ignores them. Bit
 *                          `name:flags.N?T` of combinator C is the constant GAP_TL_<C>_F_<NAME>;
 *                          bit `name:flags2.N?T` is GAP_TL_<C>_F2_<NAME> and belongs into flags2.
 *                          A `true` field is the bit alone and has no member. Bits that the schema
 *                          does not name are read and written like `true` fields.
 *   int, long, double      is int32_t, int64_t, double
 *   int128, int256         is gap_int128_t, gap_int256_t (raw bytes)
 *   string, bytes          is gap_bytes_t (strings are UTF-8, not NUL-terminated)
 *   Bool                   is bool
 *   Vector<t>, vector<t>   is gap_tl_vector_t
 *   Object, !X             is gap_tl_object_t: always the last field, it takes all that is left of
 *                          the input (in MTProto's bare message: as much as `bytes` says), is not
 *                          looked into, and may be anything that begins with an id: a constructor
 *                          of another layer, a boxed vector, gzip_packed
 *   anything else          is gap_tl_object_t
 * Names of fields become lower case with underscores, too. A combinator without members has the
 * member unused_, because C has no empty struct.
 *
 * Reading is one level deep and allocates nothing: strings, vectors and objects are views into the
 * bytes read. Limits while reading: remaining bytes, vector counts against remaining bytes, and
 * nesting (GAP_TL_DEPTH_MAX). All functions here may be called from any thread.
 */
#ifndef GAPLESS_TL_H
#define GAPLESS_TL_H

#include <gapless/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Deepest nesting that is read or written. Every object is a level, and every vector of objects;
 * vectors of plain values are not. */
#define GAP_TL_DEPTH_MAX 64
/** Id of a boxed vector. */
#define GAP_TL_VECTOR 0x1cb5c415U

typedef struct gap_int128 {
    uint8_t bytes[16];
} gap_int128_t;

typedef struct gap_int256 {
    uint8_t bytes[32];
} gap_int256_t;

/**
 * A boxed object. Read: `data` is its serialised form beginning with the constructor id, `id` that
 * id. Written: either the same (data not NULL; copied as it is, so it may be of another layer), or
 * `value` points to the struct of constructor `id` and data is NULL; value may be NULL for a
 * constructor without members. id 0 and data NULL: absent.
 */
typedef struct gap_tl_object {
    const uint8_t *data;
    size_t len; /* bytes of data, the id included */
    const void *value;
    uint32_t id;
} gap_tl_object_t;

/**
 * A vector. Read: `data`/`len` are the serialised elements, behind id and count. Written: the same,
 * or (data NULL) `items` points to `count` elements of the C type of the element (int32_t,
 * int64_t, double, gap_bytes_t, gap_tl_object_t, or for bare elements the struct itself). A vector
 * of vectors is in no layer.
 */
typedef struct gap_tl_vector {
    const uint8_t *data;
    size_t len; /* bytes of data */
    const void *items;
    uint32_t count;
} gap_tl_vector_t;

/** What a boxed object to be written looks like: GAP_TL_OF(GAP_TL_PEER_USER, &peer). The struct is
 * borrowed. */
#define GAP_TL_OF(constructor, pointer) gap_tl_of((constructor), (pointer))

static inline gap_tl_object_t gap_tl_of(uint32_t id, const void *value)
{
    gap_tl_object_t o = {NULL, 0, value, id};
    return o;
}

/** A vector to be written from an array; the array is borrowed. */
static inline gap_tl_vector_t gap_tl_array(const void *items, uint32_t count)
{
    gap_tl_vector_t v = {NULL, 0, items, count};
    return v;
}

/** A view of a C string without its NUL. Borrowed. */
GAP_API gap_bytes_t gap_str(const char *text);

/**
 * Make a view of one boxed object at the start of @p in, after checking that it is well formed all
 * the way down.
 *
 * @param in    Borrowed; the views in @p out point into it.
 * @param out   The object; out->len is what it occupies. `in` may be longer.
 * @return 0; GAP_E_TL malformed or truncated; GAP_E_TL_ID constructor not in the schema;
 * GAP_E_LIMIT nested too deep.
 */
GAP_API GAP_NODISCARD int gap_tl_object(gap_bytes_t in, gap_tl_object_t *out);

/**
 * Read one level of a boxed object into the struct of its constructor.
 *
 * @param in        Bytes beginning with the constructor id. Borrowed; views point into it.
 * @param id        The constructor expected.
 * @param out       Struct of that constructor (gap_tl_..._t or gap_mt_..._t). Zeroed first;
 * undefined on failure.
 * @param out_size  sizeof of that struct, a guard against mixing types up.
 * @return the bytes used (>= 4); GAP_E_TL malformed, truncated or another constructor; GAP_E_TL_ID
 * a nested constructor is unknown; GAP_E_LIMIT; GAP_E_ARGUMENT id unknown or out_size wrong.
 */
GAP_API GAP_NODISCARD int64_t gap_tl_read(gap_bytes_t in, uint32_t id, void *out, size_t out_size);

/** gap_tl_read for an object view: GAP_TL_READ(object, GAP_TL_PEER_USER, &peer); negative on
 * failure. */
#define GAP_TL_READ(object, constructor, out)                                                      \
    gap_tl_read(gap_tl_bytes(object), (constructor), (out), sizeof *(out))

/** The serialised bytes of an object that was read. */
static inline gap_bytes_t gap_tl_bytes(gap_tl_object_t object)
{
    gap_bytes_t b = {object.data, object.len};
    return b;
}

/**
 * Read the answer of a method that returns a vector (`users.getUsers`): the boxed vector at the
 * start of @p in.
 *
 * @param in      Borrowed; the views in @p out point into it.
 * @param method  Id of the method: it tells what the elements are.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT; GAP_E_ARGUMENT the method returns no vector.
 */
GAP_API GAP_NODISCARD int gap_tl_read_result(gap_bytes_t in, uint32_t method, gap_tl_vector_t *out);

/** Position inside a vector that was read; zero-initialise `at` and `index`. */
typedef struct gap_tl_iter {
    gap_tl_vector_t vector;
    size_t at;      /* bytes */
    uint32_t index; /* elements handed out */
} gap_tl_iter_t;

static inline gap_tl_iter_t gap_tl_iter(gap_tl_vector_t vector)
{
    gap_tl_iter_t it = {vector, 0, 0};
    return it;
}

/** Next element of a vector of boxed objects. @return 1 with *out set; 0 at the end; negative as
 * gap_tl_object. */
GAP_API GAP_NODISCARD int gap_tl_next(gap_tl_iter_t *it, gap_tl_object_t *out);
/** Next element of a vector of int. @return 1, 0 at the end, GAP_E_TL. */
GAP_API GAP_NODISCARD int gap_tl_next_int(gap_tl_iter_t *it, int32_t *out);
/** Next element of a vector of long. @return 1, 0 at the end, GAP_E_TL. */
GAP_API GAP_NODISCARD int gap_tl_next_long(gap_tl_iter_t *it, int64_t *out);
/** Next element of a vector of string or bytes. @return 1, 0 at the end, GAP_E_TL. */
GAP_API GAP_NODISCARD int gap_tl_next_bytes(gap_tl_iter_t *it, gap_bytes_t *out);
/**
 * Next element of a vector of bare objects of constructor @p id (`vector<future_salt>`).
 * @return 1 with the struct filled; 0 at the end; negative as gap_tl_read.
 */
GAP_API GAP_NODISCARD int gap_tl_next_bare(gap_tl_iter_t *it, uint32_t id, void *out,
                                           size_t out_size);

/**
 * Bytes that gap_tl_write will produce.
 * @return >= 4; GAP_E_TL_ID a constructor is not in the schema; GAP_E_ARGUMENT an object of the
 * wrong type or absent where one is required; GAP_E_LIMIT nested too deep, a string of 2^24 bytes
 * or more, or over 2^30 bytes in all.
 */
GAP_API GAP_NODISCARD int64_t gap_tl_size(gap_tl_object_t object);
/**
 * Serialise a boxed object (constructor or method) into @p out.
 * @param cap Bytes at @p out. @return bytes written; GAP_E_LIMIT cap too small; otherwise as
 * gap_tl_size.
 */
GAP_API GAP_NODISCARD int64_t gap_tl_write(gap_tl_object_t object, uint8_t *out, size_t cap);

/**
 * Bytes of the boxed object at the start of @p in, without reading it into a struct: the fast
 * validating skip.
 * @return >= 4; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT.
 */
GAP_API GAP_NODISCARD int64_t gap_tl_skip(gap_bytes_t in);

/** Sink for printed text; `text` is not NUL-terminated. @return 0 to go on, negative stops and is
 * returned by gap_tl_print. */
typedef int (*gap_tl_print_cb)(void *data, const char *text, size_t len);

/**
 * Print a boxed object as one line of JSON: {"_":"updateNewMessage","message":{...},"pts":5}.
 * 64-bit numbers are JSON strings; bytes, int128 and int256 are base64; strings that are not UTF-8
 * become {"_bytes":"..."}; doubles that are no numbers become "NaN", "Infinity", "-Infinity"; true
 * flags are true; absent fields and flag words are left out; what a field of type Object or !X
 * holds becomes {"_id":"1cb5c415","_bytes":"..."} if it is not a well-formed object of this layer.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT; or what the sink returned.
 */
GAP_API GAP_NODISCARD int gap_tl_print(gap_bytes_t in, gap_tl_print_cb sink, void *data);

/** Are two boxed objects equal byte for byte after both were found well formed? @return 1 equal, 0
 * not, negative as gap_tl_skip. */
GAP_API GAP_NODISCARD int gap_tl_equal(gap_bytes_t a, gap_bytes_t b);

/** Name in the schema ("messages.sendMessage"), or NULL for an unknown id. */
GAP_API const char *gap_tl_name(uint32_t id);
/** Name of the type ("Updates") that the constructor belongs to or that the method returns, or
 * NULL. */
GAP_API const char *gap_tl_type(uint32_t id);
/** Is this id a method? */
GAP_API bool gap_tl_is_method(uint32_t id);

#ifdef __cplusplus
}
#endif
#endif
