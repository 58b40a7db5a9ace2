/* encode_lines.c — encodes length-prefixed texts, for comparison with the reference.
 *
 *     encode_lines TOKENIZER.JSON < requests > answers
 *
 * A request is three little-endian uint32 and the text: its bytes, max_tokens (0 = the file's own,
 * 0xFFFFFFFF = no limit), add_special. An answer is one line: the full count, then each id:type_id;
 * or "error NAME". Texts here are test data, so they may be seen. */

#include "hearth_tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)64 << 20)

static struct hearth_slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(MOST_BYTES);
    if (file == NULL || bytes == NULL) {
        perror(path);
        exit(2);
    }
    size_t size = fread(bytes, 1, MOST_BYTES, file);
    fclose(file);
    return hearth_slice_of(bytes, size);
}

static void answer(const struct hearth_tokenizer *tokenizer, struct hearth_slice text,
                   const uint32_t request[3], struct hearth_encoding *encoding)
{
    struct hearth_encode_options options = {.max_tokens = request[1],
                                            .add_special = request[2] != 0};
    if (request[1] == UINT32_MAX) {
        options.max_tokens = HEARTH_ENCODE_NO_LIMIT;
    }
    struct hearth_error err;
    int rc = hearth_tokenizer_encode(tokenizer, text, &options, encoding, &err);
    if (rc < 0) {
        printf("error %s\n", hearth_error_name(rc));
        return;
    }
    printf("%zu", encoding->full_count);
    for (size_t i = 0; i < encoding->count; i++) {
        printf(" %" PRId64 ":%" PRId64, encoding->ids[i], encoding->type_ids[i]);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s TOKENIZER.JSON < requests > answers\n", argv[0]);
        return 2;
    }
    struct hearth_slice json = read_file(argv[1]);
    struct hearth_tokenizer *tokenizer = NULL;
    struct hearth_error err;
    if (hearth_tokenizer_create(json, &tokenizer, &err) < 0) {
        printf("refused %s %s\n", hearth_error_name(err.code), err.text);
        return 3;
    }
    struct hearth_encoding encoding;
    hearth_encoding_init(&encoding);
    uint32_t request[3];
    while (fread(request, sizeof request, 1, stdin) == 1) {
        uint8_t *text = malloc((size_t)request[0] + 1); /* its own block: ASan sees its end */
        if (text == NULL || fread(text, 1, request[0], stdin) != request[0]) {
            return 2;
        }
        answer(tokenizer, hearth_slice_of(text, request[0]), request, &encoding);
        free(text);
    }
    hearth_encoding_finish(&encoding);
    hearth_tokenizer_destroy(tokenizer);
    free((void *)(uintptr_t)json.data);
    return fflush(stdout) == 0 ? 0 : 2;
}
