/* reference_embed.c — the yardstick of vectors: llama.h and nothing else, one text a call.
 *
 *     reference_embed MODEL.gguf encode|decode  < lines of "BYTES\n<bytes>"  > lines of JSON
 *
 * It shares no line with Hearth. Prints the ids and the pooled vector as the library gives it, not
 * normalised, with the pooling that the file names; of a text longer than the model's context the
 * ids alone. */

#include <llama.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS 1024

static void quiet(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void embed(struct llama_context *context, struct llama_batch *batch, const llama_token *ids,
                  int count, int is_encoder, int dimensions)
{
    for (int i = 0; i < count; i++) {
        batch->token[i] = ids[i];
        batch->pos[i] = i;
        batch->n_seq_id[i] = 1;
        batch->seq_id[i][0] = 0;
        batch->logits[i] = 1;
    }
    batch->n_tokens = count;
    const float *vector = NULL;
    int rc = 0;
    if (dimensions > 0) {
        if (!is_encoder) {
            llama_memory_clear(llama_get_memory(context), false);
        }
        rc = is_encoder ? llama_encode(context, *batch) : llama_decode(context, *batch);
        vector = rc == 0 ? llama_get_embeddings_seq(context, 0) : NULL;
    }
    if (vector == NULL && dimensions > 0) {
        fprintf(stderr, "reference: the library gives %d\n", rc);
        exit(1);
    }
    printf("{\"ids\": [");
    for (int i = 0; i < count; i++) {
        printf(i == 0 ? "%d" : ", %d", ids[i]);
    }
    printf("], \"vector\": [");
    for (int i = 0; i < dimensions; i++) {
        printf(i == 0 ? "%.9g" : ", %.9g", (double)vector[i]);
    }
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static llama_token ids[MOST_TOKENS];
    static char text[1 << 16];
    char line[64];
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL encode|decode\n", argv[0]);
        return 2;
    }
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = MOST_TOKENS;
    params.n_batch = MOST_TOKENS;
    params.n_ubatch = MOST_TOKENS;
    params.n_seq_max = 1;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.embeddings = true;
    struct llama_context *context = model == NULL ? NULL : llama_init_from_model(model, params);
    if (context == NULL) {
        fprintf(stderr, "reference: the model does not load\n");
        return 1;
    }
    struct llama_batch batch = llama_batch_init(MOST_TOKENS, 0, 1);
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t size = (size_t)strtoul(line, NULL, 10);
        if (size > sizeof text || fread(text, 1, size, stdin) != size) {
            fprintf(stderr, "reference: a text is too long or cut off\n");
            return 1;
        }
        int count = llama_tokenize(llama_model_get_vocab(model), text, (int)size, ids, MOST_TOKENS,
                                   true, false);
        if (count < 1) {
            fprintf(stderr, "reference: a text has %d tokens\n", count);
            return 1;
        }
        int is_too_long = count > llama_model_n_ctx_train(model); /* no rows for its places */
        embed(context, &batch, ids, count, strcmp(argv[2], "encode") == 0,
              is_too_long ? 0 : llama_model_n_embd_out(model));
    }
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
