/* hearth_bench.c — the program: which cases, how long, what to print and how to end. */

#include "hearth_bench.h"

#include "hearth_os.h"
#include "self_check.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CASES 128u

static const struct hearth_harness_case *const families[] = {
    bench_frames,
    bench_wire,
    bench_scheduler,
    bench_memory,
    bench_grammar,
    bench_ring,
    bench_noop_latency,
    bench_noop_throughput,
    bench_shared,
    bench_tensors,
    bench_daemon,
    bench_tokenizers,
#ifdef HEARTH_BENCH_ONNX
    bench_onnx_throughput,
    bench_onnx_servers,
    bench_onnx_latency,
    bench_onnx_memory,
#endif
#ifdef HEARTH_BENCH_GGUF
    bench_generation_servers,
    bench_generation_long_prompt,
    bench_generation_start,
    bench_generation_decode,
    bench_generation_cancel,
    bench_generation_memory,
    bench_generation_features,
#endif
};

static const char usage_text[] =
    "usage: hearth-bench [OPTION…] NAME…        runs the cases whose id contains a NAME\n"
    "       hearth-bench --list | --self-check\n"
    "\n"
    "  --list           prints the cases and what they compare, and ends\n"
    "  --all            every case\n"
    "  --quick          a look: wide intervals, seconds a case (daemon/…: half a minute)\n"
    "  --seconds N      the time limit of a case (20)\n"
    "  --precision P    measures until half of the 95 % interval is below P percent (1)\n"
    "  --check          compares the results and times nothing\n"
    "  --aa             A against itself: must be called unchanged\n"
    "  --json FILE      writes the run to FILE as well\n"
    "  --commit TEXT    the commit that was built, for the record\n"
    "  --bin FOLDER     where hearthd is (the folder of this program)\n"
    "  --models FOLDER  where the models are (.: fixtures/models/echo and models/store below it)\n"
    "  --self-check     checks the harness on data whose truth is known\n"
    "  --runs N         runs a claim of the self-check (1000)\n"
    "\n"
    "Ends with 0: every goal met, or none; 1: a wrong result, or a case could not run; 2: usage;\n"
    "3: a goal missed; 4: INCONCLUSIVE, the machine was not quiet or the time too short;\n"
    "5: SKIPPED, something is missing here. The first of 1, 3, 4, 5 that applies to any case.\n";

struct request {
    struct hearth_harness_plan plan;
    struct hearth_harness_places places;
    const char *json_path;
    const char *commit;
    double seconds;
    double precision;
    double runs;
    bool wants_list;
    bool wants_all;
    bool wants_self_check;
    bool is_quick;
    bool is_aa;
    bool is_check_only;
    char *const *names;
    int name_count;
};

/* ---- arguments ------------------------------------------------------------------------------ */

static bool read_positive(const char *text, double *ret)
{
    char *end = NULL;
    errno = 0;
    *ret = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *ret > 0.0 && *ret < 1e6;
}

enum which {
    LIST = 1,
    ALL,
    QUICK,
    SECONDS,
    PRECISION,
    AA,
    CHECK_ONLY,
    JSON,
    COMMIT,
    BIN,
    MODELS,
    CHECK,
    RUNS,
    HELP
};

static const struct option_row {
    const char *name;
    int has_value;
    enum which which;
} option_rows[] = {
    {"list", no_argument, LIST},
    {"all", no_argument, ALL},
    {"quick", no_argument, QUICK},
    {"seconds", required_argument, SECONDS},
    {"precision", required_argument, PRECISION},
    {"aa", no_argument, AA},
    {"check", no_argument, CHECK_ONLY},
    {"json", required_argument, JSON},
    {"commit", required_argument, COMMIT},
    {"bin", required_argument, BIN},
    {"models", required_argument, MODELS},
    {"self-check", no_argument, CHECK},
    {"runs", required_argument, RUNS},
    {"help", no_argument, HELP},
};

/* 0, or the status to end with. */
static int take_option(enum which which, const char *value, struct request *ret)
{
    switch (which) {
    case LIST: ret->wants_list = true; return 0;
    case ALL: ret->wants_all = true; return 0;
    case QUICK: ret->is_quick = true; return 0;
    case AA: ret->is_aa = true; return 0;
    case CHECK_ONLY: ret->is_check_only = true; return 0;
    case CHECK: ret->wants_self_check = true; return 0;
    case JSON: ret->json_path = value; return 0;
    case COMMIT: ret->commit = value; return 0;
    case BIN: ret->places.bin = value; return 0;
    case MODELS: ret->places.models = value; return 0;
    case HELP: fputs(usage_text, stdout); exit(0);
    case SECONDS:
    case PRECISION:
    case RUNS:
        if (read_positive(value, which == SECONDS     ? &ret->seconds
                                 : which == PRECISION ? &ret->precision
                                                      : &ret->runs)) {
            return 0;
        }
        fprintf(stderr, "hearth-bench: \"%s\" is not a number above 0\n", value);
        return 2;
    }
    return 2;
}

static int read_arguments(int argc, char **argv, struct request *ret)
{
    struct option options[HEARTH_COUNT(option_rows) + 1] = {{0}};
    for (size_t i = 0; i < HEARTH_COUNT(option_rows); i++) {
        const struct option_row *row = &option_rows[i];
        options[i] = (struct option){row->name, row->has_value, NULL, (int)row->which};
    }
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int status = which == '?' ? 2 : take_option((enum which)which, optarg, ret);
        if (status != 0) {
            return status;
        }
    }
    ret->names = argv + optind;
    ret->name_count = argc - optind;
    hearth_harness_plan_default(&ret->plan, ret->is_quick);
    ret->plan.is_aa = ret->is_aa;
    ret->plan.is_check_only = ret->is_check_only;
    ret->plan.keeps_values = ret->json_path != NULL;
    if (ret->seconds > 0.0) {
        ret->plan.time_limit_ns = (uint64_t)(ret->seconds * 1e9);
    }
    if (ret->precision > 0.0) {
        ret->plan.precision = ret->precision / 100.0;
    }
    return 0;
}

/* ---- running -------------------------------------------------------------------------------- */

static bool is_asked_for(const struct request *request, const char *id)
{
    for (int i = 0; i < request->name_count; i++) {
        if (strstr(id, request->names[i]) != NULL) {
            return true;
        }
    }
    return request->wants_all;
}

static void print_list(void)
{
    for (size_t i = 0; i < HEARTH_COUNT(families); i++) {
        for (const struct hearth_harness_case *of = families[i]; of->id != NULL; of++) {
            printf("%-28s %s\n", of->id, of->help);
        }
    }
}

static int status_of(const struct hearth_harness_result *results, size_t count)
{
    static const struct {
        enum hearth_harness_verdict verdict;
        int status;
    } order[] = {{HEARTH_VERDICT_BROKEN, 1},
                 {HEARTH_VERDICT_FAIL, 3},
                 {HEARTH_VERDICT_INCONCLUSIVE, 4},
                 {HEARTH_VERDICT_SKIPPED, 5}};
    for (size_t i = 0; i < HEARTH_COUNT(order); i++) {
        for (size_t j = 0; j < count; j++) {
            if (results[j].verdict == order[i].verdict) {
                return order[i].status;
            }
        }
    }
    return 0;
}

/* How many cases from @of on share a run and are asked for. */
static size_t shared_count(const struct request *request, const struct hearth_harness_case *of)
{
    size_t count = 1;
    while (count < HEARTH_HARNESS_MAX_SHARED && of[count].id != NULL && of[count].shares_run &&
           is_asked_for(request, of[count].id)) {
        count++;
    }
    return count;
}

static void print_results(const struct hearth_harness_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hearth_harness_print(stdout, &results[i]);
    }
    fflush(stdout);
}

static int run_all(const struct request *request)
{
    static struct hearth_harness_result results[MAX_CASES];
    size_t count = 0;
    struct hearth_harness_machine machine;
    struct hearth_error err = {0};
    hearth_harness_machine_read(&machine);
    machine.commit = request->commit;
    hearth_harness_print_machine(stdout, &machine);
    for (size_t i = 0; i < HEARTH_COUNT(families); i++) {
        size_t shared = 1;
        for (const struct hearth_harness_case *of = families[i]; of->id != NULL; of += shared) {
            shared = 1;
            if (is_asked_for(request, of->id)) {
                shared = shared_count(request, of);
                HEARTH_ASSERT(count + shared <= MAX_CASES);
                hearth_harness_run(of, shared, &request->places, &request->plan, &results[count]);
                print_results(&results[count], shared);
                count += shared;
            }
        }
    }
    if (count == 0) {
        fprintf(stderr, "hearth-bench: no case has such a name; see hearth-bench --list\n");
        return 2;
    }
    if (request->json_path != NULL &&
        hearth_harness_write_json(request->json_path, &machine, results, count, &err) < 0) {
        fprintf(stderr, "hearth-bench: %s\n", err.text);
        return 1;
    }
    return status_of(results, count);
}

static const char *own_folder(void)
{
    static char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    return dirname(path);
}

int main(int argc, char **argv)
{
    struct request request = {.places = {.bin = own_folder(), .models = "."}};
    int status = read_arguments(argc, argv, &request);
    if (status != 0) {
        fputs("see hearth-bench --help\n", stderr);
        return status;
    }
    hearth_process_ignore_sigpipe();
    if (request.wants_list) {
        print_list();
        return 0;
    }
    if (request.wants_self_check) {
        unsigned runs = request.runs >= 1.0 ? (unsigned)request.runs : HEARTH_SELF_CHECK_RUNS;
        int wrong = hearth_self_check(runs, stdout);
        printf("self-check: %d claims do not hold\n", wrong);
        return wrong == 0 ? 0 : 1;
    }
    if (request.name_count == 0 && !request.wants_all) {
        fputs(usage_text, stderr);
        return 2;
    }
    return run_all(&request);
}
