/* servers.c — the servers that hearthd is compared with; deps/bench installs them. */

#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACE_BYTES 4096

struct place {
    char path[PLACE_BYTES]; /* as realpath() wants it */
};

static int find(const struct hearth_harness_places *places, const char *below, struct place *ret,
                struct hearth_error *err)
{
    struct place relative;
    snprintf(relative.path, sizeof relative.path, "%s/%s", places->models, below);
    if (realpath(relative.path, ret->path) == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED, "%.100s is missing: run deps/bench", below);
    }
    return 0;
}

static int start(struct peer *ret, char *const *argv, struct hearth_error *err)
{
    int rc = peer_start(ret, argv, err);
    rc = rc < 0 ? rc : peer_wait(ret, err);
    if (rc < 0) {
        peer_stop(ret);
        return hearth_because(err, rc, "start %s", argv[0]);
    }
    return 0;
}

int peer_start_fastembed(const struct hearth_harness_places *places, unsigned processes,
                         struct peer *ret, struct hearth_error *err)
{
    struct place python;
    struct place model;
    struct place servers;
    char count[12];
    *ret = (struct peer){0};
    int rc = find(places, ".deps/bench/venv/bin/uvicorn", &python, err);
    rc = rc < 0 ? rc : find(places, ".deps/bench/model/model", &model, err);
    rc = rc < 0 ? rc : find(places, "bench/servers", &servers, err);
    rc = rc < 0 ? rc : peer_make_folder(ret, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(ret->socket, sizeof ret->socket, "%s/http.sock", ret->folder);
    snprintf(count, sizeof count, "%u", HEARTH_MAX(processes, 1u));
    setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
    setenv("HEARTH_BENCH_MODEL", model.path, 1);
    if (processes > 0) {
        setenv("HEARTH_BENCH_THREADS", "1", 1);
    } else {
        unsetenv("HEARTH_BENCH_THREADS");
    }
    char *const argv[] = {python.path,
                          "--uds",
                          ret->socket,
                          "--workers",
                          count,
                          "--app-dir",
                          servers.path,
                          "--log-level",
                          "warning",
                          "--no-access-log",
                          "--timeout-keep-alive",
                          "600",
                          "fastembed_server:app",
                          NULL};
    return start(ret, argv, err);
}

int peer_start_transformers_js(const struct hearth_harness_places *places, struct peer *ret,
                               struct hearth_error *err)
{
    struct place program;
    struct place modules;
    struct place model;
    *ret = (struct peer){0};
    int rc = find(places, "bench/servers/transformers_server.mjs", &program, err);
    rc = rc < 0 ? rc : find(places, ".deps/bench/node/node_modules", &modules, err);
    rc = rc < 0 ? rc : find(places, ".deps/bench/model", &model, err);
    rc = rc < 0 ? rc : peer_make_folder(ret, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(ret->socket, sizeof ret->socket, "%s/http.sock", ret->folder);
    char *const argv[] = {"node", program.path, modules.path, model.path, ret->socket, NULL};
    return start(ret, argv, err);
}

int peer_exec_llama_server(const struct hearth_harness_places *places, const char *model,
                           unsigned slots, unsigned context_tokens, struct peer *ret,
                           struct hearth_error *err)
{
    struct place program;
    struct place file;
    char numbers[3][12];
    *ret = (struct peer){0};
    int rc = find(places, ".deps/bench/llama/llama-server", &program, err);
    rc = rc < 0 ? rc : find(places, model, &file, err);
    rc = rc < 0 ? rc : peer_make_folder(ret, err);
    if (rc < 0) {
        return rc;
    }
    snprintf(ret->socket, sizeof ret->socket, "%s/http.sock", ret->folder);
    snprintf(numbers[0], sizeof numbers[0], "%u", slots);
    snprintf(numbers[1], sizeof numbers[1], "%u", context_tokens);
    snprintf(numbers[2], sizeof numbers[2], "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    char *const argv[] = {program.path, "--model",    file.path,   "--host",
                          ret->socket,  "--parallel", numbers[0],  "--kv-unified",
                          "--ctx-size", numbers[1],   "--threads", numbers[2],
                          NULL};
    rc = peer_start(ret, argv, err);
    if (rc < 0) {
        peer_stop(ret);
        return hearth_because(err, rc, "start llama-server");
    }
    return 0;
}
