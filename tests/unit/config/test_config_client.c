#include "kit.h"

#include "hearth_config.h"
#include <string.h>

struct world {
    struct hearth_config config;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    assert_int_equal(hearth_config_init(&w.config, &w.err), 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    hearth_config_finish(&w->config);
    return 0;
}

static int parse(struct world *w, const char *text)
{
    return hearth_config_parse(&w->config, hearth_slice_of_string(text), "f.conf", &w->err);
}

static void a_client_is_found_by_its_uid(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[client batch]\nuid = 1001\nweight = 25\nqueue_limit = 7\n"
                              "[client root]\nuid = 0\n"),
                     0);
    const struct hearth_config_client *batch = hearth_config_client(&w->config, 1001);
    const struct hearth_config_client *root = hearth_config_client(&w->config, 0);
    assert_non_null(batch);
    assert_string_equal(batch->name, "batch");
    assert_int_equal(batch->weight, 25);
    assert_int_equal(batch->queue_limit, 7);
    assert_non_null(root);
    assert_int_equal(root->weight, HEARTH_CONFIG_WEIGHT);
    assert_int_equal(root->queue_limit, 0);
    assert_null(hearth_config_client(&w->config, 1002));
}

static void a_client_section_is_printed_as_it_was_read(void **state)
{
    struct world *w = *state;
    static const char text[] = "uid = 1001\nweight = 25\nqueue_limit = 7\n";
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, 4096);
    HEARTH_AUTO(hearth_buf) struct hearth_buf file;
    hearth_buf_init(&file, 4096);
    assert_int_equal(hearth_buf_printf(&file, "[client a]\n%s", text), 0);
    assert_int_equal(hearth_config_parse(&w->config, hearth_buf_slice(&file), "f", &w->err), 0);
    assert_int_equal(hearth_config_print_client(&w->config.clients[0], &out), 0);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&out), text));
}

static void a_client_section_that_is_wrong_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } wrong[] = {
        {"[client a]\nweight = 1\n", "f.conf: [client a] has no uid"},
        {"[client a]\nuid = 1\nuid = 1\n", "f.conf:3: uid: given twice for this client"},
        {"[client a]\nuid = -1\n",
         "f.conf:2: uid: \"-1\" must be a whole number from 0 to 4294967294"},
        {"[client a]\nweight = 0\n",
         "f.conf:2: weight: \"0\" must be a whole number from 1 to 1000"},
        {"[client a]\nweight = 1001\n",
         "f.conf:2: weight: \"1001\" must be a whole number from 1 to 1000"},
        {"[client a]\nqueue_limit = 65537\n",
         "f.conf:2: queue_limit: \"65537\" must be a whole number from 1 to 65536"},
        {"[client a]\nshare = 1\n",
         "f.conf:2: share: a [client NAME] section has uid, weight and queue_limit"},
        {"[client a]\nuid = 5\n[client b]\nuid = 5\n",
         "f.conf:4: uid: [client a] has the same uid"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        hearth_config_finish(&w->config);
        assert_int_equal(hearth_config_init(&w->config, &w->err), 0);
        assert_int_equal(parse(w, wrong[i].text), HEARTH_E_CONFIG);
        assert_string_equal(w->err.text, wrong[i].error);
    }
}

static void one_client_more_than_fit_is_refused(void **state)
{
    struct world *w = *state;
    HEARTH_AUTO(hearth_buf) struct hearth_buf text;
    hearth_buf_init(&text, 65536);
    for (unsigned i = 0; i <= HEARTH_CONFIG_CLIENTS; i++) {
        assert_int_equal(hearth_buf_printf(&text, "[client c%u]\nuid = %u\n", i, i), 0);
    }
    assert_int_equal(hearth_config_parse(&w->config, hearth_buf_slice(&text), "f", &w->err),
                     HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "more than 32 [client NAME] sections");
}

static void ignore_key(void *arg, const char *key)
{
    (void)arg;
    (void)key;
}

static void a_reload_takes_the_clients_of_the_new_file(void **state)
{
    struct world *w = *state;
    struct hearth_config fresh;
    assert_int_equal(parse(w, "[client a]\nuid = 5\nweight = 3\n[client b]\nuid = 6\n"), 0);
    assert_int_equal(hearth_config_init(&fresh, &w->err), 0);
    assert_int_equal(hearth_config_parse(&fresh,
                                         hearth_slice_of_string("[client a]\nuid = 5\n"
                                                                "weight = 9\n"),
                                         "g", &w->err),
                     0);
    hearth_config_reload(&w->config, &fresh, ignore_key, NULL);
    assert_int_equal(hearth_config_client(&w->config, 5)->weight, 9);
    assert_null(hearth_config_client(&w->config, 6));
}

KIT_MAIN(cmocka_unit_test_setup_teardown(a_client_is_found_by_its_uid, setup, teardown),
         cmocka_unit_test_setup_teardown(a_client_section_is_printed_as_it_was_read, setup,
                                         teardown),
         cmocka_unit_test_setup_teardown(a_client_section_that_is_wrong_is_refused_with_its_place,
                                         setup, teardown),
         cmocka_unit_test_setup_teardown(one_client_more_than_fit_is_refused, setup, teardown),
         cmocka_unit_test_setup_teardown(a_reload_takes_the_clients_of_the_new_file, setup,
                                         teardown))
