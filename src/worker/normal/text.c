/* text.c — writing the result of a step, with the place that each byte came from. */

#include "text.h"

#include <string.h>

#define FIRST_ROOM 256

void writer_start(struct writer *writer, bool tracks)
{
    writer->size = 0;
    writer->tracks = tracks;
}

void writer_wipe(struct writer *writer)
{
    hearth_wipe(writer->bytes, writer->room);
    hearth_wipe(writer->places, writer->place_room * sizeof *writer->places);
    writer->size = 0;
}

void writer_finish(struct writer *writer)
{
    writer_wipe(writer);
    hearth_free(writer->bytes);
    hearth_free(writer->places);
    *writer = (struct writer){0};
}

int writer_reserve(struct writer *writer, size_t extra)
{
    size_t need = writer->size + extra;
    if (need <= writer->room && (!writer->tracks || need <= writer->place_room)) {
        return 0;
    }
    if (extra > HEARTH_TOKENIZER_MAX_NORMAL_BYTES || need > HEARTH_TOKENIZER_MAX_NORMAL_BYTES) {
        return HEARTH_E_TOO_LARGE;
    }
    size_t room = HEARTH_MAX(writer->room, FIRST_ROOM);
    while (room < need) {
        room *= 2;
    }
    if (room > writer->room) {
        uint8_t *bytes = hearth_realloc(writer->bytes, room, 1);
        if (bytes == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        writer->bytes = bytes;
        writer->room = room;
    }
    if (writer->tracks && room > writer->place_room) {
        struct hearth_token_place *places =
            hearth_realloc(writer->places, room, sizeof *writer->places);
        if (places == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        writer->places = places;
        writer->place_room = room;
    }
    return 0;
}

int writer_put_bytes(struct writer *writer, struct hearth_slice bytes,
                     struct hearth_token_place place)
{
    int rc = writer_reserve(writer, bytes.size);
    if (rc < 0 || bytes.size == 0) {
        return rc;
    }
    memcpy(writer->bytes + writer->size, bytes.data, bytes.size);
    for (size_t i = 0; writer->tracks && i < bytes.size; i++) {
        writer->places[writer->size + i] = place;
    }
    writer->size += bytes.size;
    return 0;
}

int writer_put(struct writer *writer, uint32_t c, struct hearth_token_place place)
{
    uint8_t bytes[4];
    return writer_put_bytes(writer, hearth_slice_of(bytes, hearth_utf8_write(c, bytes)), place);
}

int writer_copy(struct writer *writer, const struct view *view, size_t start, size_t end)
{
    size_t size = end - start;
    int rc = writer_reserve(writer, size);
    if (rc < 0 || size == 0) {
        return rc;
    }
    memcpy(writer->bytes + writer->size, view->text.data + start, size);
    if (writer->tracks && view->places != NULL) {
        memcpy(writer->places + writer->size, view->places + start, size * sizeof *view->places);
    }
    size_t at = start;
    while (writer->tracks && view->places == NULL && at < end) {
        unsigned length = char_size(view->text.data + at);
        const struct hearth_token_place place = {view->origin + (uint32_t)at,
                                                 view->origin + (uint32_t)(at + length)};
        for (unsigned i = 0; i < length && at < end; i++) {
            writer->places[writer->size + (at++ - start)] = place;
        }
    }
    writer->size += size;
    return 0;
}

struct view writer_view(const struct writer *writer, uint32_t origin)
{
    return (struct view){hearth_slice_of(writer->bytes, writer->size),
                         writer->tracks ? writer->places : NULL, origin};
}

struct hearth_token_place view_place_slow(const struct view *view, size_t at)
{
    size_t start = at;
    while (start > 0 && (view->text.data[start] & 0xC0) == 0x80) {
        start--;
    }
    size_t end = at + 1;
    while (end < view->text.size && (view->text.data[end] & 0xC0) == 0x80) {
        end++;
    }
    return (struct hearth_token_place){view->origin + (uint32_t)start,
                                       view->origin + (uint32_t)end};
}

int rewrite_keep(struct rewrite *rewrite, uint32_t c)
{
    const struct view *view = rewrite->view;
    struct hearth_token_place place = {0, 0};
    if (rewrite->writer->tracks) {
        place = view_place(view, HEARTH_MIN(rewrite->at, view->text.size - 1));
    }
    rewrite_drop(rewrite, 1);
    return writer_put(rewrite->writer, c, place);
}

int rewrite_insert(struct rewrite *rewrite, uint32_t c)
{
    struct hearth_token_place place = {rewrite->view->origin, rewrite->view->origin};
    if (rewrite->writer->tracks && rewrite->at > 0) {
        place = view_place(rewrite->view, rewrite->at - 1);
    }
    return writer_put(rewrite->writer, c, place);
}

void rewrite_drop(struct rewrite *rewrite, size_t count)
{
    const struct hearth_slice text = rewrite->view->text;
    for (size_t i = 0; i < count && rewrite->at < text.size; i++) {
        rewrite->at += char_size(text.data + rewrite->at);
    }
}

int rewrite_change(struct rewrite *rewrite, uint32_t c, int64_t change)
{
    if (change > 0) {
        return rewrite_insert(rewrite, c);
    }
    int rc = rewrite_keep(rewrite, c);
    rewrite_drop(rewrite, (size_t)-change);
    return rc;
}
