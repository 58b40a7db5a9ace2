/* A configured token: who shows it comes in, who guesses is held up. */

#include "world.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* printf %s "open sesame" | sha256sum */
#define DIGEST "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"

static struct client say_hello(struct world *w, struct client client, const char *token)
{
    struct hearth_message hello = {.type = HEARTH_MSG_handshake,
                                   .as.handshake = {.version_min = 1, .version_max = 1}};
    hello.as.handshake.token = hearth_slice_of_string(token);
    client_send(w, &client, &hello);
    return client;
}

static struct client knock(struct world *w, const char *token)
{
    return say_hello(w, client_connect(w), token);
}

static void is_denied(struct world *w, const char *token, const char *part)
{
    struct client client = knock(w, token);
    client_expect_error(w, &client, HEARTH_E_UNAUTHENTICATED, part);
    assert_true(client_is_cut(w, &client));
    client_close(w, &client);
}

static void comes_in(struct world *w, const char *token)
{
    struct client client = knock(w, token);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_handshake_ack);
    client_close(w, &client);
}

static void the_right_token_comes_in_and_no_other(void **state)
{
    struct world *w = *state;
    w->config.token_sha256 = DIGEST;
    world_start(w);
    comes_in(w, "open sesame");
    is_denied(w, "", "asks for a token");
    is_denied(w, "open sesam", "the token is wrong");
    is_denied(w, "open sesame!", "the token is wrong");
    is_denied(w, "Open sesame", "the token is wrong");
    comes_in(w, "open sesame"); /* and forgets the failures */
    for (int i = 0; i < 4; i++) {
        is_denied(w, "x", "the token is wrong");
    }
    comes_in(w, "open sesame");
    assert_int_equal(hearth_metrics_value(&w->metrics, HEARTH_COUNTER_HANDSHAKES_REFUSED), 8);
}

static void who_shows_no_token_is_refused_but_no_guesser(void **state)
{
    struct world *w = *state;
    w->config.token_sha256 = DIGEST;
    world_start(w);
    for (int i = 0; i < 8; i++) {
        is_denied(w, "", "asks for a token");
    }
    comes_in(w, "open sesame");
}

static void five_wrong_tokens_hold_up_that_user(void **state)
{
    struct world *w = *state;
    w->config.token_sha256 = DIGEST;
    world_start(w);
    for (int i = 0; i < 5; i++) {
        is_denied(w, "x", "the token is wrong");
    }
    is_denied(w, "open sesame", "try again in 30 s");
    struct client client = client_connect(w); /* who only probes is not concerned */
    struct hearth_message check = {.type = HEARTH_MSG_health_check};
    client_send(w, &client, &check);
    assert_int_equal(client_take(w, &client).type, HEARTH_MSG_health_response);
    client_close(w, &client);
}

/* Only root can be two users: SO_PEERCRED tells who called connect(), and the daemon lets in root
 * and whoever it runs as, which is the other one for that moment. */
static void one_user_who_guesses_does_not_hold_up_another(void **state)
{
    enum { OTHER = 65534 };
    struct world *w = *state;
    char folder[128];
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    w->config.token_sha256 = DIGEST;
    world_start(w);
    snprintf(folder, sizeof folder, "%s/run", w->root);
    assert_int_equal(chmod(w->root, 0755), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(w->config.socket, 0666), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(seteuid(OTHER), 0);
        struct client client = client_connect(w);
        assert_int_equal(seteuid(0), 0);
        client = say_hello(w, client, "x");
        client_expect_error(w, &client, HEARTH_E_UNAUTHENTICATED,
                            i < 5 ? "the token is wrong" : "try again in 30 s");
        client_close(w, &client);
    }
    is_denied(w, "x", "the token is wrong"); /* root is counted from one */
    comes_in(w, "open sesame");
}

static void a_token_that_nobody_asked_for_says_nothing(void **state)
{
    struct world *w = *state;
    world_start(w);
    comes_in(w, "whatever");
    comes_in(w, "");
}

KIT_MAIN(WORLD_TEST_BOTH(the_right_token_comes_in_and_no_other),
         WORLD_TEST_BOTH(who_shows_no_token_is_refused_but_no_guesser),
         WORLD_TEST_BOTH(five_wrong_tokens_hold_up_that_user),
         WORLD_TEST(one_user_who_guesses_does_not_hold_up_another),
         WORLD_TEST_BOTH(a_token_that_nobody_asked_for_says_nothing))
