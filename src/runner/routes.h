/*
 * runner/routes.h - the routes of one router: filters compiled once, and an index by what tells
 * most about an update (command, callback data, chat, constructor, kind), so that an update meets
 * only the routes that may be for it. Pure: calls nobody; a filter's `accepts` is for the caller to
 * ask.
 */
#ifndef GAP_RUNNER_ROUTES_H
#define GAP_RUNNER_ROUTES_H

#include "base/map.h"
#include "runner/facts.h"
#include "runner/pattern.h"

/** Numbers of routes, ascending. */
struct gap_route_list {
    uint32_t *items;
    uint32_t count;
    uint32_t cap;
};

/** One route, its filter's arrays and texts in a block of its own. */
struct gap_rule {
    gap_route_t route; /* filter: as compiled; handler, group, data, flags: as given */
    struct gap_pattern *pattern;
    gap_bytes_t prefix;
    gap_bytes_t data_prefix;
    gap_bytes_t command;
    gap_bytes_t data;
    void *block;
};

struct gap_routes {
    const gap_alloc_t *alloc;
    struct gap_rule *rules;
    uint32_t count;
    uint32_t cap;
    gap_map_t index; /* what a list is by -> struct gap_route_list */
    struct gap_route_list any;
    uint32_t by;                  /* what lists there are: bits of 1 << enum route_by */
    struct gap_pattern_set *room; /* for matching patterns */
    size_t room_cap;              /* sets */
};

void gap_routes_init(struct gap_routes *r, const gap_alloc_t *alloc);
/** Safe twice. Groups are the caller's. */
void gap_routes_fini(struct gap_routes *r);
/** @return 0; GAP_E_ARGUMENT, GAP_E_LIMIT as gap_router_add, as far as the filter is concerned;
 * GAP_E_NOMEM. On failure nothing has changed. */
GAP_NODISCARD int gap_routes_add(struct gap_routes *r, const gap_route_t *route);
/**
 * The first route from number *@p at on whose filter fits; `accepts` has not been asked.
 * @param f    What the route's pattern and prefix found goes into its match.
 * @param at   Set to the number behind it.
 * @param out  The route; set on 1.
 * @return 1; 0 none is left; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_routes_next(struct gap_routes *r, struct gap_facts *f, uint32_t *at,
                                  const struct gap_rule **out);

#endif
