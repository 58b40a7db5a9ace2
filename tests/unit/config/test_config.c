#include "kit.h"

#include "hearth_config.h"
#include <stdio.h>
#include <stdlib.h>
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

static char *printed(const struct hearth_config *config)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 1u << 20);
    assert_int_equal(hearth_config_print(config, &buf), 0);
    char *text = hearth_copy_string(buf.data, buf.size);
    assert_non_null(text);
    return text;
}

/* The documented file sets every key, and to what the program has without a file. */
static void the_documented_defaults_are_the_built_in_ones(void **state)
{
    struct world *w = *state;
    struct hearth_config file;
    assert_int_equal(hearth_config_init(&file, &w->err), 0);
    assert_int_equal(hearth_config_read(&file, "deploy/hearthd.conf", &w->err), 0);
    char *built_in = printed(&w->config);
    char *documented = printed(&file);
    assert_string_equal(documented, built_in);
    unsigned keys = 0;
    for (const char *at = built_in; *at != '\0'; at++) {
        keys += *at == '\n';
    }
    assert_int_equal(file.seen, (UINT64_C(1) << keys) - 1);
    hearth_free(built_in);
    hearth_free(documented);
    hearth_config_finish(&file);
}

static void every_key_is_taken(void **state)
{
    struct world *w = *state;
    assert_int_equal(
        parse(w, "[daemon]\nsocket = /s\nmodels = /a:/b\npreload = x, y ,z\n"
                 "workers=/w\nmax_connections=1\nqueue_limit=2\nmemory_limit=3G\n"
                 "threads=4\nworker_nice=5\ndrain_timeout_ms=6\n"
                 "request_timeout_ms=7\nload_timeout_ms=8\nhang_timeout_ms=9\ncontainment=strict\n"
                 "log_level=debug\n[model x]\ncontext_tokens = 512\nmmap=true\n"),
        0);
    char *text = printed(&w->config);
    assert_string_equal(text, "socket = /s\nmodels = /a:/b\npreload = x, y, z\nworkers = /w\n"
                              "max_connections = 1\nqueue_limit = 2\nmemory_limit = 3221225472\n"
                              "threads = 4\nworker_nice = 5\ndrain_timeout_ms = 6\n"
                              "request_timeout_ms = 7\nload_timeout_ms = 8\nhang_timeout_ms = 9\n"
                              "containment = strict\nlog_level = debug\n");
    hearth_free(text);
    const struct hearth_config_model *model = hearth_config_model(&w->config, "x");
    assert_non_null(model);
    assert_int_equal(model->option_count, 2);
    assert_string_equal(model->options[0].key, "context_tokens");
    assert_string_equal(model->options[0].value, "512");
    assert_string_equal(model->options[1].value, "true");
    assert_null(hearth_config_model(&w->config, "y"));
}

struct refusal {
    const char *text;
    const char *part;
};
static const struct refusal refusals[] = {
    {"[daemon]\n\nsockte = /s\n", "f.conf:3: sockte: no such key"},
    {"[demon]\nsocket = /s\n", "f.conf:2: demon: no such section"},
    {"socket = /s\n", "f.conf:1: socket: no such section"},
    {"[daemon]\nwhat is this\n", "f.conf:2: neither a comment"},
    {"[daemon]\nsocket = /a\nsocket = /b\n", "f.conf:3: socket: given twice"},
    {"[daemon]\nsocket = /a\n /b\n", "f.conf:3: socket: given twice (or a line begins"},
    {"[daemon]\nsocket = a\n", "f.conf:2: socket: \"a\" must be an absolute path"},
    {"[daemon]\nmodels = /a:b\n", "\"b\" must be an absolute path"},
    {"[daemon]\nmodels =\n", "must name a folder"},
    {"[daemon]\nmodels = /1:/2:/3:/4:/5:/6:/7:/8:/9\n", "more than 8 entries"},
    {"[daemon]\npreload = a, b/c\n", "\"b/c\" must be a model id"},
    {"[daemon]\nmax_connections = 0\n", "\"0\" must be a whole number from 1 to 4096"},
    {"[daemon]\nmax_connections = 4097\n", "\"4097\" must be a whole number"},
    {"[daemon]\nmax_connections = auto\n", "\"auto\" must be a whole number"},
    {"[daemon]\nmax_connections = 1K\n", "\"1K\" must be a whole number"},
    {"[daemon]\nthreads = -1\n", "\"-1\" must be a whole number from 1 to 1024, or auto"},
    {"[daemon]\nthreads = 99999999999999999999999\n", "must be a whole number"},
    {"[daemon]\nmemory_limit = 5T\n", "\"5T\" must be a whole number"},
    {"[daemon]\nmemory_limit = 99999999999999999G\n", "must be a whole number"},
    {"[daemon]\nmemory_limit = 1\n", "must be a whole number from 1048576"},
    {"[daemon]\ncontainment = none\n", "\"none\" must be required or strict"},
    {"[daemon]\nlog_level = loud\n", "\"loud\" must be debug, info, warn or error"},
    {"[model x]\na = 1\na = 2\n", "f.conf:3: a: given twice for this model"},
    {"[model x]\na =\n", "f.conf:2: a: an option has a key"},
    {"[model ]\na = 1\n", "f.conf:2"},
};

static void each_mistake_is_named_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(refusals); i++) {
        struct world w = {0};
        assert_int_equal(hearth_config_init(&w.config, &w.err), 0);
        int rc = parse(&w, refusals[i].text);
        if (rc != HEARTH_E_CONFIG) {
            print_error("case %zu: %s\n", i, refusals[i].text);
        }
        KIT_ASSERT_ERROR(w.err, HEARTH_E_CONFIG, refusals[i].part);
        assert_int_equal(rc, HEARTH_E_CONFIG);
        hearth_config_finish(&w.config);
    }
}

static void long_lines_and_names_are_refused_not_cut(void **state)
{
    struct world *w = *state;
    char text[400];
    snprintf(text, sizeof text, "[daemon]\nsocket = /%0200d\n", 1);
    assert_int_equal(parse(w, text), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "f.conf:2: line longer than 190 bytes");
    snprintf(text, sizeof text, "[model %060d]\nx = 1\n", 1);
    assert_int_equal(parse(w, text), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "longer than 48 bytes");
    static const char nul[] = "[daemon]\nsocket = /a\0b\n";
    assert_int_equal(
        hearth_config_parse(&w->config, hearth_slice_of(nul, sizeof nul - 1), "f.conf", &w->err),
        HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "NUL");
}

static void the_command_line_wins_over_the_file(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[daemon]\nsocket = /file\npreload = a\n"), 0);
    assert_int_equal(hearth_config_set(&w->config, "socket", "/line", &w->err), 0);
    assert_int_equal(hearth_config_set(&w->config, "preload", "b,c", &w->err), 0);
    assert_string_equal(w->config.socket, "/line");
    assert_int_equal(w->config.preload_count, 2);
    assert_string_equal(w->config.preload[1], "c");
    assert_int_equal(hearth_config_set(&w->config, "socket", "rel", &w->err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "command line: socket: \"rel\"");
}

static void auto_becomes_what_the_machine_has(void **state)
{
    struct world *w = *state;
    unsetenv("HEARTH_SOCKET");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_int_equal(hearth_config_resolve(&w->config, &w->err), 0);
    assert_string_equal(w->config.socket, "/run/user/7/hearth/hearthd.sock");
    assert_true(w->config.threads >= 1);
    assert_true(w->config.memory_limit_bytes > 1u << 20);
    assert_int_equal(w->config.models_count, 1);
    assert_int_equal(w->config.workers[0], '/');
}

static void a_missing_file_is_a_configuration_error(void **state)
{
    struct world *w = *state;
    assert_int_equal(hearth_config_read(&w->config, "/no/such/file", &w->err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG, "/no/such/file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
KIT_MAIN(TEST(the_documented_defaults_are_the_built_in_ones), TEST(every_key_is_taken),
         cmocka_unit_test(each_mistake_is_named_with_its_line),
         TEST(long_lines_and_names_are_refused_not_cut), TEST(the_command_line_wins_over_the_file),
         TEST(auto_becomes_what_the_machine_has), TEST(a_missing_file_is_a_configuration_error))
