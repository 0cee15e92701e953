/* dc/script_help.c - the documentation of scripts, printed by gapless-dc --script-help. */
#include "dc/script.h"

#include "base/bytes.h"

/* In parts: a compiler need not take longer strings. */
static const char events[] =
    "A script plays an exact sequence instead of traffic that is drawn by chance. One command a\n"
    "line; # begins a comment. It begins when --await-clients accounts are ready (answers and\n"
    "passwords at the top are in force before), and `done` is printed when its last line is "
    "through.\n"
    "\n"
    "Events: something happens, the ledger tells it, and it is pushed:\n"
    "  message CHAT [TEXT]         a new message\n"
    "  edit CHAT [ID|last] [TEXT]  of the chat's message ID, or its last one\n"
    "  delete CHAT [ID|last]\n"
    "  pin CHAT [ID|last]          and unpin\n"
    "  read CHAT [ID|last]         up to ID by this account; read-by-them: by the other side\n"
    "  query CHAT [ID|last]        a callback query: in no box, its container carries a seq\n"
    "  status user:N               in no box, pushed as updateShort\n"
    "  qts WHAT CHAT               stopped user:N, chat-participant group:N,\n"
    "                              channel-participant channel:N, reaction, reactions\n"
    "CHAT is user:N, group:N or channel:N, counted from 1. Without TEXT one is invented. Every\n"
    "fourth channel (4, 8, ...) is a broadcast. Boxes start at pts 1, message ids too.\n"
    "How the push goes out stands before the event:\n"
    "  drop EVENT                  never: the client has a gap\n"
    "  late MS EVENT               after so many milliseconds\n"
    "  twice EVENT                 doubled: under the same msg_id and under a new one\n"
    "  hold NAME EVENT             not until `release NAME`\n"
    "  N EVENT, N drop EVENT ...   so many events\n"
    "  poison [WAY] EVENT          no client can decode it: its update, and its message, are of\n"
    "                              an unknown constructor wherever they appear, in differences\n"
    "                              too. N poison drop EVENT: so many\n"
    "  swap                        the next two events go out in the wrong order\n"
    "  together [HOW]              the events up to `end` go out as one container\n"
    "  end\n"
    "Things that are pushed without an event:\n"
    "  skip-seq N                  containers are missing: the next seq is N higher\n"
    "  push-too-long [channel:N]   updatesTooLong, or updateChannelTooLong\n"
    "  leave channel:N             the account is put out: CHANNEL_PRIVATE from now on, and\n"
    "  join channel:N              back in; both push updateChannel\n"
    "  reset common|channel:N PTS  the box forgets its events and goes on from PTS; the common\n"
    "                              one pushes updatePtsChanged\n";

static const char others[] =
    "Other data centres; at the top they are in force before anybody signs in:\n"
    "  peer-dc ID=ADDRESS:PORT[,media]   is known from now on, in the place of the address of its\n"
    "                              kind; updateDcOptions is pushed\n"
    "  drop-dc ID                  is not known any more; the same\n"
    "  move ID [WHO]               an account lives in data centre ID from now on. If that is\n"
    "                              elsewhere its calls get 303 USER_MIGRATE_ID, but for what it\n"
    "                              needs to follow. WHO is a bot's id or a phone number\n"
    "  at ID COMMAND               a command for data centre ID only: several may share a script\n";

static const char calls[] =
    "Calls to come:\n"
    "  answer [N|always] METHOD [channel:N] HOW     the next call (N calls, all calls) of METHOD\n"
    "METHOD is getDifference, getChannelDifference, getState or any other with its namespace. "
    "HOW:\n"
    "  ok                          as ever (lets calls pass before the next rule)\n"
    "  error CODE TEXT             rpc_error; flood S is error 420 FLOOD_WAIT_S\n"
    "  migrate KIND ID             error 303 KIND_MIGRATE_ID, as ever at data centre ID; KIND is\n"
    "                              FILE, NETWORK, PHONE, STATS or USER\n"
    "  slice N                     a difference of at most N events\n"
    "  too-long                    differenceTooLong, channelDifferenceTooLong\n"
    "  late MS                     as it is now, sent so much later; pushes overtake it\n"
    "  nothing                     no answer, as if the call had been lost\n"
    "  garbage, cut                an unknown constructor; the first half of the answer\n"
    "  stuck                       a difference that is empty, not final and leads nowhere\n"
    "  hang-up                     the connection ends instead\n"
    "  timeout S                   the timeout of a channel difference\n"
    "  revoke [TEXT]               error 401 TEXT (SESSION_REVOKED), and the key is signed out\n"
    "  duplicate                   error 406 AUTH_KEY_DUPLICATED, then transport error -404\n"
    "Several rules for one method are used up in their order.\n";

static const char the_rest[] =
    "Sign-ins:\n"
    "  revoke [TEXT]               those of the account end: pushes stop, every call gets error\n"
    "                              401 TEXT (SESSION_REVOKED, USER_DEACTIVATED, ...)\n"
    "  duplicate                   the next call of each of its keys gets error 406\n"
    "                              AUTH_KEY_DUPLICATED, and after that transport error -404\n"
    "  password 99966XYYYY [TEXT]  the person has this two-step password from now on, or none\n"
    "An answer that is an error, for auth.sendCode, auth.signIn and so on, goes for those who "
    "have\n"
    "not signed in too: answer auth.sendCode error 400 PHONE_NUMBER_BANNED.\n"
    "Time and judgement:\n"
    "  wait MS\n"
    "  await METHOD [channel:N] [MS]   the next call that was not awaited yet, 10000 ms at most\n"
    "  expect METHOD [channel:N] N [M|or-more]  N (to M) calls were made since the last `expect`\n"
    "                              of the same, or the beginning. Every await and expect prints\n"
    "                              {\"event\":\"expect\",\"line\":N,\"met\":true|false,...}; the "
    "exit\n"
    "                              status is 3 if one was not met\n"
    "  disconnect                  all connections end; sessions and unacked pushes stay\n"
    "  forget-session              the same, and the sessions are forgotten with them\n"
    "  account N                   what follows is about the N-th account that signed in\n"
    "\n"
    "Example: one message is lost, the next shows the gap, the first difference fails.\n"
    "  message user:1\n"
    "  answer getDifference error 500 INTERNAL\n"
    "  drop message user:1\n"
    "  message user:1\n"
    "  await getDifference 2000\n"
    "  await getDifference 5000\n"
    "  expect getDifference 2\n";

const char *gap_dc_script_help(unsigned part)
{
    static const char *const parts[] = {events, others, calls, the_rest};

    return part < GAP_ARRAY_LEN(parts) ? parts[part] : NULL;
}
