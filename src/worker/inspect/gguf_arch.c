/* gguf_arch.c — which architectures are loaded, and what their graphs take for granted.
 *
 * The library knows many more than these. What it builds for one that is not here was not looked
 * at: its graph may assert on numbers that this check lets through, so it is refused by name. */

#include "gguf_priv.h"

#define DECODER .reads = GGUF_READS_FORWARD
#define ENCODER .reads = GGUF_READS_BOTH_WAYS
#define FULL    .has_full_rope = true
#define FREE    .has_free_heads = true
#define WINDOW  .has_window = true

/* In the order of the alphabet. */
static const struct gguf_architecture known[] = {
    {.name = "bert", ENCODER},
    {.name = "cohere2", DECODER, WINDOW},
    {.name = "command-r", DECODER},
    {.name = "exaone", DECODER, FULL, FREE},
    {.name = "falcon", DECODER, FULL},
    {.name = "gemma", DECODER, FREE},
    {.name = "gemma2", DECODER, FREE, WINDOW},
    {.name = "gemma3", DECODER, FREE, WINDOW},
    {.name = "gpt2", DECODER},
    {.name = "gptneox", DECODER},
    {.name = "granite", DECODER, FULL, FREE},
    {.name = "internlm2", DECODER, FULL},
    {.name = "jina-bert-v2", ENCODER},
    {.name = "llama", DECODER, FULL, FREE},
    {.name = "mistral3", DECODER, FULL, FREE},
    {.name = "modern-bert", ENCODER, WINDOW},
    {.name = "nemotron", DECODER},
    {.name = "nomic-bert", ENCODER},
    {.name = "olmo", DECODER, FULL},
    {.name = "olmo2", DECODER, FULL, WINDOW},
    {.name = "phi2", DECODER},
    {.name = "phi3", DECODER},
    {.name = "qwen2", DECODER, FULL},
    {.name = "qwen3", DECODER, FULL, FREE},
    {.name = "qwen3moe", DECODER, FULL, FREE},
    {.name = "smollm3", DECODER, FULL, FREE},
    {.name = "stablelm", DECODER},
    {.name = "starcoder2", DECODER, FULL},
};

/* Why some that people have cannot be loaded. */
static const struct {
    const char *reason;
    const char *const *names;
} refused[] = {
    {"it is recurrent: its state cannot be cut or shared",
     (const char *const[]){"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7", NULL}},
    {"part of its blocks are recurrent: their state cannot be cut or shared",
     (const char *const[]){"jamba", "falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe",
                           "lfm2", "lfm2moe", "plamo2", "qwen3next", "qwen35", "qwen35moe",
                           "kimi-linear", NULL}},
    {"its attention keeps compressed keys and values, whose size is not counted here",
     (const char *const[]){"deepseek2", "deepseek32", "deepseek4", "minicpm3", "plm", "glm-dsa",
                           NULL}},
    {"it has an encoder and a decoder", (const char *const[]){"t5", NULL}},
    {"it writes by diffusion, not one token after another",
     (const char *const[]){"dream", "llada", "llada-moe", "rnd1", NULL}},
};

const struct gguf_architecture *gguf_architecture_of(const char *name)
{
    for (size_t i = 0; i < HEARTH_COUNT(known); i++) {
        if (strcmp(known[i].name, name) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static const char *reason_against(const char *name)
{
    for (size_t i = 0; i < HEARTH_COUNT(refused); i++) {
        for (const char *const *other = refused[i].names; *other != NULL; other++) {
            if (strcmp(*other, name) == 0) {
                return refused[i].reason;
            }
        }
    }
    return "it is none of those that were checked";
}

int gguf_check_architecture(struct gguf_file *file, struct hearth_error *err)
{
    file->kind = gguf_architecture_of(file->architecture);
    if (file->kind == NULL) {
        return hearth_fail(err, HEARTH_E_UNSUPPORTED,
                           "key general.architecture is \"%s\", which is not loaded: %s",
                           shown_text(hearth_slice_of_string(file->architecture)).text,
                           reason_against(file->architecture));
    }
    return 0;
}
