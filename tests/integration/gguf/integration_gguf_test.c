#include "started_daemon.h"

#include <math.h>
#include <sys/stat.h>

/* The GGUF backend as a program sees it: through a started daemon, on SmolLM2 and on a tiny model
 * of our own. Texts are compared with those of a loop that knows llama.h and nothing of ours. */

#define PROMPT "The capital of France is"

struct world {
    struct started_daemon daemon;
    char store[64]; /* models that are not as they should be */
    hearth_client *client;
};

static struct world world;

/* ── Models of the test's own: the tiny one, told of in another way ──────────────────────────── */

static void copy_file(const char *from, const char *to, long bytes)
{
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_true(in != NULL && out != NULL);
    for (int c; bytes != 0 && (c = fgetc(in)) != EOF; bytes--) {
        fputc(c, out);
    }
    fclose(in);
    fclose(out);
}

static long size_of(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

static void digest_of(const char *path, char digest[65])
{
    char room[256];
    program_run(NULL, room, sizeof room, (const char *[]){"sha256sum", path, NULL});
    memcpy(digest, room, 64);
    digest[64] = '\0';
}

/* @bytes of the model's file, -1: all, 0: none at all; @said: bytes that the manifest tells more.
 */
static void write_model(const char *name, long bytes, const char *first, long said,
                        const char *options)
{
    char path[192];
    char digest[65];
    snprintf(path, sizeof path, "%s/%s.gguf", world.store, name);
    if (bytes != 0) {
        copy_file(TINY_FILE, path, bytes);
    }
    FILE *file = first != NULL ? fopen(path, "r+b") : NULL;
    if (file != NULL) {
        fputs(first, file);
        fclose(file);
    }
    digest_of(bytes != 0 ? path : TINY_FILE, digest);
    long size = bytes != 0 ? size_of(path) : size_of(TINY_FILE);
    snprintf(path, sizeof path, "%s/%s.manifest.json", world.store, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"model_id\":\"%s\",\"name\":\"%s\",\"version\":\"1.0.0\",\"license\":\"MIT\","
            "\"task\":\"text-generation\",\"capabilities\":[\"text_generation\"],"
            "\"architecture\":\"gguf\",\"files\":[{\"role\":\"model\",\"path\":\"%s.gguf\","
            "\"sha256\":\"%s\",\"size_bytes\":%ld}],\"options\":%s}",
            name, name, name, digest, size + said, options);
    fclose(file);
}

static int start(void **state)
{
    (void)state;
    char models[512];
    snprintf(world.store, sizeof world.store, "/tmp/hearth-models-XXXXXX");
    assert_non_null(mkdtemp(world.store));
    write_model("plain", -1, NULL, 0, "{}");
    write_model("mapped", -1, NULL, 0, "{\"mmap\":true}");
    write_model("missing", 0, NULL, 0, "{\"mmap\":true}");
    write_model("longer", -1, NULL, 1, "{\"mmap\":true}");
    write_model("other", -1, "GGML", 0, "{\"mmap\":true}");
    write_model("layers", -1, NULL, 0, "{\"gpu_layers\":1}");
    snprintf(models, sizeof models, "%s:%s", STORES, world.store);
    daemon_start(&world.daemon, models, (const char *[]){SMOL, TINY, NULL});
    world.client = daemon_connect(&world.daemon);
    return world.client == NULL;
}

static int stop(void **state)
{
    static const char *const names[] = {"plain", "mapped", "missing", "longer", "other", "layers"};
    static const char *const ends[] = {"gguf", "manifest.json"};
    (void)state;
    hearth_disconnect(world.client);
    daemon_stop(&world.daemon);
    for (size_t i = 0; i < 2 * HEARTH_COUNT(names); i++) {
        char path[192];
        snprintf(path, sizeof path, "%s/%s.%s", world.store, names[i / 2], ends[i % 2]);
        unlink(path);
    }
    return rmdir(world.store);
}

static void refuses_to_load(const char *name, int code, const char *part)
{
    hearth_error err = {0};
    assert_int_equal(hearth_load(world.client, name, 0, NULL, &err), code);
    KIT_ASSERT_ERROR(err, code, part);
}

static char *generate(hearth_request_params *params, char room[8192])
{
    hearth_result *result = NULL;
    hearth_error err = {0};
    hearth_generate(world.client, PROMPT, params, &result, &err);
    assert_string_equal(err.text, "");
    snprintf(room, 8192, "%s", hearth_result_item(result, 0)->text);
    hearth_result_free(result);
    return room;
}

static const hearth_model *find(const hearth_model_list *list, const char *name)
{
    const hearth_model *found = NULL;
    for (size_t i = 0; i < hearth_model_list_count(list); i++) {
        const hearth_model *model = hearth_model_list_at(list, i);
        found = strcmp(model->name, name) == 0 ? model : found;
    }
    assert_non_null(found);
    return found;
}

/* ── Configuration ───────────────────────────────────────────────────────────────────────────── */

static void a_model_without_options_has_sound_defaults(void **state)
{
    (void)state;
    hearth_model_list *list;
    daemon_load(world.client, "plain");
    assert_int_equal(hearth_models(world.client, &list, NULL), 0);
    const hearth_model *model = find(list, "plain");
    assert_true(model->context_tokens > 0);
    assert_true(model->threads > 0);
    assert_true(model->need_bytes > model->size_bytes); /* weights are in memory, and more */
    assert_true(model->memory_bytes > 0);
    hearth_model_list_free(list);
    assert_int_equal(hearth_unload(world.client, "plain", 0, NULL), 0);
    refuses_to_load("layers", HEARTH_E_CONFIG, "gpu_layers"); /* there is no GPU to give */
}

static void a_missing_path_is_refused(void **state)
{
    (void)state;
    refuses_to_load("missing", HEARTH_E_MODEL_INVALID, "missing.gguf");
    refuses_to_load("nowhere", HEARTH_E_NO_MODEL, "nowhere");
}

/* ── Results ─────────────────────────────────────────────────────────────────────────────────── */

static void a_result_has_all_its_fields(void **state)
{
    (void)state;
    hearth_result *result;
    struct reference wanted;
    hearth_request_params params = greedy(SMOL, 8);
    reference_ask(SMOL_FILE, 8, PROMPT, NULL, 0, &wanted);
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
    const hearth_item *item = hearth_result_item(result, 0);
    const hearth_usage *usage = hearth_result_usage(result);
    assert_int_equal(hearth_result_count(result), 1);
    assert_string_equal(item->text, wanted.text);
    assert_int_equal(item->text_bytes, strlen(wanted.text));
    assert_int_equal(item->tokens, 8);
    assert_int_equal(item->token_id_count, 8);
    assert_memory_equal(item->token_ids, wanted.ids, 8 * sizeof(uint32_t));
    assert_int_equal(usage->prompt_tokens, 5);
    assert_int_equal(usage->tokens_generated, 8);
    assert_int_equal(usage->finish_reason, HEARTH_FINISH_MAX_TOKENS);
    assert_true(usage->first_us > 0 && usage->first_us <= usage->total_us);
    hearth_result_free(result);
}

static int enough(const hearth_item *item, void *arg)
{
    (void)item;
    (void)arg;
    return 1;
}

static void four_ends_are_told_apart(void **state)
{
    (void)state;
    static const char *const stops[] = {"."};
    struct reference wanted;
    hearth_result *result;
    reference_ask(SMOL_FILE, 40, PROMPT, NULL, 0, &wanted);
    char *dot = strchr(wanted.text, '.');
    assert_non_null(dot);
    *dot = '\0';
    hearth_request_params params = greedy(SMOL, 40);
    params.stops = stops;
    params.stop_count = 1;
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
    assert_string_equal(hearth_result_item(result, 0)->text, wanted.text);
    assert_int_equal(hearth_result_usage(result)->finish_reason, HEARTH_FINISH_STOP);
    hearth_result_free(result);
    params = greedy(SMOL, 3);
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
    assert_int_equal(hearth_result_usage(result)->finish_reason, HEARTH_FINISH_MAX_TOKENS);
    hearth_result_free(result);
    params = greedy(SMOL, 4000);
    params.timeout_ms = 20;
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, NULL, NULL), HEARTH_E_EXPIRED);
    params = greedy(SMOL, 4000);
    params.on_item = enough;
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, NULL, NULL),
                     HEARTH_E_CANCELLED);
}

static void an_answer_is_known_by_model_and_index(void **state)
{
    (void)state;
    char digest[65];
    char texts[2][8192];
    hearth_model_details *details;
    digest_of(SMOL_FILE, digest);
    assert_int_equal(hearth_describe(world.client, SMOL, &details, NULL), 0);
    assert_string_equal(details->model->digest, digest);
    hearth_model_details_free(details);
    hearth_request_params params = greedy(SMOL, 16);
    generate(&params, texts[0]);
    params = greedy(TINY, 16);
    generate(&params, texts[1]);
    assert_string_not_equal(texts[0], texts[1]);
    params.model = "of-nobody";
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, NULL, NULL), HEARTH_E_NO_MODEL);
}

/* ── Parameters ──────────────────────────────────────────────────────────────────────────────── */

static void refuses(hearth_request_params params, const char *part)
{
    hearth_error err = {0};
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, NULL, &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, part);
}

/* 2.5 is a temperature that others take: here 2 is the limit, and the refusal says so. */
static void parameters_beyond_their_limits_are_refused(void **state)
{
    (void)state;
    char room[8192];
    hearth_request_params params = greedy(TINY, 4);
    params.temperature = 2.5f;
    refuses(params, "temperature: 2.5, wanted 0 <= temperature <= 2");
    params.temperature = NAN;
    refuses(params, "temperature");
    params.temperature = 2;
    generate(&params, room);
    params.top_p = 0;
    refuses(params, "top_p");
    params = greedy(TINY, 4);
    params.min_p = 1;
    refuses(params, "min_p");
    params = greedy(TINY, 4);
    params.repetition_penalty = 0.5f;
    refuses(params, "repetition_penalty");
}

static void defaults_are_the_usual_ones(void **state)
{
    (void)state;
    hearth_request_params params = hearth_request_params_default();
    assert_int_equal(params.max_tokens, 256);
    assert_true(params.temperature == 0.7f && params.top_p == 0.9f && params.min_p == 0);
    assert_int_equal(params.top_k, 40);
    assert_true(params.repetition_penalty == 1.1f && params.repetition_window == 64);
    assert_int_equal(params.seed, 42);
    char texts[3][8192];
    params.model = TINY;
    params.max_tokens = 32;
    generate(&params, texts[0]);
    generate(&params, texts[1]);
    params.seed = 43;
    generate(&params, texts[2]);
    assert_string_equal(texts[0], texts[1]); /* same seed, same text */
    assert_string_not_equal(texts[0], texts[2]);
}

static void as_many_tokens_as_were_asked_for(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 17};
    for (size_t i = 0; i < HEARTH_COUNT(counts); i++) {
        hearth_result *result;
        hearth_request_params params = greedy(SMOL, counts[i]);
        assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
        assert_int_equal(hearth_result_usage(result)->tokens_generated, counts[i]);
        assert_int_equal(hearth_result_item(result, 0)->token_id_count, counts[i]);
        hearth_result_free(result);
    }
}

/* ── Chats ───────────────────────────────────────────────────────────────────────────────────── */

static void chat_equals_the_reference(const hearth_chat_message *messages, size_t count,
                                      uint32_t tokens)
{
    hearth_result *result = NULL;
    hearth_error err = {0};
    struct reference wanted;
    hearth_request_params params = greedy(SMOL, tokens);
    reference_ask(SMOL_FILE, tokens, NULL, messages, count, &wanted);
    hearth_chat(world.client, messages, count, &params, &result, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(hearth_result_item(result, 0)->text, wanted.text);
    bool has_ended = hearth_result_usage(result)->finish_reason == HEARTH_FINISH_STOP;
    assert_int_equal(hearth_result_usage(result)->tokens_generated, wanted.id_count - has_ended);
    hearth_result_free(result);
}

static void a_message_has_a_role_and_a_content(void **state)
{
    (void)state;
    hearth_error err = {0};
    const hearth_chat_message empty = {HEARTH_ROLE_USER, ""};
    const hearth_chat_message strange = {(enum hearth_role)9, "hello"};
    hearth_request_params params = greedy(SMOL, 4);
    assert_int_equal(hearth_chat(world.client, &empty, 1, &params, NULL, &err),
                     HEARTH_E_INPUT_INVALID);
    KIT_ASSERT_ERROR(err, HEARTH_E_INPUT_INVALID, "messages[0].content");
    assert_int_equal(hearth_chat(world.client, &strange, 1, &params, NULL, &err),
                     HEARTH_E_INPUT_INVALID);
}

static void three_roles_are_told_to_the_model(void **state)
{
    (void)state;
    const hearth_chat_message messages[] = {
        {HEARTH_ROLE_SYSTEM, "You count."},
        {HEARTH_ROLE_USER, "One."},
        {HEARTH_ROLE_ASSISTANT, "Two."},
        {HEARTH_ROLE_USER, "Three."},
    };
    assert_string_equal(hearth_role_name(HEARTH_ROLE_SYSTEM), "system");
    assert_string_equal(hearth_role_name(HEARTH_ROLE_USER), "user");
    assert_string_equal(hearth_role_name(HEARTH_ROLE_ASSISTANT), "assistant");
    chat_equals_the_reference(messages, 4, 12);
}

/* ── Mapped files ────────────────────────────────────────────────────────────────────────────── */

static void a_mapped_file_answers_as_one_that_was_read(void **state)
{
    (void)state;
    char texts[2][8192];
    daemon_load(world.client, "mapped");
    hearth_request_params params = greedy("mapped", 24);
    generate(&params, texts[0]);
    params = greedy(TINY, 24);
    generate(&params, texts[1]);
    assert_string_equal(texts[0], texts[1]);
    assert_int_equal(hearth_unload(world.client, "mapped", 0, NULL), 0);
}

static void a_file_to_map_that_is_missing_is_refused(void **state)
{
    (void)state;
    refuses_to_load("missing", HEARTH_E_MODEL_INVALID, "missing.gguf");
}

static void a_file_to_map_must_begin_as_gguf(void **state)
{
    (void)state;
    char first[5] = "";
    FILE *file = fopen(SMOL_FILE, "rb");
    assert_non_null(file);
    assert_int_equal(fread(first, 1, 4, file), 4);
    fclose(file);
    assert_string_equal(first, "GGUF");
    refuses_to_load("other", HEARTH_E_MODEL_INVALID, "");
}

static void a_mapped_length_is_that_of_the_file(void **state)
{
    (void)state;
    hearth_model_list *list;
    assert_int_equal(hearth_models(world.client, &list, NULL), 0);
    assert_int_equal(find(list, SMOL)->size_bytes, size_of(SMOL_FILE));
    hearth_model_list_free(list);
    refuses_to_load("longer", HEARTH_E_MODEL_INVALID, "");
}

/* ── From end to end ─────────────────────────────────────────────────────────────────────────── */

static void fifty_tokens_are_those_of_the_reference(void **state)
{
    (void)state;
    char text[8192];
    struct reference wanted;
    hearth_request_params params = greedy(SMOL, 50);
    reference_ask(SMOL_FILE, 50, PROMPT, NULL, 0, &wanted);
    assert_string_equal(generate(&params, text), wanted.text);
}

struct streamed {
    char text[8192];
    unsigned pieces;
    unsigned tokens;
};

static int add_piece(const hearth_item *item, void *arg)
{
    struct streamed *streamed = arg;
    size_t used = strlen(streamed->text);
    snprintf(streamed->text + used, sizeof streamed->text - used, "%s", item->text);
    streamed->pieces++;
    streamed->tokens += item->tokens;
    return 0;
}

static void a_stream_of_twenty_tokens_is_the_text_in_pieces(void **state)
{
    (void)state;
    struct streamed streamed = {{0}, 0, 0};
    struct reference wanted;
    hearth_result *result;
    hearth_request_params params = greedy(SMOL, 20);
    params.on_item = add_piece;
    params.arg = &streamed;
    reference_ask(SMOL_FILE, 20, PROMPT, NULL, 0, &wanted);
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
    assert_string_equal(streamed.text, wanted.text);
    assert_string_equal(hearth_result_item(result, 0)->text, wanted.text);
    assert_true(streamed.pieces > 1);
    assert_int_equal(streamed.tokens, 20);
    hearth_result_free(result);
}

static void a_chat_of_thirty_tokens_is_that_of_the_reference(void **state)
{
    (void)state;
    const hearth_chat_message messages[] = {
        {HEARTH_ROLE_SYSTEM, "You are a helpful assistant."},
        {HEARTH_ROLE_USER, "What is the capital of France?"},
    };
    chat_equals_the_reference(messages, 2, 30);
}

/* A figure for whoever looks; a machine that does other things too proves nothing with it. */
static void the_speed_is_printed(void **state)
{
    (void)state;
    char room[8192];
    hearth_result *result;
    hearth_request_params params = greedy(SMOL, 100);
    struct streamed streamed = {{0}, 0, 0};
    generate(&params, room);
    params.on_item = add_piece; /* else the first is told of with the last */
    params.arg = &streamed;
    assert_int_equal(hearth_generate(world.client, PROMPT, &params, &result, NULL), 0);
    const hearth_usage *usage = hearth_result_usage(result);
    assert_true(usage->tokens_generated > 1 && usage->total_us > usage->first_us);
    printf("# speed: %.1f tokens/s after the first of %u\n",
           (usage->tokens_generated - 1) * 1e6 / (usage->total_us - usage->first_us),
           usage->tokens_generated);
    hearth_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_without_options_has_sound_defaults),
        cmocka_unit_test(a_missing_path_is_refused),
        cmocka_unit_test(a_result_has_all_its_fields),
        cmocka_unit_test(four_ends_are_told_apart),
        cmocka_unit_test(parameters_beyond_their_limits_are_refused),
        cmocka_unit_test(defaults_are_the_usual_ones),
        cmocka_unit_test(a_message_has_a_role_and_a_content),
        cmocka_unit_test(three_roles_are_told_to_the_model),
        cmocka_unit_test(an_answer_is_known_by_model_and_index),
        cmocka_unit_test(as_many_tokens_as_were_asked_for),
        cmocka_unit_test(a_mapped_file_answers_as_one_that_was_read),
        cmocka_unit_test(a_file_to_map_that_is_missing_is_refused),
        cmocka_unit_test(a_file_to_map_must_begin_as_gguf),
        cmocka_unit_test(a_mapped_length_is_that_of_the_file),
        cmocka_unit_test(fifty_tokens_are_those_of_the_reference),
        cmocka_unit_test(a_stream_of_twenty_tokens_is_the_text_in_pieces),
        cmocka_unit_test(a_chat_of_thirty_tokens_is_that_of_the_reference),
        cmocka_unit_test(the_speed_is_printed),
    };
    kit_begin();
    return kit_end(cmocka_run_group_tests_name("integration_gguf_test", tests, start, stop));
}
