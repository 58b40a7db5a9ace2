#include "kit.h"

#include "hearth_registry.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ECHO                                                                                       \
    "{\"model_id\":\"%s\",\"architecture\":\"echo\",\"capabilities\":[\"embedding\"],"             \
    "\"version\":\"%s\"}"

struct world {
    char root[64];
    char second[64];
    const char *roots[2];
    struct hearth_registry registry;
    struct hearth_error err;
};

static int setup(void **state)
{
    static struct world w;
    w = (struct world){.root = "/tmp/hearth-test-XXXXXX", .second = "/tmp/hearth-test-XXXXXX"};
    assert_non_null(mkdtemp(w.root));
    assert_non_null(mkdtemp(w.second));
    w.roots[0] = w.root;
    w.roots[1] = w.second;
    hearth_registry_init(&w.registry, w.roots, 2);
    *state = &w;
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    hearth_registry_finish(&w->registry);
    int rc = nftw(w->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return nftw(w->second, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0 ? -1 : rc;
}

static void given_file(const char *root, const char *name, const char *id, const char *version)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, ECHO, id, version);
    assert_int_equal(fclose(file), 0);
}

static void given_folder(const char *root, const char *id, const char *version)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, id);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/manifest.json", id);
    given_file(root, path, id, version);
}

static struct hearth_model *find(struct world *w, const char *id)
{
    return hearth_registry_find(&w->registry, hearth_slice_of_string(id));
}

static void folders_and_files_are_found(void **state)
{
    struct world *w = *state;
    given_folder(w->root, "a", "1");
    given_file(w->root, "b.manifest.json", "b", "1");
    given_file(w->root, "unrelated.json", "c", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_string_equal(find(w, "a")->folder, "a");
    assert_string_equal(find(w, "b")->folder, "");
    assert_int_equal(find(w, "a")->state, HEARTH_MODEL_ABSENT);
    assert_null(find(w, "c"));
    assert_null(find(w, "unrelated"));
}

static void folder_wins_over_file_and_first_root_over_second(void **state)
{
    struct world *w = *state;
    given_folder(w->root, "a", "folder");
    given_file(w->root, "a.manifest.json", "a", "file");
    given_folder(w->second, "a", "second");
    given_folder(w->second, "z", "second");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_string_equal(find(w, "a")->manifest->version, "folder");
    assert_int_equal(find(w, "a")->root, 0);
    assert_int_equal(find(w, "z")->root, 1);
}

static void a_wrong_manifest_is_listed_as_failed_and_heals(void **state)
{
    struct world *w = *state;
    given_folder(w->root, "a", "1");
    given_file(w->root, "a/manifest.json", "not-a", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_int_equal(find(w, "a")->state, HEARTH_MODEL_FAILED);
    KIT_ASSERT_ERROR(find(w, "a")->failure, HEARTH_E_MODEL_INVALID, "model \"a\": manifest.json");
    given_folder(w->root, "a", "2");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_int_equal(find(w, "a")->state, HEARTH_MODEL_ABSENT);
    assert_int_equal(find(w, "a")->failure.code, 0);
}

static void a_rescan_replaces_forgets_and_leaves_workers_alone(void **state)
{
    struct world *w = *state;
    char path[256];
    given_folder(w->root, "loaded", "1");
    given_folder(w->root, "idle", "1");
    given_folder(w->root, "gone", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    hearth_model_move(find(w, "loaded"), HEARTH_MODEL_LOADING);
    given_folder(w->root, "loaded", "2");
    given_folder(w->root, "idle", "2");
    snprintf(path, sizeof path, "%s/gone/manifest.json", w->root);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_string_equal(find(w, "loaded")->manifest->version, "1");
    assert_string_equal(find(w, "idle")->manifest->version, "2");
    assert_null(find(w, "gone"));
}

static void a_failed_load_keeps_its_reason_over_a_rescan(void **state)
{
    struct world *w = *state;
    struct hearth_error why = {.code = HEARTH_E_NO_ROOM, .text = "why"};
    given_folder(w->root, "a", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    hearth_model_move(find(w, "a"), HEARTH_MODEL_LOADING);
    hearth_model_fail(find(w, "a"), &why);
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_int_equal(find(w, "a")->state, HEARTH_MODEL_FAILED);
    assert_string_equal(find(w, "a")->failure.text, "why");
    hearth_model_move(find(w, "a"), HEARTH_MODEL_LOADING);
    assert_int_equal(find(w, "a")->failure.code, 0);
}

static void a_missing_root_is_told_and_the_other_is_read(void **state)
{
    struct world *w = *state;
    w->roots[0] = "/tmp/hearth-test-no-such-folder";
    given_folder(w->second, "a", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), HEARTH_E_SYSTEM);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_SYSTEM, "models folder /tmp/hearth-test-no-such-folder");
    assert_non_null(find(w, "a"));
}

static void the_model_too_many_is_told(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i <= HEARTH_MAX_MODELS; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%u", i);
        given_folder(w->root, id, "1");
    }
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), HEARTH_E_TOO_LARGE);
    KIT_ASSERT_ERROR(w->err, HEARTH_E_TOO_LARGE, "more than 64 models");
    assert_int_equal(hearth_registry_count(&w->registry, HEARTH_MODEL_ABSENT), HEARTH_MAX_MODELS);
}

static void a_scan_in_steps_finds_what_one_in_one_go_finds(void **state)
{
    struct world *w = *state;
    unsigned steps = 0;
    int rc;
    given_folder(w->root, "a", "1");
    given_folder(w->second, "a", "2");
    given_folder(w->second, "b", "1");
    given_file(w->root, "b.manifest.json", "b", "2");
    w->roots[0] = w->root;
    hearth_registry_scan_begin(&w->registry);
    while ((rc = hearth_registry_scan_step(&w->registry, 1, &w->err)) == 1) {
        steps++;
    }
    assert_int_equal(rc, 0);
    assert_true(steps > 8);
    assert_string_equal(find(w, "a")->manifest->version, "1");
    assert_string_equal(find(w, "b")->manifest->version, "2");
    hearth_registry_scan_begin(&w->registry); /* one that is given up leaves nothing open */
    assert_int_equal(hearth_registry_scan_step(&w->registry, 1, &w->err), 1);
    hearth_registry_scan_begin(&w->registry);
    assert_int_equal(hearth_registry_scan_step(&w->registry, 1, &w->err), 1);
}

static void a_look_at_one_model_finds_replaces_and_forgets_it(void **state)
{
    struct world *w = *state;
    struct hearth_slice id = hearth_slice_of_string("a");
    given_folder(w->second, "a", "1");
    given_folder(w->second, "b", "1");
    assert_int_equal(hearth_registry_look(&w->registry, id, &w->err), 0);
    assert_string_equal(find(w, "a")->manifest->version, "1");
    assert_null(find(w, "b"));
    given_file(w->root, "a.manifest.json", "a", "2"); /* the first root wins */
    assert_int_equal(hearth_registry_look(&w->registry, id, &w->err), 0);
    assert_string_equal(find(w, "a")->manifest->version, "2");
    hearth_model_move(find(w, "a"), HEARTH_MODEL_LOADING);
    hearth_model_move(find(w, "a"), HEARTH_MODEL_READY);
    given_file(w->root, "a.manifest.json", "a", "3"); /* but what is served stays as it is */
    assert_int_equal(hearth_registry_look(&w->registry, id, &w->err), 0);
    assert_string_equal(find(w, "a")->manifest->version, "2");
    assert_int_equal(hearth_registry_look(&w->registry, hearth_slice_of_string("../a"), &w->err),
                     0);
    assert_int_equal(hearth_registry_look(&w->registry, hearth_slice_of_string("none"), &w->err),
                     0);
    assert_int_equal(hearth_registry_count(&w->registry, HEARTH_MODEL_ABSENT), 0);
}

static void versions_lie_beside_each_other(void **state)
{
    struct world *w = *state;
    char path[256];
    given_folder(w->root, "a@1", "1");
    given_file(w->root, "a@2.manifest.json", "a", "2"); /* as the model is called without it */
    given_folder(w->root, "a@3", "4");
    snprintf(path, sizeof path, "%s/b@1", w->root);
    assert_int_equal(mkdir(path, 0700), 0);
    given_file(w->root, "b@1/manifest.json", "c", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_string_equal(find(w, "a@1")->manifest->model_id, "a@1");
    assert_string_equal(find(w, "a@2")->manifest->model_id, "a@2");
    assert_int_equal(find(w, "a@2")->state, HEARTH_MODEL_ABSENT);
    KIT_ASSERT_ERROR(find(w, "a@3")->failure, HEARTH_E_MODEL_INVALID,
                     "what follows the @ must be the version");
    KIT_ASSERT_ERROR(find(w, "b@1")->failure, HEARTH_E_MODEL_INVALID, "they must be equal");
}

static void a_pinned_model_is_neither_forgotten_nor_replaced(void **state)
{
    struct world *w = *state;
    char path[256];
    given_folder(w->root, "a", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    find(w, "a")->is_pinned = true;
    given_folder(w->root, "a", "2");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_string_equal(find(w, "a")->manifest->version, "1");
    snprintf(path, sizeof path, "%s/a/manifest.json", w->root);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_non_null(find(w, "a"));
    find(w, "a")->is_pinned = false;
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_null(find(w, "a"));
}

static void golden_inputs_lie_beside_the_manifest(void **state)
{
    struct world *w = *state;
    struct hearth_golden *golden = NULL;
    char path[256];
    given_folder(w->root, "a", "1");
    given_file(w->root, "b.manifest.json", "b", "1");
    assert_int_equal(hearth_registry_scan(&w->registry, &w->err), 0);
    assert_int_equal(hearth_registry_read_golden(&w->registry, find(w, "a"), &golden, &w->err), 0);
    static const char *const places[] = {"a/golden.json", "b.golden.json"};
    static const char *const ids[] = {"a", "b"};
    for (size_t i = 0; i < HEARTH_COUNT(places); i++) {
        snprintf(path, sizeof path, "%s/%s", w->root, places[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("{\"inputs\":[{\"text\":\"x\"}]}", file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(
            hearth_registry_read_golden(&w->registry, find(w, ids[i]), &golden, &w->err), 1);
        assert_int_equal(golden->count, 1);
        hearth_golden_destroy(golden);
    }
}

static void only_the_moves_of_the_table_are_lawful(void **state)
{
    (void)state;
    static const char *const table =
        "absent>loading absent>failed loading>ready loading>failed "
        "loading>draining ready>draining ready>restarting ready>failed "
        "draining>absent failed>loading failed>absent "
        "restarting>ready restarting>failed restarting>draining ";
    static const char *const names[] = {"absent",   "loading", "ready",
                                        "draining", "failed",  "restarting"};
    for (size_t from = 0; from < HEARTH_COUNT(names); from++) {
        for (size_t to = 0; to < HEARTH_COUNT(names); to++) {
            char move[64];
            snprintf(move, sizeof move, "%s>%s ", names[from], names[to]);
            assert_int_equal(
                hearth_model_may_move((enum hearth_model_state)from, (enum hearth_model_state)to),
                strstr(table, move) != NULL);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
KIT_MAIN(TEST(folders_and_files_are_found), TEST(folder_wins_over_file_and_first_root_over_second),
         TEST(a_wrong_manifest_is_listed_as_failed_and_heals),
         TEST(a_rescan_replaces_forgets_and_leaves_workers_alone),
         TEST(a_failed_load_keeps_its_reason_over_a_rescan),
         TEST(a_scan_in_steps_finds_what_one_in_one_go_finds),
         TEST(a_look_at_one_model_finds_replaces_and_forgets_it),
         TEST(a_missing_root_is_told_and_the_other_is_read), TEST(the_model_too_many_is_told),
         TEST(versions_lie_beside_each_other),
         TEST(a_pinned_model_is_neither_forgotten_nor_replaced),
         TEST(golden_inputs_lie_beside_the_manifest),
         cmocka_unit_test(only_the_moves_of_the_table_are_lawful))
