/*
 * client/peer_record.h - from the users and chats of an answer to the records that are stored:
 * who it is, access hash, phone and usernames. Views only; nothing is copied or kept.
 */
#ifndef GAP_CLIENT_PEER_RECORD_H
#define GAP_CLIENT_PEER_RECORD_H

#include <gapless/store.h>

/** Usernames of one peer that are taken; further ones are passed over. */
#define CLIENT_NAMES_MAX 16

/** One user or chat. `record.usernames` points into `names`: don't copy it by value. */
struct client_seen {
    gap_peer_record_t record; /* min: of a partial object whose hash does not address the peer */
    bool forbidden;
    bool partial; /* of a partial object, whatever its hash is good for */
    gap_bytes_t names[CLIENT_NAMES_MAX];
};

/** Position in a vector; zero but for the vector. */
struct client_seen_walk {
    gap_tl_vector_t vector;
    size_t at;
    uint32_t index;
};

/**
 * The next user or chat of a vector; userEmpty, chatEmpty and ids that can't be are passed over.
 *
 * @param walk  Over Vector<User> or Vector<Chat> whose elements have been checked.
 * @param out   Set on 1; views into the vector. Basic groups and forbidden channels have no names
 *              (has_names false).
 * @return 1; 0 at the end; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_NODISCARD int client_seen_next(struct client_seen_walk *walk, struct client_seen *out);

/** Take the active ones of a Vector<Username>. @return how many; negative as gap_tl_next. */
GAP_NODISCARD int client_take_names(gap_tl_vector_t usernames, gap_bytes_t names[CLIENT_NAMES_MAX],
                                    size_t count);

/** A number that differs, but for one chance in 2^64, if two records differ in what is stored
 * (the place where a partial peer was seen excepted). Never 0. */
uint64_t client_fingerprint(const gap_peer_record_t *record);

/** Of a username, upper and lower case alike, or of a phone's digits. */
uint64_t client_name_hash(gap_bytes_t name);

/** Whom an answer to a call names. */
struct client_answer {
    gap_tl_vector_t users;    /* Vector<User>, count 0 if there is none */
    gap_tl_vector_t chats;    /* Vector<Chat> */
    gap_tl_vector_t messages; /* Vector<Message> */
};

/**
 * Find the users, chats and messages of any answer: its own vectors of these types, objects of
 * these types, or the answer being such a vector itself.
 * @return 0 (with empty vectors if there are none); GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_NODISCARD int client_answer_open(gap_bytes_t value, struct client_answer *out);

#endif
