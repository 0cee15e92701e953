/* loops/router: who is called in which order, and what comes of it. */
#include "tests/unit/router_steps.h"

/* ---- routes ---- */

START_TEST(test_the_first_that_fits)
{
    struct act a = {"a", 0};
    struct act b = {"b", GAP_NEXT};
    struct act c = {"c", 0};
    struct act d = {"default", 0};

    begin();
    route(router, "hello", &b);
    route(router, "he", &a);
    route(router, "h", &c);
    ck_assert_int_eq(text("hello"), 0);
    expect("b a");
    ck_assert_int_eq(text("hi"), 0);
    expect("c");
    ck_assert_int_eq(text("bye"), 0);
    expect("");
    gap_router_default(router, act, &d);
    ck_assert_int_eq(text("bye"), 0);
    expect("default");
    d.result = GAP_NEXT;
    ck_assert_int_eq(text("bye"), 0);
    expect("default");
    a.result = GAP_E_LIMIT;
    ck_assert_int_eq(text("hello"), GAP_E_LIMIT);
    expect("b a");
    a.result = 77;
    ck_assert_int_eq(text("hello"), GAP_E_STATE);
    expect("b a");
    end();
}
END_TEST

static bool accepts(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)update;
    say("accepts?");
    return gap_bytes_equal(match->message->text, gap_str(data));
}

START_TEST(test_a_filter_of_ones_own_comes_last)
{
    struct act a = {"a", 0};
    struct act b = {"b", 0};
    gap_route_t add = {.filter = {.prefix = "x", .accepts = accepts}, .handler = act, .data = &a};
    char only[] = "xy";

    begin();
    add.filter.accepts_data = only;
    ck_assert_int_eq(gap_router_add(router, &add), 0);
    route(router, "x", &b);
    ck_assert_int_eq(text("y"), 0);
    expect("");
    ck_assert_int_eq(text("xz"), 0);
    expect("accepts? b");
    ck_assert_int_eq(text("xy"), 0);
    expect("accepts? a");
    end();
}
END_TEST

START_TEST(test_what_can_not_be_added)
{
    struct act a = {"a", 0};
    gap_route_t add = {.handler = act, .data = &a};
    gap_router_t *other;

    begin();
    ck_assert_int_eq(gap_router_new(&fault.alloc, &other), 0);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.data = &a}), GAP_E_ARGUMENT);
    add.group = other;
    ck_assert_int_eq(gap_router_add(router, &add), GAP_E_ARGUMENT);
    add.handler = NULL;
    add.flags = GAP_ROUTE_ON_THREAD;
    ck_assert_int_eq(gap_router_add(router, &add), GAP_E_ARGUMENT);
    add.group = NULL;
    add.handler = act;
    add.flags = GAP_ROUTE_ON_THREAD | GAP_ROUTE_TRANSACTION;
    ck_assert_int_eq(gap_router_add(router, &add), GAP_E_ARGUMENT);
    add.flags = 4;
    ck_assert_int_eq(gap_router_add(router, &add), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_use(router, NULL, NULL, NULL), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_command(router, NULL, act, &a), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_username(router, "@"), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.group = router}), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.group = other}), 0);
    ck_assert_int_eq(gap_router_add(router, &(gap_route_t){.group = other}), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_router_add(other, &(gap_route_t){.group = router}), GAP_E_ARGUMENT);
    ck_assert_int_eq(text("x"), 0);
    add.flags = 0;
    ck_assert_int_eq(gap_router_add(router, &add), GAP_E_STATE);
    ck_assert_int_eq(gap_router_add(other, &add), GAP_E_STATE);
    ck_assert_int_eq(gap_router_use(other, NULL, act_after, &a), GAP_E_STATE);
    struct token t;
    token_text(&t, "x");
    ck_assert_int_eq(gap_router_handle(&t.made.update, other), GAP_E_ARGUMENT);
    made_free(&t.made);
    end();
}
END_TEST

START_TEST(test_routers_within_each_other)
{
    gap_router_t *at;
    gap_router_t *one_more;

    begin();
    at = router;
    for (int i = 1; i < GAP_ROUTER_DEPTH_MAX; i++) at = group(at, "x");
    ck_assert_int_eq(gap_router_new(&fault.alloc, &one_more), 0);
    ck_assert_int_eq(gap_router_add(at, &(gap_route_t){.group = one_more}), GAP_E_LIMIT);
    struct act deep = {"deep", GAP_NEXT};
    struct act after = {"after", 0};
    route(at, "xx", &deep);
    route(router, "x", &after);
    ck_assert_int_eq(text("xxx"), 0);
    expect("deep after");
    ck_assert_int_eq(text("x"), 0);
    expect("after");
    gap_router_free(one_more);
    end();
}
END_TEST

/* ---- middleware and errors ---- */

START_TEST(test_order_of_middleware)
{
    struct act one = {"one", 0};
    struct act two = {"two", 0};
    struct act three = {"three", 0};
    struct act in = {"in", 0};
    struct act a = {"a", 0};
    struct act b = {"b", 0};
    gap_router_t *g;

    begin();
    ck_assert_int_eq(gap_router_use(router, act, act_after, &one), 0);
    ck_assert_int_eq(gap_router_use(router, NULL, act_after, &two), 0);
    ck_assert_int_eq(gap_router_use(router, act, NULL, &three), 0);
    g = group(router, "g");
    ck_assert_int_eq(gap_router_use(g, act, act_after, &in), 0);
    route(g, "ga", &a);
    route(router, "g", &b);
    ck_assert_int_eq(text("ga"), 0);
    expect("one three in a /in:0 /two:0 /one:0");
    /* Nobody within wants it, so nothing within is called. */
    ck_assert_int_eq(text("gb"), 0);
    expect("one three b /two:0 /one:0");
    a.result = GAP_NEXT;
    ck_assert_int_eq(text("ga"), 0);
    expect("one three in a /in:2 b /two:0 /one:0");
    ck_assert_int_eq(text("x"), 0);
    expect("");
    /* One that stops has no end of its own, and nobody else is asked. */
    three.result = GAP_STOP;
    ck_assert_int_eq(text("ga"), 0);
    expect("one three /two:0 /one:0");
    three.result = GAP_E_LIMIT;
    ck_assert_int_eq(text("ga"), GAP_E_LIMIT);
    expect("one three /two:-10005 /one:-10005");
    three.result = 77;
    ck_assert_int_eq(text("ga"), GAP_E_STATE);
    expect("one three /two:-10001 /one:-10001");
    three.result = 0;
    in.result = GAP_STOP;
    ck_assert_int_eq(text("ga"), 0);
    expect("one three in /two:0 /one:0");
    one.result = GAP_STOP;
    ck_assert_int_eq(text("ga"), 0);
    expect("one");
    end();
}
END_TEST

START_TEST(test_errors)
{
    struct act use = {"use", 0};
    struct act in_use = {"in", 0};
    struct act a = {"a", GAP_E_LIMIT};
    struct act inner = {"inner", GAP_E_BUSY};
    struct act outer = {"outer", 0};
    gap_router_t *g;

    begin();
    ck_assert_int_eq(gap_router_use(router, NULL, act_after, &use), 0);
    g = group(router, NULL);
    ck_assert_int_eq(gap_router_use(g, NULL, act_after, &in_use), 0);
    route(g, "x", &a);
    gap_router_on_error(g, act_error, &inner);
    ck_assert_int_eq(text("x"), GAP_E_BUSY);
    expect("a inner!-10005 /in:-10016 /use:-10016");
    gap_router_on_error(router, act_error, &outer);
    ck_assert_int_eq(text("x"), 0);
    expect("a inner!-10005 /in:-10016 outer!-10016 /use:0");
    inner.result = 0;
    ck_assert_int_eq(text("x"), 0);
    expect("a inner!-10005 /in:0 /use:0");
    inner.result = 5; /* nonsense */
    outer.result = 6;
    ck_assert_int_eq(text("x"), GAP_E_LIMIT);
    expect("a inner!-10005 /in:-10005 outer!-10005 /use:-10005");
    end();
}
END_TEST

static int gives_up(gap_update_t *update, const gap_match_t *match, int error, void *data)
{
    (void)match;
    (void)data;
    gap_update_give_up(update);
    return error;
}

START_TEST(test_an_error_handler_may_give_up)
{
    struct act a = {"a", GAP_E_LIMIT};
    struct token t;

    begin();
    route(router, "x", &a);
    gap_router_on_error(router, gives_up, NULL);
    token_text(&t, "x");
    ck_assert_int_eq(handle(&t), GAP_E_LIMIT);
    ck_assert(t.made.update.give_up);
    made_free(&t.made);
    end();
}
END_TEST

START_TEST(test_later)
{
    struct act use = {"use", 0};
    struct act a = {"a", GAP_LATER};
    struct act e = {"error", 0};
    struct token t;
    struct token u;

    begin();
    ck_assert_int_eq(gap_router_use(router, act, act_after, &use), 0);
    route(router, "x", &a);
    token_text(&t, "x");
    token_text(&u, "x");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    ck_assert_int_eq(handle(&u), GAP_LATER);
    expect("use a use a");
    ck_assert_int_eq(gap_router_handle(&t.made.update, router), GAP_E_STATE);
    gap_update_failed(&u.made.update, GAP_E_LIMIT);
    expect("/use:-10005");
    token_end(&u, GAP_E_LIMIT);
    ck_assert_int_eq(t.ended, 0);
    done(&t);
    expect("/use:0");
    token_end(&t, 0);

    gap_router_on_error(router, act_error, &e);
    token_text(&t, "x");
    ck_assert_int_eq(handle(&t), GAP_LATER);
    gap_update_failed(&t.made.update, GAP_E_LIMIT);
    expect("use a error!-10005 /use:0");
    token_end(&t, 0);

    a.result = GAP_LATER + 100; /* done from inside the handler */
    ck_assert_int_eq(text("x"), 0);
    expect("use a /use:0");
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("router");
    TCase *t = tcase_create("router");

    tcase_add_test(t, test_the_first_that_fits);
    tcase_add_test(t, test_a_filter_of_ones_own_comes_last);
    tcase_add_test(t, test_what_can_not_be_added);
    tcase_add_test(t, test_routers_within_each_other);
    tcase_add_test(t, test_order_of_middleware);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_an_error_handler_may_give_up);
    tcase_add_test(t, test_later);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
