/* source.c — see source.h. */

#include "source.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define SOURCE_REMEDY "write hub:OWNER/REPOSITORY@REVISION/FILE"

static bool is_dots(const char *text, size_t size)
{
    return (size == 1 && text[0] == '.') || (size == 2 && text[0] == '.' && text[1] == '.');
}

/* Parts between slashes: @count of them if that is not 0; each of @bytes, not empty, no dots alone.
 */
static bool are_parts(const char *text, const char *bytes, size_t count)
{
    size_t found = 0;
    for (const char *at = text;; at++) {
        size_t size = strcspn(at, "/");
        if (size == 0 || is_dots(at, size) || (bytes != NULL && strspn(at, bytes) < size)) {
            return false;
        }
        found++;
        at += size;
        if (*at == '\0') {
            return count == 0 || found == count;
        }
    }
}

static bool is_printable(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || *at == '\\') {
            return false;
        }
    }
    return true;
}

bool pull_source_is_valid(const struct pull_source *source)
{
    return are_parts(source->repository, NAME_BYTES, 2) &&
           are_parts(source->revision, NAME_BYTES, 0) && are_parts(source->path, NULL, 0) &&
           is_printable(source->path);
}

bool pull_source_is_pinned(const struct pull_source *source)
{
    return strlen(source->revision) == PULL_SHA1_BYTES &&
           strspn(source->revision, "0123456789abcdef") == PULL_SHA1_BYTES;
}

const char *pull_source_file_name(const struct pull_source *source)
{
    const char *slash = strrchr(source->path, '/');
    return slash == NULL ? source->path : slash + 1;
}

static bool copy(char *room, size_t room_bytes, const char *text, size_t size)
{
    return hearth_slice_to_string(hearth_slice_of(text, size), room, room_bytes);
}

int pull_source_parse(const char *text, struct pull_source *ret, struct pull_problem *problem)
{
    struct pull_source source = {.revision = "main"};
    size_t owner = strcspn(text, "/");
    size_t repository = owner + (text[owner] == '/');
    repository += strcspn(text + repository, "/@");
    const char *at = text + repository;
    bool fits = copy(source.repository, sizeof source.repository, text, repository);
    if (fits && *at == '@') {
        size_t size = strcspn(at + 1, "/");
        fits = copy(source.revision, sizeof source.revision, at + 1, size);
        at += 1 + size;
    }
    fits = fits && *at == '/' && copy(source.path, sizeof source.path, at + 1, strlen(at + 1));
    if (!fits || !pull_source_is_valid(&source)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT, SOURCE_REMEDY,
                         "'hub:%.120s' does not name a file of a hub", text);
    }
    *ret = source;
    return 0;
}

static int append_escaped(struct hearth_buf *buf, const char *text, bool keeps_slashes)
{
    int rc = 0;
    for (const char *at = text; *at != '\0' && rc == 0; at++) {
        bool is_plain = strchr(NAME_BYTES "~", *at) != NULL || (keeps_slashes && *at == '/');
        rc = is_plain ? hearth_buf_append(buf, at, 1)
                      : hearth_buf_printf(buf, "%%%02X", (unsigned)(unsigned char)*at);
    }
    return rc;
}

int pull_source_url(const struct pull_source *source, const char *hub, char *room,
                    size_t room_bytes, struct pull_problem *problem)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, room_bytes);
    size_t hub_bytes = strlen(hub);
    while (hub_bytes > 0 && hub[hub_bytes - 1] == '/') {
        hub_bytes--;
    }
    int rc = hearth_buf_append(&buf, hub, hub_bytes);
    rc = rc < 0 ? rc : hearth_buf_append(&buf, "/", 1);
    rc = rc < 0 ? rc : append_escaped(&buf, source->repository, true);
    rc = rc < 0 ? rc : hearth_buf_printf(&buf, "/resolve/");
    rc = rc < 0 ? rc : append_escaped(&buf, source->revision, false);
    rc = rc < 0 ? rc : hearth_buf_append(&buf, "/", 1);
    rc = rc < 0 ? rc : append_escaped(&buf, source->path, true);
    if (rc < 0 || !hearth_slice_to_string(hearth_buf_slice(&buf), room, room_bytes)) {
        return pull_fail(problem, HEARTH_E_TOO_LARGE, "use a shorter --hub",
                         "the address of the file would be longer than %zu bytes", room_bytes - 1);
    }
    return 0;
}

bool pull_name_is_valid(const char *name)
{
    size_t size = strlen(name);
    return size > 0 && size <= PULL_MAX_NAME_BYTES && name[0] != '.' && name[0] != '-' &&
           strspn(name, NAME_BYTES) == size;
}
