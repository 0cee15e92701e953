/*
 * dc/script_world.c - the commands of a script that change what the world allows: roles, slow mode,
 * blocked accounts, flood rules. Pure, so that a virtual world carries them out as the server does.
 */
#include "dc/model_int.h"
#include "dc/script.h"

static dc_peer_t peer_of(const dc_model_t *m, uint32_t account, const gap_dc_step_t *step)
{
    dc_peer_t peer = {step->chat, 0};

    switch (step->chat) {
    case DC_USER:
        peer.id = DC_USER_ID_FIRST + (int64_t)step->index;
        break;
    case DC_CHANNEL:
        if (step->index < m->options.channels) peer.id = DC_CHANNEL_ID_FIRST + (int64_t)step->index;
        break;
    default:
        if (account != DC_NONE && step->index < m->options.groups)
            peer.id = DC_CHAT_ID_FIRST + (int64_t)account * m->options.groups + step->index;
        break;
    }
    return peer;
}

int gap_dc_script_world(dc_model_t *m, int64_t account, const gap_dc_step_t *step)
{
    dc_peer_t peer = peer_of(m, account == 0 ? DC_NONE : dc_account_index(m, account), step);

    switch (step->what) {
    case GAP_DC_DO_SLOW_MODE:
        return dc_model_slow_mode(m, peer.id, step->number);
    case GAP_DC_DO_ROLE:
        return account == 0 ? GAP_E_NOT_FOUND : dc_model_role(m, account, peer, step->role);
    case GAP_DC_DO_BLOCK:
        return dc_model_block(m, account, peer.id, step->flag);
    case GAP_DC_DO_EDIT_WINDOW:
        dc_model_edit_window(m, step->number);
        return 0;
    case GAP_DC_DO_FLOOD_RULE:
        if (step->flood.limit > 0) return dc_model_flood_rule(m, &step->flood);
        dc_model_end_floods(m);
        return 0;
    default:
        return GAP_E_ARGUMENT;
    }
}
