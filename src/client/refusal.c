/*
 * client/refusal.c - what the server's refusals of a sign-in mean: a table from the name of an
 * rpc_error to what is done about it and a line that tells people what to do.
 *
 * Pure. Names and meaning: core.telegram.org/api/errors, /method/auth.sendCode, auth.signIn,
 * auth.signUp, auth.resendCode, auth.checkPassword, auth.importBotAuthorization,
 * account.getPassword.
 */
#include "client/sign_in.h"

#include "base/bytes.h"

#define WAITING "too many tries; the server wants a pause"
#define MOVED   "the account lives in another data centre"
#define KEY     "the server no longer takes this connection's key; start again to make a new one"
#define OFFICIAL                                                                                   \
    "Telegram lets this number sign in with its official apps only; sign in there first, then "    \
    "try "                                                                                         \
    "again"

static const struct refusal table[] = {
    /* the program */
    {"API_ID_INVALID", REFUSAL_FATAL,
     "api_id and api_hash don't belong together; see https://my.telegram.org/apps"},
    {"API_ID_PUBLISHED_FLOOD", REFUSAL_FATAL,
     "this api_id was published and is blocked; get your own at https://my.telegram.org/apps"},
    {"CONNECTION_API_ID_INVALID", REFUSAL_FATAL,
     "api_id is wrong; see https://my.telegram.org/apps"},
    {"CONNECTION_APP_VERSION_EMPTY", REFUSAL_FATAL, "app_version is empty; set one"},
    {"CONNECTION_DEVICE_MODEL_EMPTY", REFUSAL_FATAL, "device_model is empty; set one"},
    {"CONNECTION_SYSTEM_EMPTY", REFUSAL_FATAL, "system_version is empty; set one"},
    {"CONNECTION_SYSTEM_LANG_CODE_EMPTY", REFUSAL_FATAL, "lang_code is empty; set one"},
    {"CONNECTION_LANG_PACK_INVALID", REFUSAL_FATAL,
     "the server does not know the language; set another lang_code"},
    {"INPUT_LAYER_INVALID", REFUSAL_FATAL,
     "the server does not speak this library's layer; update the library"},
    {"UPDATE_APP_TO_LOGIN", REFUSAL_FATAL,
     "Telegram wants a newer client for this account; update the library, or sign in with an "
     "official app first"},

    /* bots */
    {"ACCESS_TOKEN_INVALID", REFUSAL_FATAL, "the bot token is wrong; copy it anew from @BotFather"},
    {"ACCESS_TOKEN_EXPIRED", REFUSAL_FATAL,
     "the bot token was revoked; get the new one from @BotFather"},
    {"BOT_TOKEN_INVALID", REFUSAL_FATAL, "the bot token is wrong; copy it anew from @BotFather"},

    /* the number */
    {"PHONE_NUMBER_INVALID", REFUSAL_PHONE,
     "this is no phone number; give it in international form, with the country's code"},
    {"PHONE_NUMBER_BANNED", REFUSAL_PHONE,
     "Telegram has banned this number; write to recover@telegram.org, or give another one"},
    {"PHONE_NUMBER_FLOOD", REFUSAL_PHONE,
     "this number was used too often to sign in; wait a day, or give another one"},
    {"PHONE_PASSWORD_FLOOD", REFUSAL_PHONE,
     "too many tries with wrong passwords; wait a day before trying this number again"},
    {"PHONE_PASSWORD_PROTECTED", REFUSAL_PHONE,
     "this number is protected by a password; sign in with an official app first, or give another "
     "number"},
    {"PHONE_NUMBER_APP_SIGNUP_FORBIDDEN", REFUSAL_PHONE,
     "this program may not make accounts; make one with an official app, then give its number"},
    {"PHONE_NUMBER_UNOCCUPIED", REFUSAL_NAME, ""},
    {"PHONE_NOT_OCCUPIED", REFUSAL_NAME, ""},
    {"PHONE_NUMBER_OCCUPIED", REFUSAL_NEW_CODE,
     "the number has an account already; a new code was sent to sign in to it"},

    /* the code */
    {"PHONE_CODE_INVALID", REFUSAL_CODE, "the code is wrong; give it again"},
    {"PHONE_CODE_EMPTY", REFUSAL_CODE, "the code is missing; give it"},
    {"CODE_INVALID", REFUSAL_CODE, "the code is wrong; give it again"},
    {"CODE_EMPTY", REFUSAL_CODE, "the code is missing; give it"},
    {"PHONE_CODE_EXPIRED", REFUSAL_NEW_CODE,
     "the code has expired; a new one was sent, give that one"},
    {"PHONE_CODE_HASH_EMPTY", REFUSAL_NEW_CODE,
     "the server forgot that it sent a code; a new one was sent, give that one"},
    {"PHONE_HASH_EXPIRED", REFUSAL_NEW_CODE,
     "the server forgot that it sent a code; a new one was sent, give that one"},
    {"CODE_HASH_INVALID", REFUSAL_NEW_CODE,
     "the server forgot that it sent a code; a new one was sent, give that one"},
    {"SEND_CODE_UNAVAILABLE", REFUSAL_SAME,
     "all ways to send the code were used; give the code that came, or wait and begin anew"},
    {"SMS_CODE_CREATE_FAILED", REFUSAL_SAME,
     "the server could not send the code; try again in a few minutes"},
    {"EMAIL_UNCONFIRMED", REFUSAL_FATAL, OFFICIAL},
    {"EMAIL_NOT_SETUP", REFUSAL_FATAL, OFFICIAL},

    /* the password */
    {"SESSION_PASSWORD_NEEDED", REFUSAL_NEEDED, ""},
    {"PASSWORD_HASH_INVALID", REFUSAL_PASSWORD, "the password is wrong; give it again"},
    {"PASSWORD_EMPTY", REFUSAL_PASSWORD, "the password is missing; give it"},
    {"PASSWORD_REQUIRED", REFUSAL_NEEDED, ""},
    {"PASSWORD_MISSING", REFUSAL_RESTART,
     "the account has no two-step password any more; a new code was sent"},
    {"SRP_ID_INVALID", REFUSAL_NEW_B, ""},
    {"SRP_PASSWORD_CHANGED", REFUSAL_PASSWORD,
     "the password was changed meanwhile; give the new one"},

    /* the name */
    {"FIRSTNAME_INVALID", REFUSAL_NAME, "the first name is not allowed; give another one"},
    {"LASTNAME_INVALID", REFUSAL_NAME, "the last name is not allowed; give another one"},

    /* the server */
    {"AUTH_RESTART", REFUSAL_RESTART,
     "the server wants the sign-in to begin anew; a new code was sent"},
    {"SIGN_IN_FAILED", REFUSAL_RESTART,
     "the server could not sign the account in; a new code was sent"},
    {"FLOOD_WAIT", REFUSAL_WAIT, WAITING},
    {"FLOOD_PREMIUM_WAIT", REFUSAL_WAIT, WAITING},
    {"FLOOD_TEST_PHONE_WAIT", REFUSAL_WAIT, WAITING},
    {"2FA_CONFIRM_WAIT", REFUSAL_WAIT, WAITING},
    {"PHONE_MIGRATE", REFUSAL_MIGRATE, MOVED},
    {"USER_MIGRATE", REFUSAL_MIGRATE, MOVED},
    {"NETWORK_MIGRATE", REFUSAL_MIGRATE, MOVED},
    {"AUTH_KEY_UNREGISTERED", REFUSAL_RESTART,
     "the server forgot this sign-in; a new code was sent"},
    {"SESSION_EXPIRED", REFUSAL_RESTART, "this sign-in has expired; a new code was sent"},
    {"SESSION_REVOKED", REFUSAL_RESTART,
     "this sign-in was ended from another device; a new code was sent"},
    {"AUTH_KEY_INVALID", REFUSAL_KEY, KEY},
    {"AUTH_KEY_PERM_EMPTY", REFUSAL_KEY, KEY},
    {"AUTH_KEY_DUPLICATED", REFUSAL_KEY,
     "two programs used the same session at once, so the server ended it; give each its own "
     "session file and start again"},
    {"USER_DEACTIVATED", REFUSAL_KEY, "the account was deleted; sign in with another one"},
    {"USER_DEACTIVATED_BAN", REFUSAL_KEY,
     "Telegram has banned this account; write to recover@telegram.org"},
};

const struct refusal *client_refusal(gap_bytes_t name)
{
    static const struct refusal unknown = {
        "", REFUSAL_FATAL, "the server refuses the sign-in; look its answer up in Telegram's docs"};

    for (size_t i = 0; i < GAP_ARRAY_LEN(table); i++)
        if (gap_bytes_equal(name, gap_str(table[i].name))) return &table[i];
    return &unknown;
}

/* ---- the end of a session ---- */

#define ANEW "; start again to sign in anew"

static const struct {
    const char *name;
    const char *text;
} ends[] = {
    {"", "logged out" ANEW},
    {"AUTH_KEY_UNREGISTERED", "the server has ended the session" ANEW},
    {"AUTH_KEY_INVALID", "the server does not accept the session's key" ANEW},
    {"AUTH_KEY_FORGOTTEN", "the server has forgotten the session's key" ANEW},
    {"SESSION_REVOKED", "the session was ended from another device of the account" ANEW},
    {"SESSION_EXPIRED", "the session has expired" ANEW},
    {"USER_DEACTIVATED", "the account was deleted; sign in with another one"},
    {"USER_DEACTIVATED_BAN", "Telegram has banned the account; write to recover@telegram.org"},
    {"AUTH_KEY_DUPLICATED", "two programs used the session at once, so the server ended it; give "
                            "each a session file of its own, then start again to sign in anew"},
};

const char *client_ended(gap_bytes_t name)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(ends); i++)
        if (gap_bytes_equal(name, gap_str(ends[i].name))) return ends[i].text;
    return "the server has ended the session" ANEW;
}
