/* reference_greedy.c — the yardstick: greedy generation with llama.h and nothing else.
 *
 *     reference_greedy MODEL.gguf THREADS CONTEXT SEQUENCES TOKENS [exact|shared|kept]  < prompts
 *
 *
 * It shares no line with Hearth. What must be equal for a fair comparison is written out here
 * again: one prompt at a time, in chunks from its own start of n_batch = n_ubatch tokens. Exact:
 * 64, separate caches for each sequence, no flash attention; the number of threads changes nothing.
 * Shared: 512, one cache for all, flash attention. Kept: as shared, but prompts and their answers
 * stay, and each prompt begins behind the longest beginning that one of them has.
 *
 * Input, one record after the other:
 *     p BYTES\n<bytes>                             a plain prompt
 *     r BYTES\n<bytes>                             a rendered chat: special tokens are read out of
 * it Output: one JSON object a line; texts as hexadecimal digits, so that bytes stay bytes. */

#include <llama.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_CHUNK  64
#define SHARED_CHUNK 512
#define MOST_KEPT    64

/* What is in the cache of sequence i + 1. */
struct kept {
    llama_token *ids;
    int count;
};

static struct kept all_kept[MOST_KEPT];
static int kept_count;

static void quiet(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void *take(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fprintf(stderr, "reference: out of memory\n");
        exit(1);
    }
    return memory;
}

static char *read_bytes(size_t size)
{
    char *text = take(size + 1);
    if (fread(text, 1, size, stdin) != size) {
        fprintf(stderr, "reference: input is cut off\n");
        exit(1);
    }
    return text;
}

/* A whole number of an argument or of a line of input. */
static size_t number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || value > 1u << 24) {
        fprintf(stderr, "reference: a number is expected\n");
        exit(1);
    }
    return value;
}

/* "WORD NUMBER\n": copies the word and gives the number; 0 at the end of input. */
static int read_head(char *word, size_t room, size_t *ret)
{
    char line[64];
    if (fgets(line, sizeof line, stdin) == NULL) {
        return 0;
    }
    char *space = strchr(line, ' ');
    if (space == NULL || (size_t)(space - line) >= room) {
        fprintf(stderr, "reference: a line of input is no record\n");
        exit(1);
    }
    memcpy(word, line, (size_t)(space - line));
    word[space - line] = '\0';
    *ret = number(space + 1);
    return 1;
}

static void print_hex(const char *key, const char *text, size_t size)
{
    printf(", \"%s\": \"", key);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", (unsigned char)text[i]);
    }
    printf("\"");
}

static void print_ids(const char *key, const llama_token *ids, int count)
{
    printf("\"%s\": [", key);
    for (int i = 0; i < count; i++) {
        printf(i == 0 ? "%d" : ", %d", ids[i]);
    }
    printf("]");
}

/* The first of the largest logits. */
static llama_token argmax(const float *logits, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

/* By how much the largest logit is above the second. */
static float gap_of(const float *logits, int count, llama_token best)
{
    float second = -1e30f;
    for (int i = 0; i < count; i++) {
        second = i != best && logits[i] > second ? logits[i] : second;
    }
    return logits[best] - second;
}

static void decode(struct llama_context *context, struct llama_batch *batch, const llama_token *ids,
                   int first, int count, int last)
{
    for (int i = 0; i < count; i++) {
        batch->token[i] = ids[i];
        batch->pos[i] = first + i;
        batch->n_seq_id[i] = 1;
        batch->seq_id[i][0] = 0;
        batch->logits[i] = last && i == count - 1;
    }
    batch->n_tokens = count;
    if (llama_decode(context, *batch) != 0) {
        fprintf(stderr, "reference: llama_decode failed\n");
        exit(1);
    }
}

/* Puts what a kept sequence has of the prompt into sequence 0; how many tokens. The last one is
 * always computed, for its logits. */
static int take_kept(struct llama_context *context, const llama_token *prompt, int count)
{
    int best = 0;
    int which = 0;
    for (int i = 0; i < kept_count; i++) {
        int at = 0;
        while (at < count - 1 && at < all_kept[i].count && all_kept[i].ids[at] == prompt[at]) {
            at++;
        }
        which = at > best ? i : which;
        best = at > best ? at : best;
    }
    if (best > 0) {
        llama_memory_seq_cp(llama_get_memory(context), which + 1, 0, 0, best);
    }
    return best;
}

/* Of the answer all but the last token were computed, or all if an end token came. */
static void keep(struct llama_context *context, const llama_token *prompt, int count,
                 const llama_token *ids, int made)
{
    struct kept *kept = &all_kept[kept_count++];
    kept->ids = take((size_t)(count + made) * sizeof *ids);
    kept->count = count + made - 1;
    memcpy(kept->ids, prompt, (size_t)count * sizeof *ids);
    memcpy(kept->ids + count, ids, (size_t)made * sizeof *ids);
    llama_memory_seq_cp(llama_get_memory(context), 0, kept_count, 0, kept->count);
}

static void generate(struct llama_context *context, const struct llama_vocab *vocab,
                     struct llama_batch *batch, const llama_token *prompt, int count, int tokens,
                     int chunk, int is_kept)
{
    llama_token *ids = take((size_t)tokens * sizeof *ids);
    char *text = take((size_t)tokens * 512);
    float *gaps = take((size_t)tokens * sizeof *gaps);
    size_t size = 0;
    int made = 0;
    int cached = is_kept ? take_kept(context, prompt, count) : 0;
    for (int at = cached; at < count; at += chunk) {
        int part = count - at < chunk ? count - at : chunk;
        decode(context, batch, prompt + at, at, part, at + part == count);
    }
    int row = batch->n_tokens - 1;
    while (made < tokens) {
        const float *logits = llama_get_logits_ith(context, row);
        llama_token id = argmax(logits, llama_vocab_n_tokens(vocab));
        gaps[made] = gap_of(logits, llama_vocab_n_tokens(vocab), id);
        ids[made++] = id;
        if (llama_vocab_is_eog(vocab, id)) {
            break;
        }
        int n = llama_token_to_piece(vocab, id, text + size, 512, 0, false);
        size += n > 0 ? (size_t)n : 0;
        if (made < tokens) {
            decode(context, batch, &id, count + made - 1, 1, 1);
            row = 0;
        }
    }
    if (is_kept && kept_count < MOST_KEPT) {
        keep(context, prompt, count, ids, made);
    }
    llama_memory_seq_rm(llama_get_memory(context), 0, -1, -1);
    printf("{\"cached\": %d, ", cached);
    print_ids("prompt_ids", prompt, count);
    printf(", ");
    print_ids("ids", ids, made);
    print_hex("text_hex", text, size);
    printf(", \"gaps\": [");
    for (int i = 0; i < made; i++) {
        printf(i == 0 ? "%g" : ", %g", (double)gaps[i]);
    }
    printf("]");
    free(ids);
    free(gaps);
    free(text);
}

int main(int argc, char **argv)
{
    const char *mode = argc == 7 ? argv[6] : "shared";
    if (argc < 6 || argc > 7 ||
        (strcmp(mode, "exact") != 0 && strcmp(mode, "shared") != 0 && strcmp(mode, "kept") != 0)) {
        fprintf(stderr, "usage: %s MODEL THREADS CONTEXT SEQUENCES TOKENS [exact|shared|kept]\n",
                argv[0]);
        return 2;
    }
    int threads = (int)number(argv[2]);
    int context_tokens = (int)number(argv[3]);
    int sequences = (int)number(argv[4]);
    int is_exact = strcmp(mode, "exact") == 0;
    int chunk = is_exact ? EXACT_CHUNK : SHARED_CHUNK;
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params model_params = llama_model_default_params();
    model_params.load_mode = LLAMA_LOAD_MODE_NONE;
    struct llama_model *model = llama_model_load_from_file(argv[1], model_params);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)(context_tokens * sequences);
    params.n_seq_max = (uint32_t)sequences;
    params.n_batch = (uint32_t)chunk;
    params.n_ubatch = (uint32_t)chunk;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.flash_attn_type =
        is_exact ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_ENABLED;
    params.kv_unified = !is_exact;
    struct llama_context *context = model == NULL ? NULL : llama_init_from_model(model, params);
    if (context == NULL) {
        fprintf(stderr, "reference: the model does not load\n");
        return 1;
    }
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    struct llama_batch batch = llama_batch_init(chunk, 0, 1);
    llama_token *ids = take((size_t)context_tokens * sizeof *ids);
    char kind[2];
    size_t size = 0;
    while (read_head(kind, sizeof kind, &size)) {
        int is_chat = kind[0] == 'r';
        char *text = read_bytes(size);
        int count =
            llama_tokenize(vocab, text, (int)strlen(text), ids, context_tokens, true, is_chat);
        if (count < 1) {
            fprintf(stderr, "reference: the prompt has %d tokens\n", count);
            return 1;
        }
        generate(context, vocab, &batch, ids, count, (int)number(argv[5]), chunk,
                 strcmp(mode, "kept") == 0);
        print_hex("rendered_hex", text, strlen(text));
        printf("}\n");
        fflush(stdout);
        free(text);
    }
    free(ids);
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
