#include "kit.h"

#include "source.h"

#include <stdio.h>
#include <string.h>

#define COMMIT "999f761fe19e26cf1a339a5ec5f9f201301cbb83"

static struct pull_problem problem;

static void a_source_has_repository_revision_and_path(void **state)
{
    struct pull_source source;
    char url[256];
    (void)state;
    assert_int_equal(
        pull_source_parse("owner/repo.v2@" COMMIT "/onnx/model.onnx", &source, &problem), 0);
    assert_string_equal(source.repository, "owner/repo.v2");
    assert_string_equal(source.revision, COMMIT);
    assert_string_equal(source.path, "onnx/model.onnx");
    assert_string_equal(pull_source_file_name(&source), "model.onnx");
    assert_true(pull_source_is_pinned(&source));
    assert_int_equal(pull_source_url(&source, "https://hub.example/", url, sizeof url, &problem),
                     0);
    assert_string_equal(url,
                        "https://hub.example/owner/repo.v2/resolve/" COMMIT "/onnx/model.onnx");
    assert_int_equal(pull_source_parse("owner/repo/x.gguf", &source, &problem), 0);
    assert_string_equal(source.revision, "main");
    assert_false(pull_source_is_pinned(&source));
}

static void what_would_steer_an_address_is_escaped(void **state)
{
    struct pull_source source;
    char url[256];
    (void)state;
    assert_int_equal(pull_source_parse("o/r/a b?c#d%2e&e=f@g.gguf", &source, &problem), 0);
    assert_int_equal(pull_source_url(&source, "https://h", url, sizeof url, &problem), 0);
    assert_string_equal(url, "https://h/o/r/resolve/main/a%20b%3Fc%23d%252e%26e%3Df%40g.gguf");
    assert_int_equal(pull_source_url(&source, "https://h", url, 30, &problem), HEARTH_E_TOO_LARGE);
}

static void what_leads_elsewhere_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "owner",
        "owner/repo",
        "owner/repo/",
        "owner/repo@/x",
        "/repo/x",
        "../repo/x",
        "owner/../x",
        "owner/repo/../x",
        "owner/repo/a/../x",
        "owner/repo/./x",
        "owner/repo//x",
        "owner/repo@../x",
        "owner/repo@a b/x",
        "own er/repo/x",
        "owner/repo/a\\b",
        "owner/repo/a\nb",
        "owner/repo/\x7f",
    };
    struct pull_source source = {.path = "kept"};
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_int_equal(pull_source_parse(wrong[i], &source, &problem), HEARTH_E_ARGUMENT);
        assert_true(problem.err.text[0] != '\0' && problem.remedy[0] != '\0');
    }
    assert_string_equal(source.path, "kept");
}

static void parts_that_are_too_long_are_refused(void **state)
{
    struct pull_source source;
    char text[1200];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "o/r/", 4);
    text[4 + 512] = '\0';
    assert_int_equal(pull_source_parse(text, &source, &problem), 0);
    text[4 + 512] = 'a';
    text[4 + 513] = '\0';
    assert_int_equal(pull_source_parse(text, &source, &problem), HEARTH_E_ARGUMENT);
}

static void names_of_models_are_those_that_the_daemon_takes(void **state)
{
    static const char *const right[] = {"a", "all-MiniLM_L6.v2", "0"};
    static const char *const wrong[] = {"", ".a", "-a", "a/b", "a b", "..", "\xc3\xa4", "a\n"};
    char text[PULL_MAX_NAME_BYTES + 2];
    (void)state;
    for (size_t i = 0; i < HEARTH_COUNT(right); i++) {
        assert_true(pull_name_is_valid(right[i]));
    }
    for (size_t i = 0; i < HEARTH_COUNT(wrong); i++) {
        assert_false(pull_name_is_valid(wrong[i]));
    }
    memset(text, 'a', sizeof text);
    text[PULL_MAX_NAME_BYTES] = '\0';
    assert_true(pull_name_is_valid(text));
    text[PULL_MAX_NAME_BYTES] = 'a';
    text[PULL_MAX_NAME_BYTES + 1] = '\0';
    assert_false(pull_name_is_valid(text));
}

KIT_MAIN(cmocka_unit_test(a_source_has_repository_revision_and_path),
         cmocka_unit_test(what_would_steer_an_address_is_escaped),
         cmocka_unit_test(what_leads_elsewhere_is_refused),
         cmocka_unit_test(parts_that_are_too_long_are_refused),
         cmocka_unit_test(names_of_models_are_those_that_the_daemon_takes))
