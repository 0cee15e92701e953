/*
 * tests/loop/scripted.h - a small server that signs accounts in, and out, by script: any method can
 * be told to refuse, and what is asked is counted. It shares the loop of the client under test.
 */
#ifndef GAP_TESTS_SCRIPTED_H
#define GAP_TESTS_SCRIPTED_H

#include <gapless/tl_api.h>
#include <uv.h>

#define SCRIPTED_PASSWORD "correct horse"
#define SCRIPTED_HASH     "code hash"

typedef struct scripted scripted_t;

/** A server on its own port. Signs in as @p user_id whatever is said, unless it is told to refuse.
 */
scripted_t *scripted_open(uv_loop_t *loop, int32_t dc, int64_t user_id);
uint16_t scripted_port(const scripted_t *s);
const char *scripted_pem(const scripted_t *s);
/** Close; the loop has to run on until nothing is left; then scripted_free. */
void scripted_close(scripted_t *s);
void scripted_free(scripted_t *s);

/** The next @p times calls of a method end with this error. */
void scripted_refuse(scripted_t *s, uint32_t method, int32_t code, const char *name,
                     unsigned times);
/** Every call of whatever method, but those of the sign-in, ends with this error. NULL: no more. */
void scripted_refuse_all(scripted_t *s, int32_t code, const char *name);
/** How often a method was called. */
unsigned scripted_calls(const scripted_t *s, uint32_t method);
/** The last call of a method. Empty if there was none. */
gap_bytes_t scripted_last(const scripted_t *s, uint32_t method);
/** The next auth.sentCode says so. @param next  CodeType, 0: none. @param timeout_s  0: none. */
void scripted_deliver(scripted_t *s, gap_tl_object_t type, uint32_t next, int32_t timeout_s);
/** auth.sendCode is answered by any object. Serialised at once; an empty one: no more. */
void scripted_send_code(scripted_t *s, gap_tl_object_t answer);
/** auth.signIn ends with SESSION_PASSWORD_NEEDED; account.getPassword is answered in earnest. */
void scripted_want_password(scripted_t *s, const char *hint);
/** A code says that the number has no account. */
void scripted_want_name(scripted_t *s);
/** auth.logOut and auth.authorization give this token. */
void scripted_give_token(scripted_t *s, const char *token);
/** help.getConfig names another server, too. */
void scripted_know(scripted_t *s, int32_t dc, uint16_t port);
/** The server forgets the key it made: -404. */
void scripted_forget_key(scripted_t *s);
/** Key exchanges so far. */
int scripted_handshakes(const scripted_t *s);

#endif
