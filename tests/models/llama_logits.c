/* llama_logits.c — what llama.cpp makes of a GGUF file: knows llama.h and nothing of Hearth.
 *
 *     llama_logits MODEL.gguf < text
 *
 * Tokenizes the text, decodes all of it at once with logits for every token, and prints one JSON
 * object: how many tokens, what their pieces join to (hexadecimal digits, so that bytes stay
 * bytes), and how many logits there are, how many are finite, the least and the largest. */

#include <llama.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES  4096
#define MAX_TOKENS 512
#define PIECE_ROOM 512

static void quiet(enum ggml_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)text;
    (void)arg;
}

static void stop(const char *what)
{
    fprintf(stderr, "llama_logits: %s\n", what);
    exit(1);
}

static void print_pieces(const struct llama_vocab *vocab, const llama_token *ids, int count)
{
    printf("{\"tokens\": %d, \"text_hex\": \"", count);
    for (int i = 0; i < count; i++) {
        char piece[PIECE_ROOM];
        int size = llama_token_to_piece(vocab, ids[i], piece, sizeof piece, 0, false);
        for (int k = 0; k < size; k++) {
            printf("%02x", (unsigned char)piece[k]);
        }
    }
    printf("\"");
}

static void print_logits(struct llama_context *context, int rows, int vocabulary)
{
    long finite = 0;
    double least = INFINITY;
    double most = -INFINITY;
    for (int row = 0; row < rows; row++) {
        const float *logits = llama_get_logits_ith(context, row);
        for (int i = 0; i < vocabulary; i++) {
            if (isfinite(logits[i])) {
                finite++;
                least = fmin(least, logits[i]);
                most = fmax(most, logits[i]);
            }
        }
    }
    printf(", \"vocabulary\": %d, \"logits\": %ld, \"finite\": %ld, \"least\": %.6g, "
           "\"most\": %.6g}\n",
           vocabulary, (long)rows * vocabulary, finite, least, most);
}

static void decode(struct llama_context *context, const llama_token *ids, int count)
{
    struct llama_batch batch = llama_batch_init(MAX_TOKENS, 0, 1);
    for (int i = 0; i < count; i++) {
        batch.token[i] = ids[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;
    }
    batch.n_tokens = count;
    if (llama_decode(context, batch) != 0) {
        stop("llama_decode failed");
    }
    llama_batch_free(batch);
}

int main(int argc, char **argv)
{
    char text[MAX_BYTES];
    llama_token ids[MAX_TOKENS];
    if (argc != 2) {
        stop("usage: llama_logits MODEL.gguf < text");
    }
    size_t size = fread(text, 1, sizeof text, stdin);
    llama_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model *model = llama_model_load_from_file(argv[1], llama_model_default_params());
    struct llama_context_params params = llama_context_default_params();
    params.n_ctx = MAX_TOKENS;
    params.n_batch = MAX_TOKENS;
    params.n_threads = 2;
    params.n_threads_batch = 2;
    struct llama_context *context = model == NULL ? NULL : llama_init_from_model(model, params);
    if (context == NULL) {
        stop("the model does not load");
    }
    const struct llama_vocab *vocab = llama_model_get_vocab(model);
    int count = llama_tokenize(vocab, text, (int)size, ids, MAX_TOKENS, false, false);
    if (count < 1) {
        stop("the text is empty or too long");
    }
    decode(context, ids, count);
    print_pieces(vocab, ids, count);
    print_logits(context, count, llama_vocab_n_tokens(vocab));
    llama_free(context);
    llama_model_free(model);
    return 0;
}
