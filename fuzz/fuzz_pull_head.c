/* The head of an HTTP response, as libcurl hands it over: line by line. */

#include "head.h"

#include <string.h>

int hearth_fuzz_pull_head(const uint8_t *data, size_t size);

static void check_promises(const struct pull_head *head)
{
    HEARTH_ASSERT(head->bytes <= PULL_MAX_HEADER_BYTES);
    HEARTH_ASSERT(head->status == 0 || (head->status >= 100 && head->status <= 599));
    HEARTH_ASSERT(!head->has_range || head->first <= head->last);
    HEARTH_ASSERT(!head->has_range || !head->has_total || head->last < head->total);
    size_t sha256 = strlen(head->sha256);
    size_t sha1 = strlen(head->git_sha1);
    HEARTH_ASSERT(sha256 == 0 || (sha256 == PULL_SHA256_BYTES && sha1 == 0));
    HEARTH_ASSERT(strspn(head->sha256, "0123456789abcdef") == sha256);
    HEARTH_ASSERT(sha1 == 0 || sha1 == PULL_SHA1_BYTES);
    /* both are sent again: neither may hold the end of a line */
    HEARTH_ASSERT(strpbrk(head->etag, "\r\n ") == NULL);
    HEARTH_ASSERT(strpbrk(head->location, "\r\n \t") == NULL);
}

int hearth_fuzz_pull_head(const uint8_t *data, size_t size)
{
    static struct pull_head head; /* large */
    head = (struct pull_head){.status = 0};
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end == NULL ? size : (size_t)(end - data) + 1;
        struct hearth_error err = {0};
        if (pull_head_line(&head, hearth_slice_of(data, line), &err) < 0) {
            HEARTH_ASSERT(err.text[0] != '\0');
            return 0;
        }
        check_promises(&head);
        data += line;
        size -= line;
    }
    return 0;
}
