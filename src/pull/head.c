/* head.c — see head.h. */

#include "head.h"

#include <string.h>
#include <strings.h>

static int malformed(struct hearth_error *err, const char *what)
{
    return hearth_fail(err, HEARTH_E_MALFORMED, "the server sent a %s that cannot be right", what);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct hearth_slice trim(struct hearth_slice text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text = hearth_slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* Takes digits off the front of @text. False if there are none, or too large a number. */
static bool take_number(struct hearth_slice *text, uint64_t *ret)
{
    uint64_t value = 0;
    size_t used = 0;
    while (used < text->size && text->data[used] >= '0' && text->data[used] <= '9') {
        uint64_t digit = (uint64_t)(text->data[used] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        used++;
    }
    *text = hearth_slice_of(text->data + used, text->size - used);
    *ret = value;
    return used > 0;
}

static bool take_text(struct hearth_slice *text, const char *expected)
{
    size_t size = strlen(expected);
    if (text->size < size || strncasecmp((const char *)text->data, expected, size) != 0) {
        return false;
    }
    *text = hearth_slice_of(text->data + size, text->size - size);
    return true;
}

bool pull_hex_copy(struct hearth_slice text, size_t digits, char *room)
{
    if (text.size != digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t byte = text.data[i];
        bool is_upper = byte >= 'A' && byte <= 'F';
        if (!is_upper && !(byte >= 'a' && byte <= 'f') && !(byte >= '0' && byte <= '9')) {
            return false;
        }
        room[i] = (char)(is_upper ? byte - 'A' + 'a' : byte);
    }
    room[digits] = '\0';
    return true;
}

static int read_size(struct hearth_slice value, const char *name, bool *has, uint64_t *ret,
                     struct hearth_error *err)
{
    uint64_t number;
    if (!take_number(&value, &number) || value.size > 0 || (*has && *ret != number)) {
        return malformed(err, name);
    }
    *has = true;
    *ret = number;
    return 0;
}

/* 0-9, or a star */
static bool take_range(struct hearth_slice *value, struct pull_head *head)
{
    if (take_text(value, "*")) {
        return true;
    }
    head->has_range = true;
    return take_number(value, &head->first) && take_text(value, "-") &&
           take_number(value, &head->last) && head->first <= head->last;
}

/* 10, or a star */
static bool take_total(struct hearth_slice *value, struct pull_head *head)
{
    if (take_text(value, "*")) {
        return true;
    }
    head->has_total = true;
    return take_number(value, &head->total) && (!head->has_range || head->last < head->total);
}

/* bytes 0-9/10 */
static int read_range(struct pull_head *head, struct hearth_slice value, struct hearth_error *err)
{
    bool is_right = !head->has_range && !head->has_total && take_text(&value, "bytes ") &&
                    take_range(&value, head) && take_text(&value, "/") &&
                    take_total(&value, head) && value.size == 0;
    return is_right && (head->has_range || head->has_total) ? 0 : malformed(err, "Content-Range");
}

/* What a tag says of the file itself, if it is a digest. A hub's linked tag wins over the other. */
static void read_digest(struct pull_head *head, struct hearth_slice tag, bool is_linked)
{
    if (tag.size >= 2 && tag.data[0] == '"' && tag.data[tag.size - 1] == '"') {
        tag = hearth_slice_of(tag.data + 1, tag.size - 2);
    }
    bool is_told = head->sha256[0] != '\0' || head->git_sha1[0] != '\0';
    if (is_told && !is_linked) {
        return;
    }
    char sha256[PULL_SHA256_BYTES + 1];
    char git_sha1[PULL_SHA1_BYTES + 1];
    if (pull_hex_copy(tag, PULL_SHA256_BYTES, sha256)) {
        memcpy(head->sha256, sha256, sizeof sha256);
        head->git_sha1[0] = '\0';
    } else if (pull_hex_copy(tag, PULL_SHA1_BYTES, git_sha1)) {
        memcpy(head->git_sha1, git_sha1, sizeof git_sha1);
        head->sha256[0] = '\0';
    }
}

/* Only what may be sent back in a header: quotes around printable bytes. */
static void read_etag(struct pull_head *head, struct hearth_slice value)
{
    bool is_quoted = value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"';
    bool is_printable = true;
    for (size_t i = 0; i < value.size; i++) {
        is_printable = is_printable && value.data[i] > ' ' && value.data[i] < 0x7f;
    }
    head->etag[0] = '\0';
    if (is_quoted && is_printable) { /* a weak tag begins with W/ and is of no use for a range */
        hearth_slice_to_string(value, head->etag, sizeof head->etag);
    }
    take_text(&value, "W/");
    read_digest(head, value, false);
}

static int read_location(struct pull_head *head, struct hearth_slice value,
                         struct hearth_error *err)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] <= ' ' || value.data[i] == 0x7f) {
            return malformed(err, "Location");
        }
    }
    if (value.size == 0 || head->location[0] != '\0' ||
        !hearth_slice_to_string(value, head->location, sizeof head->location)) {
        return malformed(err, "Location");
    }
    return 0;
}

static int read_commit(struct pull_head *head, struct hearth_slice value, struct hearth_error *err)
{
    char commit[PULL_SHA1_BYTES + 1];
    bool is_right = pull_hex_copy(value, PULL_SHA1_BYTES, commit) &&
                    (head->commit[0] == '\0' || strcmp(head->commit, commit) == 0);
    if (!is_right) {
        return malformed(err, "X-Repo-Commit");
    }
    memcpy(head->commit, commit, sizeof commit);
    return 0;
}

static int read_field(struct pull_head *head, struct hearth_slice line, struct hearth_error *err)
{
    struct hearth_slice value = line;
    if (take_text(&value, "content-length:")) {
        return read_size(trim(value), "Content-Length", &head->has_length, &head->length, err);
    }
    if (take_text(&value, "content-range:")) {
        return read_range(head, trim(value), err);
    }
    if (take_text(&value, "x-linked-size:")) {
        return read_size(trim(value), "X-Linked-Size", &head->has_linked_size, &head->linked_size,
                         err);
    }
    if (take_text(&value, "location:")) {
        return read_location(head, trim(value), err);
    }
    if (take_text(&value, "x-repo-commit:")) {
        return read_commit(head, trim(value), err);
    }
    if (take_text(&value, "x-linked-etag:")) {
        value = trim(value);
        take_text(&value, "W/");
        read_digest(head, value, true);
    } else if (take_text(&value, "etag:")) {
        read_etag(head, trim(value));
    }
    return 0;
}

/* HTTP/1.1 206 Partial Content; HTTP/2 200 */
static int read_status(struct pull_head *head, struct hearth_slice line, struct hearth_error *err)
{
    uint64_t status = 0;
    const uint8_t *space = memchr(line.data, ' ', line.size);
    *head = (struct pull_head){.bytes = line.size};
    if (space == NULL) {
        return malformed(err, "status line");
    }
    size_t used = (size_t)(space - line.data) + 1;
    struct hearth_slice rest = hearth_slice_of(line.data + used, line.size - used);
    bool is_right = rest.size >= 3 && take_number(&rest, &status) && status >= 100 &&
                    status <= 599 && (rest.size == 0 || is_space(rest.data[0]));
    if (!is_right) {
        return malformed(err, "status line");
    }
    head->status = (unsigned)status;
    return 0;
}

int pull_head_line(struct pull_head *head, struct hearth_slice line, struct hearth_error *err)
{
    struct hearth_slice start = line;
    if (line.size > PULL_MAX_HEADER_BYTES || head->bytes > PULL_MAX_HEADER_BYTES - line.size) {
        return hearth_fail(err, HEARTH_E_TOO_LARGE, "the server sent more than %u bytes of headers",
                           PULL_MAX_HEADER_BYTES);
    }
    if (take_text(&start, "HTTP/")) {
        return read_status(head, line, err);
    }
    head->bytes += line.size;
    return read_field(head, line, err);
}

bool pull_head_is_end(struct hearth_slice line)
{
    return trim(line).size == 0;
}
