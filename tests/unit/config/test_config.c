#include "kit.h"

#include "hearth_config.h"
#include <ctype.h>
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

static unsigned lines_of(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
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
    assert_int_equal(file.seen, (UINT64_C(1) << lines_of(built_in)) - 1);
    hearth_free(built_in);
    hearth_free(documented);
    hearth_config_finish(&file);
}

/* printf %s token | sha256sum */
#define DIGEST "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0"

static void every_key_is_taken(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[daemon]\nsocket = /s\nmodels = /a:/b\npreload = x, y ,z\n"
                              "workers=/w\nmax_connections=1\nqueue_limit=2\n"
                              "queue_limit_critical=13\nqueue_limit_high=14\n"
                              "queue_limit_normal=15\nqueue_limit_low=16\n"
                              "client_queue_limit=17\nmemory_limit=3G\n"
                              "threads=4\nworker_nice=5\ndrain_timeout_ms=6\n"
                              "request_timeout_ms=7\nload_timeout_ms=8\nhang_timeout_ms=9\n"
                              "progress_timeout_ms=18\nready_models=1\n"
                              "handshake_timeout_ms=10\nframe_timeout_ms=11\nidle_timeout_ms=12\n"
                              "token_sha256=" DIGEST
                              "\neviction=idle\nswap=drain-first\nper_call_memory=1G\n"
                              "worker_headroom=64M\n"
                              "total_call_memory=2G\nconcurrent_requests=2\ncontainment=strict\n"
                              "log_level=debug\n[model x]\ncontext_tokens = 512\nmmap=true\n"),
                     0);
    char *text = printed(&w->config);
    assert_string_equal(text,
                        "socket = /s\nmodels = /a:/b\npreload = x, y, z\nworkers = /w\n"
                        "max_connections = 1\nqueue_limit = 2\nqueue_limit_critical = 13\n"
                        "queue_limit_high = 14\nqueue_limit_normal = 15\n"
                        "queue_limit_low = 16\nclient_queue_limit = 17\nmemory_limit = 3221225472\n"
                        "threads = 4\nworker_nice = 5\ndrain_timeout_ms = 6\n"
                        "request_timeout_ms = 7\nload_timeout_ms = 8\nhang_timeout_ms = 9\n"
                        "progress_timeout_ms = 18\nready_models = 1\n"
                        "handshake_timeout_ms = 10\nframe_timeout_ms = 11\n"
                        "idle_timeout_ms = 12\ntoken_sha256 = " DIGEST "\n"
                        "eviction = idle\nswap = drain-first\nper_call_memory = 1073741824\n"
                        "total_call_memory = 2147483648\nconcurrent_requests = 2\n"
                        "worker_headroom = 67108864\n"
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

static void an_alias_names_a_model_or_a_version(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[alias chat]\nmodel = tiny@2.1\n[alias b]\nmodel = x\n"), 0);
    assert_int_equal(w->config.alias_count, 2);
    assert_string_equal(w->config.aliases[0].name, "chat");
    assert_string_equal(w->config.aliases[0].model, "tiny@2.1");
    assert_string_equal(w->config.aliases[1].model, "x");
}

static void keys_of_the_daemon_do_not_become_load_options(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[model x]\npinned = yes\nkeep_alive_ms = 60000\nmmap = true\n"
                              "priority = critical\n[model y]\nkeep_alive_ms = never\n"),
                     0);
    const struct hearth_config_model *x = hearth_config_model(&w->config, "x");
    const struct hearth_config_model *y = hearth_config_model(&w->config, "y");
    assert_true(x->is_pinned);
    assert_int_equal(x->keep_alive_ms, 60000);
    assert_int_equal(x->worth, HEARTH_CRITICAL);
    assert_int_equal(x->option_count, 1);
    assert_string_equal(x->options[0].key, "mmap");
    assert_false(y->is_pinned);
    assert_int_equal(y->keep_alive_ms, 0);
    assert_int_equal(y->worth, HEARTH_NORMAL);

    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, 4096);
    assert_int_equal(hearth_config_print_model(x, &buf), 0);
    assert_true(hearth_slice_equals_string(hearth_buf_slice(&buf),
                                           "pinned = yes\nkeep_alive_ms = 60000\n"
                                           "priority = critical\nmmap = true\n"));
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
    {"[daemon]\nswap = later\n", "\"later\" must be beside or drain-first"},
    {"[alias a]\nmodle = x\n", "f.conf:2: modle: an [alias NAME] section has the key model"},
    {"[alias a@1]\nmodel = x\n", "without @"},
    {"[alias a]\nmodel = ../x\n", "\"../x\" must be a model id"},
    {"[alias a]\nmodel = x\n[alias a]\nmodel = y\n", "f.conf:4: model: given twice for this alias"},
    {"[daemon]\nmax_connections = 0\n", "\"0\" must be a whole number from 1 to 4096"},
    {"[daemon]\nmax_connections = 4097\n", "\"4097\" must be a whole number"},
    {"[daemon]\nmax_connections = auto\n", "\"auto\" must be a whole number"},
    {"[daemon]\nmax_connections = 1K\n", "\"1K\" must be a whole number"},
    {"[daemon]\nthreads = -1\n", "\"-1\" must be a whole number from 1 to 1024, or auto"},
    {"[daemon]\nthreads = 99999999999999999999999\n", "must be a whole number"},
    {"[daemon]\nmemory_limit = 5T\n", "\"5T\" must be a whole number"},
    {"[daemon]\nmemory_limit = 99999999999999999G\n", "must be a whole number"},
    {"[daemon]\nmemory_limit = 1\n", "must be a whole number from 1048576"},
    {"[daemon]\ntoken_sha256 = secret\n", "token_sha256: must be a SHA-256 of 64 lower-case hex"},
    {"[daemon]\ntoken_sha256 = "
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n",
     "is the digest of an empty token"},
    {"[daemon]\nidle_timeout_ms = 86400001\n", "must be a whole number from 0 to 86400000"},
    {"[daemon]\nframe_timeout_ms = 0\n", "must be a whole number from 1 to 3600000"},
    {"[daemon]\ncontainment = none\n", "\"none\" must be required or strict"},
    {"[daemon]\nlog_level = loud\n", "\"loud\" must be debug, info, warn or error"},
    {"[model x]\na = 1\na = 2\n", "f.conf:3: a: given twice for this model"},
    {"[daemon]\neviction = all\n", "\"all\" must be never or idle"},
    {"[model x]\npinned = true\n", "f.conf:2: pinned: \"true\" must be yes or no"},
    {"[model x]\npinned = no\npinned = no\n", "f.conf:3: pinned: given twice for this model"},
    {"[model x]\nkeep_alive_ms = 0\n", "\"0\" must be milliseconds from 1 to 2592000000, or never"},
    {"[model x]\npriority = urgent\n", "\"urgent\" must be low, normal, high or critical"},
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

/* Every key, a value that is not its default, and whether a running daemon takes it (the timeouts
 * and limits that are asked for when they are needed) or must be started again. */
static const struct setting {
    const char *key;
    const char *value;
    bool is_live;
} settings[] = {
    {"socket", "/s", false},
    {"models", "/a:/b", false},
    {"preload", "x, y", false},
    {"workers", "/w", false},
    {"max_connections", "3", true},
    {"queue_limit", "4", true},
    {"memory_limit", "5368709120", true},
    {"threads", "6", false},
    {"worker_nice", "7", false},
    {"drain_timeout_ms", "8", true},
    {"request_timeout_ms", "9", true},
    {"load_timeout_ms", "10", true},
    {"hang_timeout_ms", "11", true},
    {"progress_timeout_ms", "21", true},
    {"ready_models", "2", true},
    {"handshake_timeout_ms", "12", true},
    {"frame_timeout_ms", "13", true},
    {"idle_timeout_ms", "14", true},
    {"token_sha256", DIGEST, true},
    {"eviction", "idle", true},
    {"queue_limit_critical", "16", true},
    {"queue_limit_high", "17", true},
    {"queue_limit_normal", "18", true},
    {"queue_limit_low", "19", true},
    {"client_queue_limit", "20", true},
    {"per_call_memory", "4096", true},
    {"total_call_memory", "8192", true},
    {"concurrent_requests", "15", true},
    {"worker_headroom", "1048577", true},
    {"containment", "strict", false},
    {"swap", "drain-first", true},
    {"log_level", "error", true},
};

static bool says(const struct hearth_config *config, const char *key, const char *value)
{
    char line[200];
    snprintf(line, sizeof line, "\n%s = %s\n", key, value);
    char *text = printed(config);
    bool is_first = strncmp(text, line + 1, strlen(line + 1)) == 0;
    bool is_there = is_first || strstr(text, line) != NULL;
    hearth_free(text);
    return is_there;
}

static const char *variable_of(const char *key)
{
    static char name[64];
    snprintf(name, sizeof name, "HEARTH_%s", key);
    for (char *at = name; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return name;
}

static void each_key_is_a_variable_that_wins_over_the_file(void **state)
{
    struct world *w = *state;
    char *defaults = printed(&w->config);
    for (size_t i = 0; i < HEARTH_COUNT(settings); i++) {
        assert_non_null(strstr(defaults, settings[i].key));
        assert_false(says(&w->config, settings[i].key, settings[i].value));
        setenv(variable_of(settings[i].key), settings[i].value, 1);
    }
    assert_int_equal(HEARTH_COUNT(settings), lines_of(defaults));
    hearth_free(defaults);
    assert_int_equal(parse(w, "[daemon]\nqueue_limit = 99\n"), 0);
    assert_int_equal(hearth_config_read_environment(&w->config, &w->err), 0);
    for (size_t i = 0; i < HEARTH_COUNT(settings); i++) {
        assert_true(says(&w->config, settings[i].key, settings[i].value));
        setenv(variable_of(settings[i].key), "", 1); /* empty is not set */
    }
    assert_int_equal(hearth_config_read_environment(&w->config, &w->err), 0);
    assert_true(says(&w->config, "queue_limit", "4"));
    assert_int_equal(hearth_config_set(&w->config, "queue_limit", "5", &w->err), 0);
    assert_true(says(&w->config, "queue_limit", "5"));
    setenv("HEARTH_QUEUE_LIMIT", "many", 1);
    assert_int_equal(hearth_config_read_environment(&w->config, &w->err), HEARTH_E_CONFIG);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_CONFIG,
                     "HEARTH_QUEUE_LIMIT: \"many\" must be a whole number");
    for (size_t i = 0; i < HEARTH_COUNT(settings); i++) {
        unsetenv(variable_of(settings[i].key));
    }
}

static void note(void *arg, const char *variable, const char *meant)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 400 - used, "%s:%s ", variable, meant);
}

static void a_slip_in_a_variable_is_told_and_others_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"HEARTH_SOCKTE", "HEARTH_QEUE_LIMIT", "HEARTH_TOKEN",
                                        "HEARTH_CACHE",  "HEARTH_THREADS",    "HEARTH_"};
    char text[400] = "";
    clearenv();
    for (size_t i = 0; i < HEARTH_COUNT(names); i++) {
        setenv(names[i], "1", 1);
    }
    char far_too_long[300] = "HEARTH_";
    memset(far_too_long + 7, 'X', sizeof far_too_long - 8);
    setenv(far_too_long, "1", 1);
    hearth_config_find_typos(note, text);
    assert_non_null(strstr(text, "HEARTH_SOCKTE:HEARTH_SOCKET "));
    assert_non_null(strstr(text, "HEARTH_QEUE_LIMIT:HEARTH_QUEUE_LIMIT "));
    assert_int_equal(strlen(text), strlen("HEARTH_SOCKTE:HEARTH_SOCKET ") +
                                       strlen("HEARTH_QEUE_LIMIT:HEARTH_QUEUE_LIMIT "));
    clearenv();
}

static void tell(void *arg, const char *key)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 400 - used, "%s ", key);
}

static void a_reload_takes_what_is_live_and_names_the_rest(void **state)
{
    struct world *w = *state;
    assert_int_equal(hearth_config_resolve(&w->config, &w->err), 0);
    for (size_t i = 0; i < HEARTH_COUNT(settings); i++) {
        struct hearth_config fresh;
        char told[400] = "";
        char *before = printed(&w->config);
        assert_int_equal(hearth_config_init(&fresh, &w->err), 0);
        assert_int_equal(hearth_config_set(&fresh, settings[i].key, settings[i].value, &w->err), 0);
        hearth_config_reload(&w->config, &fresh, tell, told);
        bool is_taken = says(&w->config, settings[i].key, settings[i].value);
        assert_true(is_taken == settings[i].is_live);
        assert_int_equal(strlen(told), is_taken ? 0 : strlen(settings[i].key) + 1);
        assert_int_equal(strncmp(told, settings[i].key, strlen(told) - !is_taken), 0);
        assert_int_equal(hearth_config_init(&fresh, &w->err), 0);
        told[0] = '\0';
        hearth_config_reload(&w->config, &fresh, tell, told); /* back to the defaults */
        char *after = printed(&w->config);
        assert_string_equal(after, before);
        assert_string_equal(told, "");
        hearth_free(before);
        hearth_free(after);
    }
}

static void reloads_may_be_repeated_for_ever_and_change_options_of_models(void **state)
{
    struct world *w = *state;
    assert_int_equal(parse(w, "[daemon]\ntoken_sha256 = " DIGEST "\n[model m]\nx = 1\n"), 0);
    assert_int_equal(hearth_config_resolve(&w->config, &w->err), 0);
    const char *socket = w->config.socket;
    for (int i = 0; i < 3000; i++) { /* more than one arena could hold, were it kept */
        struct hearth_config fresh;
        char text[300];
        char told[400] = "";
        snprintf(text, sizeof text,
                 "[daemon]\ntoken_sha256 = %064d\nlog_level = warn\n[model m]\nx = %d\n", i, i);
        assert_int_equal(hearth_config_init(&fresh, &w->err), 0);
        assert_int_equal(
            hearth_config_parse(&fresh, hearth_slice_of_string(text), "f.conf", &w->err), 0);
        hearth_config_reload(&w->config, &fresh, tell, told);
        assert_string_equal(told, "");
    }
    assert_string_equal(w->config.token_sha256 + 60, "2999");
    assert_string_equal(w->config.log_level, "warn");
    assert_string_equal(hearth_config_model(&w->config, "m")->options[0].value, "2999");
    assert_ptr_equal(w->config.socket, socket);
}

static void auto_becomes_what_the_machine_has(void **state)
{
    struct world *w = *state;
    setenv("HEARTH_SOCKET", "auto", 1);
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
         TEST(keys_of_the_daemon_do_not_become_load_options),
         TEST(an_alias_names_a_model_or_a_version),
         cmocka_unit_test(each_mistake_is_named_with_its_line),
         TEST(long_lines_and_names_are_refused_not_cut), TEST(the_command_line_wins_over_the_file),
         TEST(each_key_is_a_variable_that_wins_over_the_file),
         TEST(a_slip_in_a_variable_is_told_and_others_are_left_alone),
         TEST(a_reload_takes_what_is_live_and_names_the_rest),
         TEST(reloads_may_be_repeated_for_ever_and_change_options_of_models),
         TEST(auto_becomes_what_the_machine_has), TEST(a_missing_file_is_a_configuration_error))
