/*
 * outbox/errors.c - what the server's errors mean for a row that is to be sent, and what people are
 * told. Names: the lists at core.telegram.org/api/errors and on the pages of the methods that the
 * outbox calls. Owns nothing.
 *
 * CHAT_ADMIN_REQUIRED and its kin park the chat if a message was to be written or edited, else the
 * row alone: who may not pin may still write.
 */
#include "outbox/errors.h"

#include "base/bytes.h"

#define RIGHT "get the right, then release the chat"
#define GONE  "cancel the row, or correct it and enqueue it anew"
#define ANEW  "correct it and enqueue it anew"

static const struct gap_error_line lines[] = {
    /* it is so already */
    {"MESSAGE_NOT_MODIFIED", 400, GAP_ERROR_SAME, "the message is so already"},
    {"CHAT_NOT_MODIFIED", 400, GAP_ERROR_SAME, "it is so already"},
    {"USER_ALREADY_PARTICIPANT", 400, GAP_ERROR_SAME, "whoever was to join is in the chat already"},
    {"PEER_HISTORY_EMPTY", 400, GAP_ERROR_SAME, "there is nothing to be read"},
    {"QUERY_ID_INVALID", 400, GAP_ERROR_OVER, "the query is over; nothing can answer it any more"},

    /* pauses */
    {"FLOOD_WAIT", 420, GAP_ERROR_METHOD, "the server wants a pause; it is sent after that"},
    {"FLOOD_PREMIUM_WAIT", 420, GAP_ERROR_METHOD,
     "the server wants a pause, a shorter one with Premium; it is sent after that"},
    {"SLOWMODE_WAIT", 420, GAP_ERROR_SENDING, "slow mode of the chat; it is sent after the pause"},
    {"FLOOD_SKIP_FAILED_WAIT", 420, GAP_ERROR_MOMENT, "the server wants a moment"},
    {"FLOOD_TEST_PHONE_WAIT", 420, GAP_ERROR_METHOD, "test accounts have to wait"},
    {"2FA_CONFIRM_WAIT", 420, GAP_ERROR_METHOD,
     "the account is being reset; it is sent after that"},
    {"TAKEOUT_INIT_DELAY", 420, GAP_ERROR_METHOD, "the server wants a confirmation and a pause"},
    {"PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT", 406, GAP_ERROR_MOMENT, "another import is under way"},
    {"SESSION_TOO_FRESH", 400, GAP_ERROR_METHOD, "the sign-in is too new for that"},
    {"PASSWORD_TOO_FRESH", 400, GAP_ERROR_METHOD, "the password is too new for that"},
    {"SLOWMODE_MULTI_MSGS_DISABLED", 400, GAP_ERROR_ROW,
     "slow mode allows one message at a time; forward them one by one"},

    /* the account */
    {"PEER_FLOOD", 400, GAP_ERROR_STOP,
     "Telegram limits this account for writing to strangers; see @SpamBot, then release it"},
    {"FROZEN_METHOD_INVALID", 420, GAP_ERROR_STOP,
     "Telegram has frozen this account; appeal in an official app, then release it"},
    {"USER_RESTRICTED", 403, GAP_ERROR_ROW,
     "Telegram lets this account make no chats; see @SpamBot, then retry the row"},
    {"FROZEN_PARTICIPANT_MISSING", 400, GAP_ERROR_CHAT, "a frozen account can't enter this chat"},
    {"PREMIUM_ACCOUNT_REQUIRED", 403, GAP_ERROR_ROW, "this needs Premium; get it, or " GONE},
    {"BALANCE_TOO_LOW", 400, GAP_ERROR_ROW, "not enough Stars; buy some, then retry the row"},
    {"BOT_METHOD_INVALID", 400, GAP_ERROR_ROW, "bots can't do this; cancel the row"},
    {"USER_BOT_REQUIRED", 400, GAP_ERROR_ROW, "only bots can do this; cancel the row"},
    {"BOT_DOMAIN_INVALID", 400, GAP_ERROR_ROW, "the bot has no such domain; set it at @BotFather"},

    /* the server's own troubles */
    {"RANDOM_ID_DUPLICATE", 500, GAP_ERROR_DUPLICATE,
     "the first call still runs; its outcome is waited for"},
    {"WORKER_BUSY_TOO_LONG_RETRY", 500, GAP_ERROR_TROUBLE, "the server is busy"},
    {"RPC_CALL_FAIL", 500, GAP_ERROR_TROUBLE, "the server has trouble of its own"},
    {"RPC_MCGET_FAIL", 500, GAP_ERROR_TROUBLE, "the server has trouble of its own"},
    {"POSTPONED_TIMEOUT", 500, GAP_ERROR_TROUBLE, "the server took too long"},
    {"HISTORY_GET_FAILED", 500, GAP_ERROR_TROUBLE, "the server has trouble of its own"},
    {"CHP_CALL_FAIL", 500, GAP_ERROR_TROUBLE, "the server has trouble of its own"},
    {"MSGID_DECREASE_RETRY", 500, GAP_ERROR_RETRY, "the server wants the call once more"},
    {"MT_SEND_QUEUE_TOO_LONG", 500, GAP_ERROR_RETRY, "the server has too much to do"},
    {"MSG_WAIT_FAILED", 400, GAP_ERROR_RETRY, "a call that it waited for has failed"},
    {"MSG_WAIT_TIMEOUT", -503, GAP_ERROR_RETRY, "a call that it waited for took too long"},
    {"TIMEOUT", -503, GAP_ERROR_TROUBLE, "the server took too long"},
    {"TIMEDOUT", -503, GAP_ERROR_TROUBLE, "the server took too long"},
    {"CONNECTION_NOT_INITED", 400, GAP_ERROR_RETRY, "the connection was not ready"},
    {"CONNECTION_LAYER_INVALID", 400, GAP_ERROR_RETRY, "the connection was not ready"},
    {"INPUT_FETCH_ERROR", 400, GAP_ERROR_ROW, "the server can't read the call; " ANEW},
    {"PERSISTENT_TIMESTAMP_OUTDATED", 500, GAP_ERROR_TROUBLE, "the server is behind"},
    {"AUTH_KEY_DUPLICATED", 406, GAP_ERROR_MOMENT, "the session is used twice; sign in again"},

    /* the message */
    {"MESSAGE_ID_INVALID", 400, GAP_ERROR_LOST,
     "the message is not there any more; cancel the row"},
    {"MSG_ID_INVALID", 400, GAP_ERROR_LOST, "the message is not there any more; cancel the row"},
    {"MESSAGE_IDS_EMPTY", 400, GAP_ERROR_LOST, "the messages are not there any more; cancel it"},
    {"MESSAGE_EDIT_TIME_EXPIRED", 400, GAP_ERROR_EXPIRED,
     "the message is too old to be edited; cancel the row, or send it anew"},
    {"MESSAGE_AUTHOR_REQUIRED", 403, GAP_ERROR_RIGHT,
     "the account may not edit messages of others here; " RIGHT},
    {"MESSAGE_DELETE_FORBIDDEN", 403, GAP_ERROR_ROW,
     "the account may not delete this message; get the right, then retry the row"},
    {"MSG_TOO_OLD", 400, GAP_ERROR_ROW, "the message is too old for that; cancel the row"},
    {"REPLY_MESSAGE_ID_INVALID", 400, GAP_ERROR_ROW, "what it answers is not there; " ANEW},
    {"REPLY_TO_INVALID", 400, GAP_ERROR_ROW, "what it answers is not there; " ANEW},
    {"MESSAGE_EMPTY", 400, GAP_ERROR_ROW, "the text is empty for the server; " ANEW},
    {"MESSAGE_TOO_LONG", 400, GAP_ERROR_ROW, "the text is too long for the server; " ANEW},
    {"MEDIA_CAPTION_TOO_LONG", 400, GAP_ERROR_ROW, "the caption is too long; " ANEW},
    {"ENTITY_BOUNDS_INVALID", 400, GAP_ERROR_ROW, "the markup lies outside of the text; " ANEW},
    {"ENTITIES_TOO_LONG", 400, GAP_ERROR_ROW, "there is too much markup; " ANEW},
    {"ENTITY_MENTION_USER_INVALID", 400, GAP_ERROR_ROW, "who is mentioned can't be; " ANEW},
    {"MEDIA_EMPTY", 400, GAP_ERROR_ROW, "the server does not know the media; " ANEW},
    {"MEDIA_INVALID", 400, GAP_ERROR_ROW, "the server does not take the media; " ANEW},
    {"MEDIA_NEW_INVALID", 400, GAP_ERROR_ROW, "a message can't get this media; " ANEW},
    {"MEDIA_PREV_INVALID", 400, GAP_ERROR_ROW, "the media of the message can't be changed; " GONE},
    {"MEDIA_GROUPED_INVALID", 400, GAP_ERROR_ROW, "an album can't take this; " ANEW},
    {"MEDIA_TTL_INVALID", 400, GAP_ERROR_ROW, "the media's time is wrong; " ANEW},
    {"FILE_REFERENCE_EXPIRED", 400, GAP_ERROR_ROW,
     "the media's file reference is old; fetch it again and enqueue it anew"},
    {"FILE_REFERENCE_EMPTY", 400, GAP_ERROR_ROW, "the media's file reference is missing; " ANEW},
    {"FILE_REFERENCE_INVALID", 400, GAP_ERROR_ROW, "the media's file reference is wrong; " ANEW},
    {"FILE_PARTS_INVALID", 400, GAP_ERROR_ROW, "the file has to be sent up again; " ANEW},
    {"PHOTO_INVALID", 400, GAP_ERROR_ROW, "the server does not take the photo; " ANEW},
    {"DOCUMENT_INVALID", 400, GAP_ERROR_ROW, "the server does not take the document; " ANEW},
    {"WEBPAGE_CURL_FAILED", 400, GAP_ERROR_ROW, "Telegram can't fetch the address; " ANEW},
    {"WEBPAGE_MEDIA_EMPTY", 400, GAP_ERROR_ROW, "there is no media at the address; " ANEW},
    {"EXTERNAL_URL_INVALID", 400, GAP_ERROR_ROW, "the address of the media is wrong; " ANEW},
    {"REPLY_MARKUP_INVALID", 400, GAP_ERROR_ROW, "the buttons are wrong; " ANEW},
    {"REPLY_MARKUP_TOO_LONG", 400, GAP_ERROR_ROW, "there are too many buttons; " ANEW},
    {"BUTTON_DATA_INVALID", 400, GAP_ERROR_ROW, "a button's data is wrong; " ANEW},
    {"BUTTON_URL_INVALID", 400, GAP_ERROR_ROW, "a button's address is wrong; " ANEW},
    {"BUTTON_TYPE_INVALID", 400, GAP_ERROR_ROW, "a button is of a wrong kind; " ANEW},
    {"BUTTON_TEXT_INVALID", 400, GAP_ERROR_ROW, "a button's text is wrong; " ANEW},
    {"BUTTON_USER_PRIVACY_RESTRICTED", 400, GAP_ERROR_ROW,
     "whom a button names does not allow that; " ANEW},
    {"MESSAGE_POLL_CLOSED", 400, GAP_ERROR_ROW, "the poll is closed; " GONE},
    {"RANDOM_ID_EMPTY", 400, GAP_ERROR_ROW, "its random_id is missing; " ANEW},
    {"RANDOM_ID_INVALID", 400, GAP_ERROR_ROW, "its random_id is not taken; enqueue it anew"},
    {"REACTION_INVALID", 400, GAP_ERROR_ROW, "this reaction is not allowed there; " GONE},
    {"REACTION_EMPTY", 400, GAP_ERROR_ROW, "the reaction is empty; " ANEW},
    {"REACTIONS_TOO_MANY", 400, GAP_ERROR_ROW, "the message has too many reactions; " GONE},
    {"PIN_RESTRICTED", 400, GAP_ERROR_ROW, "nothing can be pinned in this private chat; " GONE},
    {"CHAT_FORWARDS_RESTRICTED", 400, GAP_ERROR_ROW, "that chat does not let messages out; " GONE},
    {"TOPIC_CLOSED", 400, GAP_ERROR_ROW, "the topic is closed; open it, then retry the row"},
    {"TOPIC_DELETED", 400, GAP_ERROR_ROW, "the topic was deleted; " ANEW},
    {"SCHEDULE_DATE_TOO_LATE", 400, GAP_ERROR_ROW, "its date is too late; " ANEW},
    {"QUICK_REPLIES_TOO_MUCH", 400, GAP_ERROR_ROW, "there are too many quick replies; " GONE},
    {"INPUT_METHOD_INVALID", 400, GAP_ERROR_ROW, "the server does not know the method; " ANEW},

    /* kinds of messages that a chat does not take: others may still be sent there */
    {"CHAT_SEND_MEDIA_FORBIDDEN", 403, GAP_ERROR_ROW, "no media may be sent there; " GONE},
    {"CHAT_SEND_PHOTOS_FORBIDDEN", 403, GAP_ERROR_ROW, "no photos may be sent there; " GONE},
    {"CHAT_SEND_VIDEOS_FORBIDDEN", 403, GAP_ERROR_ROW, "no videos may be sent there; " GONE},
    {"CHAT_SEND_AUDIOS_FORBIDDEN", 403, GAP_ERROR_ROW, "no audio may be sent there; " GONE},
    {"CHAT_SEND_VOICES_FORBIDDEN", 403, GAP_ERROR_ROW, "no voice may be sent there; " GONE},
    {"CHAT_SEND_ROUNDVIDEOS_FORBIDDEN", 403, GAP_ERROR_ROW, "no video notes there; " GONE},
    {"CHAT_SEND_DOCS_FORBIDDEN", 403, GAP_ERROR_ROW, "no documents may be sent there; " GONE},
    {"CHAT_SEND_STICKERS_FORBIDDEN", 403, GAP_ERROR_ROW, "no stickers may be sent there; " GONE},
    {"CHAT_SEND_GIFS_FORBIDDEN", 403, GAP_ERROR_ROW, "no GIFs may be sent there; " GONE},
    {"CHAT_SEND_GAME_FORBIDDEN", 403, GAP_ERROR_ROW, "no games may be sent there; " GONE},
    {"CHAT_SEND_POLL_FORBIDDEN", 403, GAP_ERROR_ROW, "no polls may be sent there; " GONE},
    {"CHAT_SEND_INLINE_FORBIDDEN", 403, GAP_ERROR_ROW, "no inline bots may be used there; " GONE},
    {"CHAT_SEND_PLAIN_FORBIDDEN", 403, GAP_ERROR_ROW, "no texts may be sent there; " GONE},
    {"VOICE_MESSAGES_FORBIDDEN", 400, GAP_ERROR_ROW, "the person takes no voice messages; " GONE},

    /* the chat */
    {"CHAT_WRITE_FORBIDDEN", 403, GAP_ERROR_CHAT, "the account may not write there; " RIGHT},
    {"CHAT_GUEST_SEND_FORBIDDEN", 403, GAP_ERROR_CHAT,
     "only members may write there; join the chat, then release it"},
    {"CHAT_ADMIN_REQUIRED", 400, GAP_ERROR_RIGHT, "this needs an administrator's right; " RIGHT},
    {"RIGHT_FORBIDDEN", 403, GAP_ERROR_RIGHT, "the account lacks a right for this; " RIGHT},
    {"CHAT_RESTRICTED", 400, GAP_ERROR_CHAT, "the account is restricted there; " RIGHT},
    {"CHAT_FORBIDDEN", 403, GAP_ERROR_CHAT, "the account is not in this chat any more; " RIGHT},
    {"CHAT_ID_INVALID", 400, GAP_ERROR_CHAT,
     "the server knows no such chat; correct the row, or release the chat when it is there"},
    {"CHAT_INVALID", 400, GAP_ERROR_CHAT,
     "the server knows no such chat; cancel what waits for it"},
    {"CHANNEL_PRIVATE", 400, GAP_ERROR_CHAT,
     "the channel is private and the account is not in it; join it, then release it"},
    {"CHANNEL_INVALID", 400, GAP_ERROR_CHAT,
     "the channel can't be addressed; let the account see it again, then release it"},
    {"CHANNEL_ID_INVALID", 400, GAP_ERROR_CHAT,
     "the server knows no such channel; let the account see it again, then release it"},
    {"CHANNEL_TOO_LARGE", 406, GAP_ERROR_CHAT,
     "the channel is too large for this account; cancel what waits for it"},
    {"CHANNEL_BANNED", 400, GAP_ERROR_CHAT, "the channel was banned; cancel what waits for it"},
    {"USER_BANNED_IN_CHANNEL", 400, GAP_ERROR_CHAT,
     "the account is banned from writing to groups and channels; see @SpamBot, then release it"},
    {"USER_KICKED", 400, GAP_ERROR_CHAT, "the account was removed from the chat; " RIGHT},
    {"USER_NOT_PARTICIPANT", 400, GAP_ERROR_RIGHT,
     "the account is not in the chat; join it, then release it"},
    {"USER_IS_BLOCKED", 400, GAP_ERROR_CHAT,
     "the person has blocked the account; release it when "
     "that is over"},
    {"YOU_BLOCKED_USER", 400, GAP_ERROR_CHAT,
     "the account has blocked the person; unblock, then release the chat"},
    {"USER_PRIVACY_RESTRICTED", 403, GAP_ERROR_CHAT,
     "the person's privacy settings forbid it; release the chat when that is over"},
    {"PRIVACY_PREMIUM_REQUIRED", 406, GAP_ERROR_CHAT,
     "the person takes messages from Premium accounts only; release the chat when that is over"},
    {"ALLOW_PAYMENT_REQUIRED", 403, GAP_ERROR_CHAT,
     "the person wants Stars for messages; release the chat when that is over"},
    {"USER_IS_BOT", 400, GAP_ERROR_CHAT, "bots can't write to bots; cancel what waits for it"},
    {"USER_DELETED", 403, GAP_ERROR_CHAT, "the person's account was deleted; cancel what waits"},
    {"INPUT_USER_DEACTIVATED", 400, GAP_ERROR_CHAT,
     "the person's account was deleted; cancel what waits for it"},
    {"USER_INVALID", 400, GAP_ERROR_CHAT,
     "the person can't be addressed; let the account see them again, then release the chat"},
    {"USER_ID_INVALID", 400, GAP_ERROR_CHAT,
     "the person can't be addressed; let the account see them again, then release the chat"},
    {"PEER_ID_INVALID", 400, GAP_ERROR_CHAT,
     "the chat can't be addressed; let the account see it again, then release it"},
    {"PEER_ID_NOT_SUPPORTED", 400, GAP_ERROR_ROW, "this does not go with such a chat; " GONE},
    {"FROM_PEER_INVALID", 400, GAP_ERROR_ROW, "the chat to forward from can't be addressed; " ANEW},
    {"SEND_AS_PEER_INVALID", 400, GAP_ERROR_ROW, "the account may not send as that peer; " ANEW},
    {"TO_ID_INVALID", 400, GAP_ERROR_CHAT, "the chat can't be addressed; release it when it can"},
    {"BOT_GROUPS_BLOCKED", 400, GAP_ERROR_CHAT,
     "this bot can't be in groups; allow it at "
     "@BotFather, then release the chat"},
    {"BROADCAST_FORBIDDEN", 403, GAP_ERROR_ROW, "a channel does not take this; " GONE},
};

/* By code, for names that are not above. */
static const struct gap_error_line by_code[] = {
    {"", 303, GAP_ERROR_RETRY, "the server sends the call elsewhere"},
    {"", 401, GAP_ERROR_MOMENT, "the account is not signed in; it is sent when it is"},
    {"", 403, GAP_ERROR_ROW, "the account may not do this; get the right, then retry the row"},
    {"", 406, GAP_ERROR_ROW, "the server refuses this; see to it in an official app, then retry"},
    {"", 420, GAP_ERROR_METHOD, "the server wants a pause; it is sent after that"},
};
static const struct gap_error_line trouble = {"", 500, GAP_ERROR_TROUBLE,
                                              "the server has trouble of its own"};
static const struct gap_error_line refusal = {
    "", 400, GAP_ERROR_ROW, "the server refuses the call; look its answer up, correct it, retry"};
static const struct gap_error_line same = {"", 400, GAP_ERROR_SAME, "it is so already"};

/* Length of a name without the number behind it. */
static size_t base_len(const char *name)
{
    size_t len = strlen(name), end = len;

    while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9') end--;
    return end < len && end > 1 && name[end - 1] == '_' ? end - 1 : len;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_named(const char *line, const char *name, size_t len)
{
    if (strlen(line) != len) return false;
    for (size_t i = 0; i < len; i++)
        if (line[i] != upper(name[i])) return false; /* "Timeout" is one of theirs */
    return true;
}

static bool ends_with(const char *name, size_t len, const char *tail)
{
    size_t n = strlen(tail);

    return len >= n && memcmp(name + len - n, tail, n) == 0;
}

const struct gap_error_line *gap_error_line(const char *name, int32_t code)
{
    size_t len = base_len(name);

    for (size_t i = 0; i < GAP_ARRAY_LEN(lines); i++)
        if (is_named(lines[i].name, name, len)) return &lines[i];
    if (ends_with(name, len, "_NOT_MODIFIED")) return &same;
    for (size_t i = 0; i < GAP_ARRAY_LEN(by_code); i++)
        if (by_code[i].code == code) return &by_code[i];
    return code >= 500 || code < 0 ? &trouble : &refusal;
}

const struct gap_error_line *gap_error_lines(size_t *count)
{
    *count = GAP_ARRAY_LEN(lines);
    return lines;
}
