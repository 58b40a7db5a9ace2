/* reference_rows.c — the yardstick of what comes after the logits: rows of logits and tokens of a
 * text, with llama.h and nothing else.
 *
 *     reference_rows MODEL.gguf CONTEXT  < questions > answers
 *
 * It shares no line with Hearth. A question is a line and what it announces:
 *     t BYTES\n<bytes>          the tokens of a text alone          → u32 count, i32 ids
 *     p BYTES\n<bytes>          the same as the beginning of a text → u32 count, i32 ids
 *     x BYTES\n<bytes>          the same, and special tokens may be spelled  → u32 count, i32 ids
 *     s ID 0\n                  the text of a token                 → u32 bytes, bytes
 *     r COUNT FIRST\n<i32 ids>  logits behind ids FIRST … COUNT-1   → u32 rows, u32 vocabulary,
 * f32s Numbers are in the order of the machine. */

#include <llama.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 128

static void quiet(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void die(const char *why)
{
    fprintf(stderr, "reference_rows: %s\n", why);
    exit(1);
}

static void *take(size_t size)
{
    void *memory = calloc(1, size + 1);
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

static void *read_bytes(size_t size)
{
    void *bytes = take(size);
    if (fread(bytes, 1, size, stdin) != size) {
        die("input is cut off");
    }
    return bytes;
}

static void put(const void *data, size_t size)
{
    if (fwrite(data, 1, size, stdout) != size) {
        die("output is cut off");
    }
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof value);
}

static void tokens(const struct llama_vocab *vocab, size_t size, char kind)
{
    char *text = read_bytes(size);
    llama_token *ids = take((size + 8) * sizeof *ids);
    int count =
        llama_tokenize(vocab, text, (int)size, ids, (int)size + 8, kind != 't', kind == 'x');
    if (count < 0) {
        die("too many tokens");
    }
    put_u32((uint32_t)count);
    put(ids, (size_t)count * sizeof *ids);
    free(text);
    free(ids);
}

static void piece(const struct llama_vocab *vocab, int32_t id)
{
    char text[512];
    int size = llama_token_to_piece(vocab, id, text, sizeof text, 0, true);
    put_u32((uint32_t)(size > 0 ? size : 0));
    put(text, (size_t)(size > 0 ? size : 0));
}

static void rows(struct llama_context *context, const struct llama_vocab *vocab, size_t count,
                 size_t first)
{
    llama_token *ids = read_bytes(count * sizeof *ids);
    uint32_t width = (uint32_t)llama_vocab_n_tokens(vocab);
    struct llama_batch batch = llama_batch_init(CHUNK, 0, 1);
    put_u32((uint32_t)(count - first));
    put_u32(width);
    for (size_t at = 0; at < count; at += (size_t)batch.n_tokens) {
        size_t left = at <= first ? first + 1 - at : 1; /* an answer is computed token by token */
        batch.n_tokens = (int32_t)(left < CHUNK ? left : CHUNK);
        for (int32_t i = 0; i < batch.n_tokens; i++) {
            batch.token[i] = ids[at + (size_t)i];
            batch.pos[i] = (llama_pos)at + i;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = at + (size_t)i >= first;
        }
        if (llama_decode(context, batch) != 0) {
            die("llama_decode failed");
        }
        for (int32_t i = 0; i < batch.n_tokens; i++) {
            if (batch.logits[i]) {
                put(llama_get_logits_ith(context, i), width * sizeof(float));
            }
        }
    }
    llama_memory_seq_rm(llama_get_memory(context), 0, -1, -1);
    llama_batch_free(batch);
    free(ids);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        die("usage: reference_rows MODEL.gguf CONTEXT");
    }
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params model_params = llama_model_default_params();
    model_params.load_mode = LLAMA_LOAD_MODE_NONE;
    struct llama_model *model = llama_model_load_from_file(argv[1], model_params);
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = (uint32_t)strtoul(argv[2], NULL, 10);
    params.n_batch = CHUNK;
    params.n_ubatch = CHUNK;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    struct llama_context *context = model == NULL ? NULL : llama_init_from_model(model, params);
    if (context == NULL) {
        die("the model does not load");
    }
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *end = NULL;
        size_t size = strtoul(line + 1, &end, 10);
        if (line[0] == 't' || line[0] == 'p' || line[0] == 'x') {
            tokens(vocab, size, line[0]);
        } else if (line[0] == 's') {
            piece(vocab, (int32_t)size);
        } else {
            rows(context, vocab, size, strtoul(end, NULL, 10));
        }
        fflush(stdout);
    }
    llama_free(context);
    llama_model_free(model);
    return 0;
}
