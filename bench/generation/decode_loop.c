/* decode_loop.c — generation in one process, by llama.h alone: the yardstick of gguf/decode.
 *
 *     decode_loop MODEL.gguf THREADS NICE CONTEXT
 *
 * A line "PROMPT_TOKENS TOKENS SEED\n" on stdin is answered by "NANOSECONDS FIRST\n": the time a
 * token between the first and the last of them, and the first token. Greedy by argmax; a thread
 * pool as the library makes it, which waits by looking for work. */

#include <llama.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define MAX_PROMPT  512
#define MAX_TOKENS  4096
#define FIRST_TOKEN 300u /* as generation_prompt() draws */
#define TOKEN_RANGE 29000u

static void quiet(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void stop(const char *what)
{
    fprintf(stderr, "decode_loop: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static llama_token best_of_last(struct llama_context *context, int vocabulary)
{
    const float *logits = llama_get_logits_ith(context, -1);
    int best = 0;
    for (int i = 1; i < vocabulary; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

static void generate(struct llama_context *context, int vocabulary, int prompt, int tokens,
                     uint64_t seed)
{
    llama_token ids[MAX_PROMPT];
    for (int i = 0; i < prompt; i++) {
        ids[i] = (llama_token)(FIRST_TOKEN + splitmix(&seed) % TOKEN_RANGE);
    }
    llama_memory_clear(llama_get_memory(context), false);
    if (llama_decode(context, llama_batch_get_one(ids, prompt)) != 0) {
        stop("the prompt cannot be decoded");
    }
    llama_token first = best_of_last(context, vocabulary);
    llama_token token = first;
    uint64_t begin = now_ns();
    for (int i = 1; i < tokens; i++) {
        if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0) {
            stop("a token cannot be decoded");
        }
        token = best_of_last(context, vocabulary);
    }
    printf("%.0f %d\n", (double)(now_ns() - begin) / (tokens - 1), first);
    fflush(stdout);
}

static int number(const char *text)
{
    long value = strtol(text, NULL, 10);
    return value < 0 || value > 1 << 20 ? 0 : (int)value;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        stop("usage: decode_loop MODEL.gguf THREADS NICE CONTEXT");
    }
    int threads = number(argv[2]);
    setpriority(PRIO_PROCESS, 0, number(argv[3]));
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params model_params = llama_model_default_params();
    model_params.load_mode = LLAMA_LOAD_MODE_NONE;
    struct llama_model *model = llama_model_load_from_file(argv[1], model_params);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)number(argv[4]);
    params.n_threads = threads;
    params.n_threads_batch = threads;
    struct llama_context *context = model == NULL ? NULL : llama_init_from_model(model, params);
    if (context == NULL) {
        stop("the model cannot be loaded");
    }
    struct ggml_threadpool_params pool_params = ggml_threadpool_params_default(threads);
    struct ggml_threadpool *pool = ggml_threadpool_new(&pool_params);
    llama_attach_threadpool(context, pool, pool);
    int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
    char line[80];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *end = line;
        long prompt = strtol(end, &end, 10);
        long tokens = strtol(end, &end, 10);
        if (prompt < 1 || prompt > MAX_PROMPT || tokens < 2 || tokens > MAX_TOKENS) {
            stop("PROMPT_TOKENS TOKENS SEED is expected");
        }
        generate(context, vocabulary, (int)prompt, (int)tokens, strtoull(end, NULL, 10));
    }
    llama_free(context);
    ggml_threadpool_free(pool);
    llama_model_free(model);
    return 0;
}
