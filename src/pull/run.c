/* run.c — what is asked for, from the first look at the space to the last rename. */

#include "hearth_pull.h"

#include "interrupt.h"
#include "options.h"
#include "place.h"
#include "token.h"

#include "hearth_os.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HUB_PREFIX  "hub:"
#define SPARE_BYTES (UINT64_C(16) << 20) /* left free on a disk */

/* One run of the program. */
struct pull {
    struct pull_options options;
    struct pull_network network;
    struct pull_fetcher fetcher;
    struct pull_catalogue *catalogue; /* NULL until it is needed */
    char token[PULL_MAX_TOKEN_BYTES + 1];
};

static int open_catalogue(struct pull *pull, struct pull_problem *problem)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf json;
    struct hearth_error err = {0};
    hearth_buf_init(&json, PULL_MAX_CATALOGUE_BYTES);
    if (pull->catalogue != NULL) {
        return 0;
    }
    int rc = hearth_file_read(pull->options.catalogue, &json, &err);
    if (rc < 0) {
        return pull_fail(problem, rc, "give --catalogue FILE", "%s", err.text);
    }
    return pull_catalogue_open(hearth_buf_slice(&json), &pull->catalogue, problem);
}

/* Only when something has to come: offline there is no client at all. */
static int open_client(struct pull *pull, struct pull_problem *problem)
{
    const struct pull_options *options = &pull->options;
    if (options->is_offline || pull->fetcher.client != NULL) {
        return 0;
    }
    if (options->token_file != NULL) {
        int rc = pull_token_read(options->token_file, pull->token, problem);
        if (rc < 0) {
            return rc;
        }
    }
    pull->network = (struct pull_network){.hub = options->hub,
                                          .token = pull->token[0] != '\0' ? pull->token : NULL,
                                          .ca_file = options->ca_file,
                                          .stall_secs = HEARTH_MAX(options->stall_secs, 1u)};
    return pull_client_create(&pull->network, &pull->fetcher.client, problem);
}

/* Before the first byte is asked for: all of it must fit, in the cache and, if that is another file
 * system, in the folder of models once more. */
static int check_space(const struct pull *pull, const struct pull_model *model, const char *target,
                       struct pull_problem *problem)
{
    uint64_t free_bytes;
    uint64_t target_free_bytes;
    uint64_t device;
    uint64_t target_device;
    uint64_t missing = 0;
    char need[16];
    char have[16];
    for (uint32_t i = 0; i < model->file_count; i++) {
        missing += pull_missing_bytes(&pull->fetcher, &model->files[i]);
    }
    int rc = pull_make_folders(target, problem);
    rc = rc < 0 ? rc : pull_free_bytes(pull->options.cache, &free_bytes, &device, problem);
    rc = rc < 0 ? rc : pull_free_bytes(target, &target_free_bytes, &target_device, problem);
    if (rc < 0) {
        return rc;
    }
    uint64_t target_missing = device == target_device ? 0 : model->size_bytes;
    bool is_cache = missing > 0 && free_bytes < missing + SPARE_BYTES;
    bool is_target = target_missing > 0 && target_free_bytes < target_missing + SPARE_BYTES;
    if (!is_cache && !is_target) {
        return 0;
    }
    pull_bytes_text(is_cache ? missing : target_missing, need);
    pull_bytes_text(is_cache ? free_bytes : target_free_bytes, have);
    return pull_fail(problem, HEARTH_E_NO_ROOM,
                     "free some space, or choose another --cache or --models",
                     "\"%.60s\" needs %s more, and %.60s has %s free; nothing was fetched",
                     model->name, need, is_cache ? pull->options.cache : target, have);
}

/* ── A model of the catalogue ────────────────────────────────────────────────────────────────── */

static void say_done(const struct pull *pull, const char *name, const char *where, uint64_t bytes,
                     bool was_there)
{
    char size[16];
    if (pull->options.is_quiet) {
        return;
    }
    pull_bytes_text(bytes, size);
    printf("%s: %s, %s in %s\n", name, was_there ? "is there already" : "installed", size, where);
    fflush(stdout);
}

static int fetch_files(struct pull *pull, struct pull_model *model, struct pull_problem *problem)
{
    int rc = pull_cache_make(&pull->fetcher, problem);
    rc = rc < 0 ? rc : check_space(pull, model, pull->options.models, problem);
    rc = rc < 0 ? rc : open_client(pull, problem);
    for (uint32_t i = 0; i < model->file_count && rc == 0; i++) {
        rc = pull_fetch_file(&pull->fetcher, &model->files[i], problem);
    }
    return rc;
}

static int pull_named(struct pull *pull, const char *name, struct pull_problem *problem)
{
    struct pull_model model;
    const struct pull_options *options = &pull->options;
    pull_model_init(&model);
    int rc = open_catalogue(pull, problem);
    rc = rc < 0 ? rc : pull_catalogue_find(pull->catalogue, name, &model, problem);
    bool was_there = rc == 0 && !options->is_replace && pull_is_placed(options->models, &model);
    if (rc == 0 && !was_there) {
        rc = fetch_files(pull, &model, problem);
        rc = rc < 0 ? rc
                    : pull_place_model(&pull->fetcher, &model, options->models, options->is_replace,
                                       problem);
    }
    if (rc >= 0) {
        say_done(pull, name, options->models, model.size_bytes, was_there || rc == 1);
    }
    pull_model_finish(&model);
    return rc < 0 ? rc : 0;
}

/* ── A file of a hub ─────────────────────────────────────────────────────────────────────────── */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* What a model from a hub is called: as was asked, or as its file without the end. */
static int name_model(const struct pull_options *options, struct pull_model *model,
                      struct pull_problem *problem)
{
    const char *file = pull_source_file_name(&model->files[0].source);
    size_t size = strlen(file) - strlen(".gguf");
    const char *name = options->name != NULL ? options->name : file;
    size = options->name != NULL ? strlen(name) : size;
    if (!hearth_slice_to_string(hearth_slice_of(name, size), model->name, sizeof model->name) ||
        !pull_name_is_valid(model->name)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, "give --name NAME",
                         "'%.100s' cannot be a model's name", file);
    }
    return 0;
}

static int describe_file(struct pull *pull, const char *text, struct pull_model *model,
                         struct pull_problem *problem)
{
    const struct pull_options *options = &pull->options;
    struct pull_file *file = &model->files[0];
    int rc = pull_source_parse(text, &file->source, problem);
    if (rc < 0) {
        return rc;
    }
    const char *name = pull_source_file_name(&file->source);
    model->file_count = 1;
    if (!hearth_slice_to_string(hearth_slice_of_string("model"), file->role, sizeof file->role) ||
        !hearth_slice_to_string(hearth_slice_of_string(name), file->path, sizeof file->path) ||
        name[0] == '.' || strcmp(name, "manifest.json") == 0) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, "fetch another file",
                         "'%.60s' is no name for a file of a model", name);
    }
    if (options->sha256 != NULL) {
        pull_hex_copy(hearth_slice_of_string(options->sha256), PULL_SHA256_BYTES, file->sha256);
    }
    if (options->output != NULL) {
        return 0;
    }
    if (!ends_with(name, ".gguf")) {
        return pull_fail(problem, HEARTH_E_ARGUMENT,
                         "fetch its files with --output DIR, then scripts/import_model.sh DIR",
                         "only a .gguf file is a model by itself, not '%.80s'", name);
    }
    return name_model(options, model, problem);
}

static int place_from_hub(struct pull *pull, struct pull_model *model, struct pull_problem *problem)
{
    const struct pull_options *options = &pull->options;
    if (options->output != NULL) {
        return pull_place_file(&pull->fetcher, &model->files[0], options->output,
                               options->is_replace, problem);
    }
    model->size_bytes = model->files[0].size_bytes;
    int rc = pull_manifest_of_gguf(model, options->licence, pull->fetcher.commit, problem);
    return rc < 0 ? rc
                  : pull_place_model(&pull->fetcher, model, options->models, options->is_replace,
                                     problem);
}

/* Nobody but the hub knows this file: what it tells is noted, in the manifest and on the terminal.
 */
static void say_digest(const struct pull *pull, const struct pull_file *file)
{
    if (!pull->options.is_quiet) {
        printf("%s: sha256 %s%s%s\n", file->path, file->sha256,
               pull->fetcher.commit[0] != '\0' ? ", revision " : "", pull->fetcher.commit);
    }
}

static int pull_from_hub(struct pull *pull, const char *text, struct pull_problem *problem)
{
    struct pull_model model;
    pull_model_init(&model);
    pull->fetcher.commit[0] = '\0';
    int rc = describe_file(pull, text, &model, problem);
    rc = rc < 0 ? rc : pull_cache_make(&pull->fetcher, problem);
    rc = rc < 0 ? rc : open_client(pull, problem);
    rc = rc < 0 ? rc : pull_fetch_file(&pull->fetcher, &model.files[0], problem);
    rc = rc < 0 ? rc : place_from_hub(pull, &model, problem);
    if (rc >= 0) {
        bool is_file = pull->options.output != NULL;
        say_digest(pull, &model.files[0]);
        say_done(pull, is_file ? model.files[0].path : model.name,
                 is_file ? pull->options.output : pull->options.models, model.files[0].size_bytes,
                 rc == 1);
    }
    pull_model_finish(&model);
    return rc < 0 ? rc : 0;
}

/* ── Listing and checking ────────────────────────────────────────────────────────────────────── */

static int list(struct pull *pull, struct pull_problem *problem)
{
    int rc = open_catalogue(pull, problem);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < pull_catalogue_count(pull->catalogue); i++) {
        struct pull_entry entry;
        char size[16];
        pull_catalogue_entry(pull->catalogue, i, &entry);
        if (entry.is_fetched && pull_name_is_valid(entry.name)) {
            pull_bytes_text(entry.size_bytes, size);
            printf("%-24s %8s  %.90s\n", entry.name, size, entry.description);
        }
    }
    return 0;
}

/* The catalogue's word counts if it has one of that name; a model of one's own has its manifest's.
 */
static int check_one(struct pull *pull, const char *name, struct pull_problem *problem)
{
    struct pull_model wanted;
    struct pull_problem ignored;
    uint64_t bytes = 0;
    pull_model_init(&wanted);
    bool is_listed = open_catalogue(pull, &ignored) == 0 &&
                     pull_catalogue_find(pull->catalogue, name, &wanted, &ignored) == 0;
    int rc = pull_name_is_valid(name)
                 ? pull_check_model(pull->options.models, name, is_listed ? &wanted : NULL, &bytes,
                                    problem)
                 : pull_fail(problem, HEARTH_E_ARGUMENT, "correct it",
                             "'%.60s' is no name of a model", name);
    if (rc == 0 && !pull->options.is_quiet) {
        char size[16];
        pull_bytes_text(bytes, size);
        printf("%s: whole, %s, as its manifest%s says\n", name, size,
               is_listed ? " and the catalogue" : "");
    }
    pull_model_finish(&wanted);
    return rc;
}

/* Every folder with a manifest. The last problem is returned; those before it are printed. */
static int check_all(struct pull *pull, struct pull_problem *problem)
{
    char path[PULL_MAX_PATH_BYTES];
    int rc = 0;
    DIR *folder = opendir(pull->options.models);
    if (folder == NULL) {
        return pull_fail_errno(problem, "give --models DIR", "open %.150s", pull->options.models);
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct pull_problem found;
        if (!pull_name_is_valid(entry->d_name) ||
            pull_path(path, &found, "%s/%s/manifest.json", pull->options.models, entry->d_name) <
                0 ||
            access(path, F_OK) != 0) {
            continue;
        }
        int one = check_one(pull, entry->d_name, &found);
        if (one < 0 && rc < 0) {
            pull_problem_print(problem);
        }
        *problem = one < 0 ? found : *problem;
        rc = one < 0 ? one : rc;
    }
    closedir(folder);
    return rc;
}

/* ── All of it ───────────────────────────────────────────────────────────────────────────────── */

static int run_argument(struct pull *pull, const char *argument, struct pull_problem *problem)
{
    if (pull->options.is_check) {
        return check_one(pull, argument, problem);
    }
    if (strncmp(argument, HUB_PREFIX, strlen(HUB_PREFIX)) == 0) {
        return pull_from_hub(pull, argument + strlen(HUB_PREFIX), problem);
    }
    return pull_named(pull, argument, problem);
}

static int run(struct pull *pull, struct pull_problem *problem)
{
    const struct pull_options *options = &pull->options;
    pull->fetcher.cache = options->cache;
    pull->fetcher.hub = options->hub;
    pull->fetcher.retries = options->retries;
    pull->fetcher.is_quiet = options->is_quiet;
    pull->fetcher.progress.is_shown = !options->is_quiet && isatty(STDERR_FILENO) == 1;
    if (options->is_list) {
        return list(pull, problem);
    }
    if (options->is_check && options->argument_count == 0) {
        return check_all(pull, problem);
    }
    int rc = 0;
    for (size_t i = 0; i < options->argument_count && rc == 0; i++) {
        rc = run_argument(pull, options->arguments[i], problem);
    }
    return rc;
}

static int exit_code(int rc)
{
    int signal_number = pull_interrupted();
    if (rc == HEARTH_E_CANCELLED && signal_number != 0) {
        return 128 + signal_number;
    }
    return rc >= 0 ? PULL_DONE : rc == HEARTH_E_ARGUMENT ? PULL_USAGE : PULL_FAILED;
}

int hearth_pull_main(int argc, char **argv)
{
    static struct pull pull; /* large, and there is one */
    struct pull_problem problem = {.remedy = "report it"};
    hearth_fd_open_standard();
    int rc = pull_options_read(argc, argv, &pull.options, &problem);
    if (rc == 0 && pull.options.is_help) {
        pull_options_print();
    } else if (rc == 0 && pull.options.is_version) {
        printf("hearth-pull %s\n", HEARTH_VERSION);
    } else if (rc == 0) {
        pull_interrupt_install();
        rc = run(&pull, &problem);
    }
    pull_client_destroy(pull.fetcher.client);
    pull_catalogue_close(pull.catalogue);
    hearth_wipe(pull.token, sizeof pull.token);
    if (fflush(stdout) != 0 && rc == 0) {
        rc = pull_fail_errno(&problem, "see where the output goes to", "write the output");
    }
    if (rc < 0) {
        pull_problem_print(&problem);
    }
    return exit_code(rc);
}
