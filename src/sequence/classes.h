/*
 * sequence/classes.h - every constructor of type Update: its box, where its pts or qts lies, where
 * its channel's id lies, what is special about it. The rules come from the fields of the schema and
 * from core.telegram.org/api/updates; the test against the schema names each exception.
 *
 * X(constructor, box, place, channel, flags)
 *
 * Deleted business messages are one event of qts, however many ids: should a server count the ids,
 * there is a hole and the difference tells; counting ids where it does not would jump over lost
 * updates.
 */
#ifndef GAP_SEQUENCE_CLASSES_H
#define GAP_SEQUENCE_CLASSES_H

/* Where pts, pts_count or qts lie. Seen from the end of the object they have fixed places, but for
 * one optional field behind them. */
enum gap_place {
    P_NONE,
    P_PTS,       /* ... pts pts_count */
    P_PTS_DATE,  /* flags ... pts pts_count date:flags.0?int */
    P_PTS_ALONE, /* ... pts */
    P_PTS_MAYBE, /* flags ... pts:flags.0?int */
    P_QTS,       /* ... qts */
    P_QTS_QUERY, /* flags ... qts query_id:flags.0?long */
};

/* Where the channel's id lies, from the start of the object. */
enum gap_channel_place {
    C_NONE,
    C_FIRST,   /* channel_id ... */
    C_FLAGS,   /* flags channel_id ... */
    C_FOLDER,  /* flags folder_id:flags.0?int channel_id ... */
    C_MESSAGE, /* message.peer_id */
};

/* Ordered streams. */
#define GAP_CLASSES_ORDERED(X)                                                                     \
    X(UPDATE_NEW_MESSAGE, COMMON, P_PTS, C_NONE, GAP_ITEM_HAS_MESSAGE)                             \
    X(UPDATE_EDIT_MESSAGE, COMMON, P_PTS, C_NONE, GAP_ITEM_HAS_MESSAGE)                            \
    X(UPDATE_DELETE_MESSAGES, COMMON, P_PTS, C_NONE, 0)                                            \
    X(UPDATE_READ_HISTORY_INBOX, COMMON, P_PTS, C_NONE, 0)                                         \
    X(UPDATE_READ_HISTORY_OUTBOX, COMMON, P_PTS, C_NONE, 0)                                        \
    X(UPDATE_WEB_PAGE, COMMON, P_PTS, C_NONE, 0)                                                   \
    X(UPDATE_READ_MESSAGES_CONTENTS, COMMON, P_PTS_DATE, C_NONE, 0)                                \
    X(UPDATE_FOLDER_PEERS, COMMON, P_PTS, C_NONE, GAP_ITEM_EARLY)                                  \
    X(UPDATE_PINNED_MESSAGES, COMMON, P_PTS, C_NONE, 0)                                            \
    X(UPDATE_NEW_CHANNEL_MESSAGE, CHANNEL, P_PTS, C_MESSAGE, GAP_ITEM_HAS_MESSAGE)                 \
    X(UPDATE_EDIT_CHANNEL_MESSAGE, CHANNEL, P_PTS, C_MESSAGE, GAP_ITEM_HAS_MESSAGE)                \
    X(UPDATE_DELETE_CHANNEL_MESSAGES, CHANNEL, P_PTS, C_FIRST, 0)                                  \
    X(UPDATE_PINNED_CHANNEL_MESSAGES, CHANNEL, P_PTS, C_FLAGS, 0)                                  \
    X(UPDATE_CHANNEL_WEB_PAGE, CHANNEL, P_PTS, C_FIRST, 0)                                         \
    X(UPDATE_READ_CHANNEL_INBOX, CHANNEL, P_PTS_ALONE, C_FOLDER, GAP_ITEM_NO_COUNT)                \
    X(UPDATE_NEW_ENCRYPTED_MESSAGE, QTS, P_QTS, C_NONE, 0)                                         \
    X(UPDATE_MESSAGE_POLL_VOTE, QTS, P_QTS, C_NONE, 0)                                             \
    X(UPDATE_CHAT_PARTICIPANT, QTS, P_QTS, C_NONE, 0)                                              \
    X(UPDATE_CHANNEL_PARTICIPANT, QTS, P_QTS, C_NONE, 0)                                           \
    X(UPDATE_BOT_STOPPED, QTS, P_QTS, C_NONE, 0)                                                   \
    X(UPDATE_BOT_CHAT_INVITE_REQUESTER, QTS, P_QTS_QUERY, C_NONE, 0)                               \
    X(UPDATE_BOT_CHAT_BOOST, QTS, P_QTS, C_NONE, 0)                                                \
    X(UPDATE_BOT_MESSAGE_REACTION, QTS, P_QTS, C_NONE, 0)                                          \
    X(UPDATE_BOT_MESSAGE_REACTIONS, QTS, P_QTS, C_NONE, 0)                                         \
    X(UPDATE_BOT_BUSINESS_CONNECT, QTS, P_QTS, C_NONE, 0)                                          \
    X(UPDATE_BOT_NEW_BUSINESS_MESSAGE, QTS, P_QTS, C_NONE, 0)                                      \
    X(UPDATE_BOT_EDIT_BUSINESS_MESSAGE, QTS, P_QTS, C_NONE, 0)                                     \
    X(UPDATE_BOT_DELETE_BUSINESS_MESSAGE, QTS, P_QTS, C_NONE, 0)                                   \
    X(UPDATE_BOT_PURCHASED_PAID_MEDIA, QTS, P_QTS, C_NONE, 0)                                      \
    X(UPDATE_MANAGED_BOT, QTS, P_QTS, C_NONE, 0)                                                   \
    X(UPDATE_BOT_GUEST_CHAT_QUERY, QTS, P_QTS, C_NONE, 0)

/* No stream of their own, but something else to know about. */
#define GAP_CLASSES_SPECIAL(X)                                                                     \
    X(UPDATE_CHANNEL_TOO_LONG, NONE, P_PTS_MAYBE, C_FLAGS, GAP_ITEM_TOO_LONG)                      \
    X(UPDATE_PTS_CHANGED, NONE, P_NONE, C_NONE, GAP_ITEM_PTS_CHANGED)                              \
    X(UPDATE_CHANNEL, NONE, P_NONE, C_FIRST, GAP_ITEM_REFETCH)                                     \
    X(UPDATE_CHAT, NONE, P_NONE, C_NONE, GAP_ITEM_REFETCH)                                         \
    X(UPDATE_USER, NONE, P_NONE, C_NONE, GAP_ITEM_REFETCH)                                         \
    X(UPDATE_MESSAGE_ID, NONE, P_NONE, C_NONE, GAP_ITEM_EARLY)                                     \
    X(UPDATE_STORY_ID, NONE, P_NONE, C_NONE, GAP_ITEM_EARLY)                                       \
    X(UPDATE_ENCRYPTION, NONE, P_NONE, C_NONE, GAP_ITEM_EARLY)                                     \
    X(UPDATE_USER_TYPING, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING)                \
    X(UPDATE_CHAT_USER_TYPING, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING)           \
    X(UPDATE_CHANNEL_USER_TYPING, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING)        \
    X(UPDATE_ENCRYPTED_CHAT_TYPING, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE | GAP_ITEM_TYPING)      \
    X(UPDATE_USER_STATUS, NONE, P_NONE, C_NONE, GAP_ITEM_TYPING)                                   \
    X(UPDATE_LOGIN_TOKEN, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                                  \
    X(UPDATE_SENT_PHONE_CODE, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                              \
    X(UPDATE_DC_OPTIONS, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                                   \
    X(UPDATE_CONFIG, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                                       \
    X(UPDATE_SERVICE_NOTIFICATION, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                         \
    X(UPDATE_LANG_PACK_TOO_LONG, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                           \
    X(UPDATE_LANG_PACK, NONE, P_NONE, C_NONE, GAP_ITEM_AT_ONCE)                                    \
    X(UPDATE_BOT_CALLBACK_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                             \
    X(UPDATE_INLINE_BOT_CALLBACK_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                      \
    X(UPDATE_BUSINESS_BOT_CALLBACK_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                    \
    X(UPDATE_BOT_INLINE_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                               \
    X(UPDATE_BOT_SHIPPING_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                             \
    X(UPDATE_BOT_PRECHECKOUT_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)                          \
    X(UPDATE_BOT_WEBHOOK_JSON_QUERY, NONE, P_NONE, C_NONE, GAP_ITEM_QUERY)

/* Ordered by the seq of their container alone. */
#define GAP_CLASSES_PLAIN(X)                                                                       \
    X(MTCUTE_DUMMY_UPDATE)                                                                         \
    X(UPDATE_AI_COMPOSE_TONES)                                                                     \
    X(UPDATE_ATTACH_MENU_BOTS)                                                                     \
    X(UPDATE_AUTO_SAVE_SETTINGS)                                                                   \
    X(UPDATE_BOT_COMMANDS)                                                                         \
    X(UPDATE_BOT_INLINE_SEND)                                                                      \
    X(UPDATE_BOT_MENU_BUTTON)                                                                      \
    X(UPDATE_BOT_WEBHOOK_JSON)                                                                     \
    X(UPDATE_CHANNEL_AVAILABLE_MESSAGES)                                                           \
    X(UPDATE_CHANNEL_MESSAGE_FORWARDS)                                                             \
    X(UPDATE_CHANNEL_MESSAGE_VIEWS)                                                                \
    X(UPDATE_CHANNEL_PINNED_TOPIC)                                                                 \
    X(UPDATE_CHANNEL_PINNED_TOPICS)                                                                \
    X(UPDATE_CHANNEL_READ_MESSAGES_CONTENTS)                                                       \
    X(UPDATE_CHANNEL_VIEW_FORUM_AS_MESSAGES)                                                       \
    X(UPDATE_CHAT_DEFAULT_BANNED_RIGHTS)                                                           \
    X(UPDATE_CHAT_PARTICIPANT_ADD)                                                                 \
    X(UPDATE_CHAT_PARTICIPANT_ADMIN)                                                               \
    X(UPDATE_CHAT_PARTICIPANT_DELETE)                                                              \
    X(UPDATE_CHAT_PARTICIPANT_RANK)                                                                \
    X(UPDATE_CHAT_PARTICIPANTS)                                                                    \
    X(UPDATE_CONTACTS_RESET)                                                                       \
    X(UPDATE_DELETE_GROUP_CALL_MESSAGES)                                                           \
    X(UPDATE_DELETE_QUICK_REPLY)                                                                   \
    X(UPDATE_DELETE_QUICK_REPLY_MESSAGES)                                                          \
    X(UPDATE_DELETE_SCHEDULED_MESSAGES)                                                            \
    X(UPDATE_DIALOG_FILTER)                                                                        \
    X(UPDATE_DIALOG_FILTER_ORDER)                                                                  \
    X(UPDATE_DIALOG_FILTERS)                                                                       \
    X(UPDATE_DIALOG_PINNED)                                                                        \
    X(UPDATE_DIALOG_UNREAD_MARK)                                                                   \
    X(UPDATE_DRAFT_MESSAGE)                                                                        \
    X(UPDATE_EMOJI_GAME_INFO)                                                                      \
    X(UPDATE_ENCRYPTED_MESSAGES_READ)                                                              \
    X(UPDATE_FAVED_STICKERS)                                                                       \
    X(UPDATE_GEO_LIVE_VIEWED)                                                                      \
    X(UPDATE_GROUP_CALL)                                                                           \
    X(UPDATE_GROUP_CALL_CHAIN_BLOCKS)                                                              \
    X(UPDATE_GROUP_CALL_CONNECTION)                                                                \
    X(UPDATE_GROUP_CALL_ENCRYPTED_MESSAGE)                                                         \
    X(UPDATE_GROUP_CALL_MESSAGE)                                                                   \
    X(UPDATE_GROUP_CALL_PARTICIPANTS)                                                              \
    X(UPDATE_JOIN_CHAT_WEB_VIEW_DECISION)                                                          \
    X(UPDATE_MESSAGE_EXTENDED_MEDIA)                                                               \
    X(UPDATE_MESSAGE_POLL)                                                                         \
    X(UPDATE_MESSAGE_REACTIONS)                                                                    \
    X(UPDATE_MONO_FORUM_NO_PAID_EXCEPTION)                                                         \
    X(UPDATE_MOVE_STICKER_SET_TO_TOP)                                                              \
    X(UPDATE_NEW_AUTHORIZATION)                                                                    \
    X(UPDATE_NEW_BOT_CONNECTION)                                                                   \
    X(UPDATE_NEW_QUICK_REPLY)                                                                      \
    X(UPDATE_NEW_SCHEDULED_MESSAGE)                                                                \
    X(UPDATE_NEW_STICKER_SET)                                                                      \
    X(UPDATE_NEW_STORY_REACTION)                                                                   \
    X(UPDATE_NOTIFY_SETTINGS)                                                                      \
    X(UPDATE_PAID_REACTION_PRIVACY)                                                                \
    X(UPDATE_PEER_BLOCKED)                                                                         \
    X(UPDATE_PEER_HISTORY_TTL)                                                                     \
    X(UPDATE_PEER_LOCATED)                                                                         \
    X(UPDATE_PEER_SETTINGS)                                                                        \
    X(UPDATE_PEER_WALLPAPER)                                                                       \
    X(UPDATE_PENDING_JOIN_REQUESTS)                                                                \
    X(UPDATE_PHONE_CALL)                                                                           \
    X(UPDATE_PHONE_CALL_SIGNALING_DATA)                                                            \
    X(UPDATE_PINNED_DIALOGS)                                                                       \
    X(UPDATE_PINNED_FORUM_TOPIC)                                                                   \
    X(UPDATE_PINNED_FORUM_TOPICS)                                                                  \
    X(UPDATE_PINNED_SAVED_DIALOGS)                                                                 \
    X(UPDATE_PRIVACY)                                                                              \
    X(UPDATE_QUICK_REPLIES)                                                                        \
    X(UPDATE_QUICK_REPLY_MESSAGE)                                                                  \
    X(UPDATE_READ_CHANNEL_DISCUSSION_INBOX)                                                        \
    X(UPDATE_READ_CHANNEL_DISCUSSION_OUTBOX)                                                       \
    X(UPDATE_READ_CHANNEL_OUTBOX)                                                                  \
    X(UPDATE_READ_FEATURED_EMOJI_STICKERS)                                                         \
    X(UPDATE_READ_FEATURED_STICKERS)                                                               \
    X(UPDATE_READ_MONO_FORUM_INBOX)                                                                \
    X(UPDATE_READ_MONO_FORUM_OUTBOX)                                                               \
    X(UPDATE_READ_STORIES)                                                                         \
    X(UPDATE_RECENT_EMOJI_STATUSES)                                                                \
    X(UPDATE_RECENT_REACTIONS)                                                                     \
    X(UPDATE_RECENT_STICKERS)                                                                      \
    X(UPDATE_SAVED_DIALOG_PINNED)                                                                  \
    X(UPDATE_SAVED_GIFS)                                                                           \
    X(UPDATE_SAVED_REACTION_TAGS)                                                                  \
    X(UPDATE_SAVED_RINGTONES)                                                                      \
    X(UPDATE_SENT_STORY_REACTION)                                                                  \
    X(UPDATE_SMS_JOB)                                                                              \
    X(UPDATE_STAR_GIFT_AUCTION_STATE)                                                              \
    X(UPDATE_STAR_GIFT_AUCTION_USER_STATE)                                                         \
    X(UPDATE_STAR_GIFT_CRAFT_FAIL)                                                                 \
    X(UPDATE_STARS_BALANCE)                                                                        \
    X(UPDATE_STARS_REVENUE_STATUS)                                                                 \
    X(UPDATE_STICKER_SETS)                                                                         \
    X(UPDATE_STICKER_SETS_ORDER)                                                                   \
    X(UPDATE_STORIES_STEALTH_MODE)                                                                 \
    X(UPDATE_STORY)                                                                                \
    X(UPDATE_THEME)                                                                                \
    X(UPDATE_TRANSCRIBED_AUDIO)                                                                    \
    X(UPDATE_USER_EMOJI_STATUS)                                                                    \
    X(UPDATE_USER_NAME)                                                                            \
    X(UPDATE_USER_PHONE)                                                                           \
    X(UPDATE_WEB_BROWSER_EXCEPTION)                                                                \
    X(UPDATE_WEB_BROWSER_SETTINGS)                                                                 \
    X(UPDATE_WEB_VIEW_RESULT_SENT)

#endif
