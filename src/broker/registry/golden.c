/* golden.c — golden.json → struct hearth_golden. Unknown members are left alone, every known one is
 * checked for kind, size and meaning. */

#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

/* The texts and vectors of a file, and what answers add to that: 32 vectors or 32 texts. */
#define ARENA_CAP_BYTES    (24u << 20)
#define DEFAULT_MAX_TOKENS 32u

struct reader {
    struct hearth_golden *golden;
    uint32_t index; /* of the input that is read */
    struct hearth_error *err;
};

static int invalid(struct reader *reader, const char *member, const char *want)
{
    return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID,
                       "golden.json: inputs[%u]: \"%s\" must be %s", reader->index, member, want);
}

/* ---- single values ------------------------------------------------------------------------ */

/* Copies a text of at most @max bytes; NULL if the member is not there. */
static int take_text(struct reader *reader, yyjson_val *object, const char *member, size_t max,
                     bool may_be_empty, const char **ret)
{
    yyjson_val *value = yyjson_obj_get(object, member);
    const char *text = yyjson_get_str(value);
    size_t size = yyjson_get_len(value);
    *ret = NULL;
    if (value == NULL) {
        return 0;
    }
    if (text == NULL || size > max || (size == 0 && !may_be_empty) ||
        memchr(text, 0, size) != NULL) {
        char want[64];
        snprintf(want, sizeof want, "a string of %d to %zu bytes", may_be_empty ? 0 : 1, max);
        return invalid(reader, member, want);
    }
    *ret = hearth_arena_copy(&reader->golden->arena, hearth_slice_of(text, size));
    return *ret == NULL ? hearth_fail_oom(reader->err) : 0;
}

/* A finite number, so that a comparison with it means something. */
static bool is_number(yyjson_val *value, double *ret)
{
    *ret = yyjson_get_num(value);
    return yyjson_is_num(value) && isfinite(*ret) && fabs(*ret) <= 1e30;
}

static int take_tolerance(struct reader *reader, yyjson_val *object, double *tolerance)
{
    yyjson_val *value = yyjson_obj_get(object, "tolerance");
    double found = 0;
    if (value == NULL) {
        return 0;
    }
    if (!is_number(value, &found) || found < 0 || found > 1) {
        return invalid(reader, "tolerance", "a number from 0 to 1");
    }
    *tolerance = found;
    return 0;
}

static int take_max_tokens(struct reader *reader, yyjson_val *object, uint32_t *ret)
{
    yyjson_val *value = yyjson_obj_get(object, "max_tokens");
    *ret = DEFAULT_MAX_TOKENS;
    if (value == NULL) {
        return 0;
    }
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) == 0 ||
        yyjson_get_uint(value) > HEARTH_MAX_GOLDEN_TOKENS) {
        return invalid(reader, "max_tokens", "a whole number from 1 to 256");
    }
    *ret = (uint32_t)yyjson_get_uint(value);
    return 0;
}

/* ---- answers ------------------------------------------------------------------------------ */

static int take_scores(struct reader *reader, yyjson_val *object,
                       struct hearth_golden_answer *answer)
{
    struct hearth_arena *arena = &reader->golden->arena;
    yyjson_val *scores = yyjson_obj_get(object, "scores");
    size_t count = yyjson_obj_size(scores);
    if (scores == NULL) {
        return 0;
    }
    if (!yyjson_is_obj(scores) || count == 0 || count > HEARTH_MAX_LABELS) {
        return invalid(reader, "scores", "an object of 1 to 1024 labels and their scores");
    }
    answer->scores = hearth_arena_alloc(arena, count, sizeof *answer->scores);
    if (answer->scores == NULL) {
        return hearth_fail_oom(reader->err);
    }
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *value;
    yyjson_obj_foreach(scores, index, max, key, value)
    {
        struct hearth_golden_score *score = &answer->scores[index];
        size_t size = yyjson_get_len(key);
        if (size == 0 || size > HEARTH_MAX_LABEL_BYTES ||
            memchr(yyjson_get_str(key), 0, size) != NULL || !is_number(value, &score->score)) {
            return invalid(reader, "scores", "an object of labels and finite numbers");
        }
        score->label = hearth_arena_copy(arena, hearth_slice_of(yyjson_get_str(key), size));
        if (score->label == NULL) {
            return hearth_fail_oom(reader->err);
        }
    }
    answer->score_count = (uint32_t)count;
    return 0;
}

static int take_vector(struct reader *reader, yyjson_val *object,
                       struct hearth_golden_answer *answer)
{
    yyjson_val *vector = yyjson_obj_get(object, "vector");
    size_t count = yyjson_arr_size(vector);
    if (vector == NULL) {
        return 0;
    }
    if (!yyjson_is_arr(vector) || count == 0 || count > HEARTH_MAX_VECTOR) {
        return invalid(reader, "vector", "an array of 1 to 65536 numbers");
    }
    answer->vector = hearth_arena_alloc(&reader->golden->arena, count, sizeof *answer->vector);
    if (answer->vector == NULL) {
        return hearth_fail_oom(reader->err);
    }
    size_t index;
    size_t max;
    yyjson_val *value;
    yyjson_arr_foreach(vector, index, max, value)
    {
        double number = 0;
        if (!is_number(value, &number)) {
            return invalid(reader, "vector", "an array of finite numbers");
        }
        answer->vector[index] = (float)number;
    }
    answer->dimensions = (uint32_t)count;
    return 0;
}

static int take_score(struct reader *reader, yyjson_val *object,
                      struct hearth_golden_answer *answer)
{
    yyjson_val *value = yyjson_obj_get(object, "score");
    answer->has_score = value != NULL;
    return value == NULL || is_number(value, &answer->score)
               ? 0
               : invalid(reader, "score", "a finite number");
}

static int take_answer(struct reader *reader, yyjson_val *object,
                       struct hearth_golden_answer *answer)
{
    int rc = 0;
    enum hearth_task task = reader->golden->task;
    if (task == HEARTH_TASK_CLASSIFY) {
        rc = take_text(reader, object, "label", HEARTH_MAX_LABEL_BYTES, false, &answer->label);
        rc = rc < 0 ? rc : take_scores(reader, object, answer);
    } else if (task == HEARTH_TASK_EMBED) {
        rc = take_vector(reader, object, answer);
    } else if (task == HEARTH_TASK_RERANK) {
        rc = take_score(reader, object, answer);
    } else {
        rc = take_text(reader, object, "answer", HEARTH_MAX_GOLDEN_TEXT_BYTES, true, &answer->text);
    }
    answer->is_known = answer->label != NULL || answer->score_count > 0 || answer->dimensions > 0 ||
                       answer->has_score || answer->text != NULL;
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int take_input(struct reader *reader, yyjson_val *object, double tolerance)
{
    struct hearth_golden *golden = reader->golden;
    struct hearth_golden_input *input = &golden->inputs[golden->count];
    const size_t most = HEARTH_MAX_GOLDEN_TEXT_BYTES;
    reader->index = golden->count;
    input->tolerance = tolerance;
    int rc = take_text(reader, object, "text", most, false, &input->text);
    rc = rc < 0 ? rc : take_text(reader, object, "pair", most, false, &input->pair);
    rc = rc < 0 ? rc : take_text(reader, object, "query", most, false, &input->query);
    rc = rc < 0 ? rc : take_max_tokens(reader, object, &input->max_tokens);
    rc = rc < 0 ? rc : take_tolerance(reader, object, &input->tolerance);
    if (rc < 0) {
        return rc;
    }
    if (input->text == NULL) {
        return invalid(reader, "text", "there: a string of 1 to 8192 bytes");
    }
    if (input->pair != NULL && golden->task != HEARTH_TASK_CLASSIFY) {
        return invalid(reader, "pair", "absent: only classifiers take pairs");
    }
    if ((input->query != NULL) != (golden->task == HEARTH_TASK_RERANK)) {
        return invalid(reader, "query", "there for a reranker, and for nothing else");
    }
    golden->count++;
    return take_answer(reader, object, &input->answer);
}

static int take_all(struct reader *reader, yyjson_val *root)
{
    yyjson_val *inputs = yyjson_obj_get(root, "inputs");
    double tolerance = HEARTH_GOLDEN_TOLERANCE;
    if (!yyjson_is_arr(inputs) || yyjson_arr_size(inputs) == 0 ||
        yyjson_arr_size(inputs) > HEARTH_MAX_GOLDEN) {
        return hearth_fail(reader->err, HEARTH_E_MODEL_INVALID,
                           "golden.json: \"inputs\" must be an array of 1 to %u objects",
                           HEARTH_MAX_GOLDEN);
    }
    int rc = take_tolerance(reader, root, &tolerance);
    size_t index;
    size_t max;
    yyjson_val *input;
    yyjson_arr_foreach(inputs, index, max, input)
    {
        rc = rc < 0 ? rc : take_input(reader, input, tolerance);
    }
    return rc;
}

int hearth_golden_parse(struct hearth_slice json, enum hearth_task task, struct hearth_golden **ret,
                        struct hearth_error *err)
{
    if (task != HEARTH_TASK_CLASSIFY && task != HEARTH_TASK_EMBED && task != HEARTH_TASK_RERANK &&
        task != HEARTH_TASK_GENERATE) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "golden.json: a model of task %s has none: remove the file",
                           hearth_task_name(task));
    }
    if (json.size > HEARTH_MAX_GOLDEN_BYTES) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "golden.json: %zu bytes, at most %u", json.size,
                           HEARTH_MAX_GOLDEN_BYTES);
    }
    HEARTH_AUTO(hearth_golden) struct hearth_golden *golden = hearth_alloc(1, sizeof *golden);
    if (golden == NULL) {
        return hearth_fail_oom(err);
    }
    hearth_arena_init(&golden->arena, ARENA_CAP_BYTES);
    golden->task = task;
    yyjson_read_err read_err = {0};
    /* Not in-situ: the parser copies, so casting const away is never acted on. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.size, 0, NULL, &read_err);
    if (doc == NULL) {
        return hearth_fail(err, HEARTH_E_MODEL_INVALID, "golden.json: not JSON at byte %zu: %s",
                           read_err.pos, read_err.msg != NULL ? read_err.msg : "empty");
    }
    struct reader reader = {.golden = golden, .err = err};
    int rc = take_all(&reader, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (rc < 0) {
        return rc;
    }
    *ret = HEARTH_TAKE(golden);
    return 0;
}

void hearth_golden_destroy(struct hearth_golden *golden)
{
    if (golden != NULL) {
        hearth_arena_finish(&golden->arena);
        hearth_free(golden);
    }
}

bool hearth_golden_has_gaps(const struct hearth_golden *golden)
{
    for (uint32_t i = 0; i < golden->count; i++) {
        if (!golden->inputs[i].answer.is_known) {
            return true;
        }
    }
    return false;
}
