/* growth.c — generated answers, which come piece by piece: each piece is shown as it came, and in
 * the end all of it in one. */

#include "client_priv.h"

#include <string.h>

struct client_call {
    hearth_tool_call whole;      /* id and name in the arena; arguments only at the end */
    struct hearth_buf arguments; /* ended with NUL */
};

void client_growth_init(struct client_growth *growth)
{
    hearth_buf_init(&growth->text, HEARTH_MAX_OUTPUT_BYTES + 1);
    hearth_buf_init(&growth->ids, HEARTH_MAX_GENERATED_TOKENS * sizeof(uint32_t));
    hearth_buf_init(&growth->scores, CLIENT_RESULT_BYTES);
    hearth_buf_init(&growth->calls, HEARTH_MAX_TOOL_CALLS * sizeof(struct client_call));
}

static struct client_call *calls_of(const struct client_growth *growth)
{
    return (struct client_call *)(void *)growth->calls.data;
}

static size_t count_calls(const struct client_growth *growth)
{
    return growth->calls.size / sizeof(struct client_call);
}

static void forget(struct hearth_buf *buf)
{
    hearth_buf_wipe(buf);
    hearth_buf_finish(buf);
}

void client_growth_finish(struct client_growth *growth)
{
    for (size_t i = 0; i < count_calls(growth); i++) {
        forget(&calls_of(growth)[i].arguments);
    }
    forget(&growth->text);
    forget(&growth->ids);
    forget(&growth->scores);
    forget(&growth->calls);
}

/* Appends and keeps a NUL behind the last byte. */
static int join(struct hearth_buf *text, struct hearth_slice piece)
{
    int rc = hearth_buf_reserve(text, piece.size + 1);
    rc = rc < 0 ? rc : hearth_buf_append(text, piece.data, piece.size);
    if (rc == 0) {
        text->data[text->size] = '\0';
    }
    return rc;
}

static int join_text(struct hearth_buf *text, struct hearth_slice piece, hearth_item *item)
{
    int rc = join(text, piece);
    if (rc == 0) {
        item->text = (const char *)text->data + (text->size - piece.size);
        item->text_bytes = piece.size;
    }
    return rc;
}

static int join_ids(struct hearth_buf *ids, struct hearth_wire_u32s piece, hearth_item *item)
{
    if (piece.count == 0) {
        return 0;
    }
    size_t size = (size_t)piece.count * sizeof(uint32_t);
    int rc = hearth_buf_reserve(ids, size);
    if (rc < 0) {
        return rc;
    }
    uint32_t *room = (uint32_t *)(void *)(ids->data + ids->size);
    hearth_wire_copy_u32s(piece, room, piece.count);
    ids->size += size;
    item->token_ids = room;
    item->token_id_count = piece.count;
    return 0;
}

static int join_scores(struct hearth_buf *scores, struct hearth_arena *arena,
                       struct hearth_wire_list cursor, hearth_item *item)
{
    size_t before = scores->size;
    struct hearth_wire_token_score record;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_token_score, &record)) {
        const hearth_token_score score = {.place = record.place,
                                          .id = record.id,
                                          .logprob = record.logprob,
                                          .is_chosen = record.is_chosen,
                                          .text = hearth_arena_copy(arena, record.text),
                                          .text_bytes = record.text.size};
        int rc = score.text == NULL ? HEARTH_E_NO_MEMORY
                                    : hearth_buf_append(scores, &score, sizeof score);
        if (rc < 0) {
            return rc;
        }
    }
    if (scores->size > before) {
        item->logprobs = (const hearth_token_score *)(const void *)(scores->data + before);
        item->logprob_count = (scores->size - before) / sizeof *item->logprobs;
    }
    return 0;
}

/* ── Tool calls ──────────────────────────────────────────────────────────────────────────────── */

/* Calls begin one after the other; a part belongs to any that has begun. */
static int join_part(struct client_growth *growth, const hearth_tool_call *part,
                     struct hearth_slice arguments)
{
    size_t count = count_calls(growth);
    if (part->index > count || part->index >= HEARTH_MAX_TOOL_CALLS) {
        return HEARTH_E_MALFORMED;
    }
    if (part->index == count) {
        struct client_call call = {.whole = *part};
        hearth_buf_init(&call.arguments, HEARTH_MAX_OUTPUT_BYTES + 1);
        int rc = hearth_buf_append(&growth->calls, &call, sizeof call);
        if (rc < 0) {
            return rc;
        }
    }
    return join(&calls_of(growth)[part->index].arguments, arguments);
}

static int join_calls(struct client_growth *growth, struct hearth_arena *arena,
                      struct hearth_wire_list cursor, hearth_item *item)
{
    if (cursor.count == 0) {
        return 0;
    }
    hearth_tool_call *parts = hearth_arena_alloc(arena, cursor.count, sizeof *parts);
    if (parts == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    struct hearth_wire_tool_call record;
    for (size_t i = 0; hearth_wire_next(&cursor, HEARTH_RECORD_tool_call, &record); i++) {
        parts[i] = (hearth_tool_call){.index = record.index,
                                      .id = hearth_arena_copy(arena, record.id),
                                      .name = hearth_arena_copy(arena, record.name),
                                      .arguments = hearth_arena_copy(arena, record.arguments)};
        if (parts[i].id == NULL || parts[i].name == NULL || parts[i].arguments == NULL) {
            return HEARTH_E_NO_MEMORY;
        }
        int rc = join_part(growth, &parts[i], record.arguments);
        if (rc < 0) {
            return rc;
        }
        item->tool_call_count = i + 1;
    }
    item->tool_calls = parts;
    return 0;
}

/* ── The whole ───────────────────────────────────────────────────────────────────────────────── */

int client_growth_add(struct client_growth *growth, struct hearth_arena *arena,
                      const struct hearth_wire_result *record, hearth_item *item)
{
    int rc = join_text(&growth->text, record->text, item);
    rc = rc < 0 ? rc : join_ids(&growth->ids, record->token_ids, item);
    rc = rc < 0 ? rc : join_scores(&growth->scores, arena, record->logprobs, item);
    return rc < 0 ? rc : join_calls(growth, arena, record->tool_calls, item);
}

int client_growth_end(struct client_growth *growth, struct hearth_arena *arena, hearth_item *item)
{
    size_t count = count_calls(growth);
    hearth_tool_call *calls = hearth_arena_alloc(arena, count, sizeof *calls);
    if (count > 0 && calls == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        calls[i] = calls_of(growth)[i].whole;
        calls[i].arguments = (const char *)calls_of(growth)[i].arguments.data;
    }
    item->text = (const char *)growth->text.data; /* an empty piece has made it "" */
    item->text_bytes = growth->text.size;
    item->token_ids = (const uint32_t *)(const void *)growth->ids.data;
    item->token_id_count = growth->ids.size / sizeof(uint32_t);
    item->logprobs = (const hearth_token_score *)(const void *)growth->scores.data;
    item->logprob_count = growth->scores.size / sizeof *item->logprobs;
    item->tool_calls = count > 0 ? calls : NULL;
    item->tool_call_count = count;
    return 0;
}
