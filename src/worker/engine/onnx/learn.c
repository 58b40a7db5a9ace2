/* learn.c — the first runs of a model. */

#include "learn.h"

/* A run of more tokens takes too long, and too much memory, to be made only to see whether it
 * works. */
#define MAX_TRIED_TOKENS 1024u

/* Rank and width, which the file may leave open. */
static int learn_output(struct onnx_model *model, struct runner *runner, struct hearth_error *err)
{
    struct onnx_output output = {0};
    int rc = runner_probe(runner, model, 1, &output, err);
    if (rc == 0) {
        rc = head_check_width(&model->head, model->plan->label_count, output.width, err);
    }
    model->output_rank = output.rank;
    model->width = output.width;
    return rc;
}

/* False only if the graph itself fails, as one does that has no position embedding for the last
 * tokens; a run that finds no memory says nothing about it. */
static bool bears(const struct onnx_model *model, struct runner *runner, size_t tokens,
                  struct hearth_error *err)
{
    struct onnx_output output;
    return runner_probe(runner, model, tokens, &output, err) != HEARTH_E_ENGINE_FAILED;
}

/* The most tokens that the graph bears; 1 is known to work, @most is known to fail. */
static size_t find_limit(const struct onnx_model *model, struct runner *runner, size_t most)
{
    size_t works = 1;
    while (most - works > 1) {
        size_t middle = works + (most - works) / 2;
        bool is_borne = bears(model, runner, middle, NULL);
        works = is_borne ? middle : works;
        most = is_borne ? most : middle;
    }
    return works;
}

static int learn_limit(struct onnx_model *model, struct runner *runner, struct hearth_error *err)
{
    if (model->max_tokens > MAX_TRIED_TOKENS || bears(model, runner, model->max_tokens, err)) {
        return 0;
    }
    size_t limit = find_limit(model, runner, model->max_tokens);
    if (model->head.max_tokens != 0) {
        return hearth_fail(err, HEARTH_E_CONFIG,
                           "option max_tokens is %zu, the graph fails on more than %zu tokens",
                           model->max_tokens, limit);
    }
    model->max_tokens = limit;
    return 0;
}

int learn_model(struct onnx_model *model, struct runner *runner, struct hearth_error *err)
{
    int rc = learn_output(model, runner, err);
    return rc < 0 ? rc : learn_limit(model, runner, err);
}
