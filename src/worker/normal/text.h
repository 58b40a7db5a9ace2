/* text.h — a text on its way through normalisers and pre-tokenisers, and where its bytes came from.
 *
 * A *view* is a stretch of text as it is now. Per byte it knows the bytes of the original text, or
 * it has no list of them: then it is the original, character for character, from `origin` on. A
 * step that changes nothing hands on the view that it got; one that only replaces characters by
 * others of the same size keeps the view without a list. Lists are kept only if places are wanted.
 *
 * A *writer* collects the result of a step. A step keeps, inserts and drops characters; which place
 * each gets is what the reference's NormalizedString would say. */

#ifndef HEARTH_NORMAL_TEXT_H
#define HEARTH_NORMAL_TEXT_H

#include "hearth_pattern.h"

struct view {
    struct hearth_slice text;
    const struct hearth_token_place *places; /* one a byte; NULL: the original itself */
    uint32_t origin;                         /* where the original of this text starts */
};

struct writer {
    uint8_t *bytes;
    struct hearth_token_place *places; /* used only if tracks */
    size_t size;
    size_t room;
    size_t place_room;
    bool tracks;
};

/** Forgets the content and keeps the memory. */
void writer_start(struct writer *writer, bool tracks);
void writer_wipe(struct writer *writer);
void writer_finish(struct writer *writer);

/** Makes room for @extra bytes. HEARTH_E_NO_MEMORY, HEARTH_E_TOO_LARGE past
 * HEARTH_TOKENIZER_MAX_NORMAL_BYTES. */
HEARTH_NODISCARD int writer_reserve(struct writer *writer, size_t extra);

/** Puts one character that came from @place. */
HEARTH_NODISCARD int writer_put(struct writer *writer, uint32_t c, struct hearth_token_place place);
HEARTH_NODISCARD int writer_put_bytes(struct writer *writer, struct hearth_slice bytes,
                                      struct hearth_token_place place);

/** Puts the bytes from @start to @end of @view as they are, with their places. */
HEARTH_NODISCARD int writer_copy(struct writer *writer, const struct view *view, size_t start,
                                 size_t end);

/** The view of what was written from byte @start on. */
struct view writer_view(const struct writer *writer, uint32_t origin);

/** Where the byte @at of @view came from; the place of a whole character. */
struct hearth_token_place view_place_slow(const struct view *view, size_t at);

static inline struct hearth_token_place view_place(const struct view *view, size_t at)
{
    return view->places != NULL ? view->places[at] : view_place_slow(view, at);
}

/** Where the bytes from @start to @end (not empty) came from. */
static inline struct hearth_token_place view_range(const struct view *view, size_t start,
                                                   size_t end)
{
    return (struct hearth_token_place){view_place(view, start).start,
                                       view_place(view, end - 1).end};
}

/** A step that reads one character after the other and writes others in their stead. */
struct rewrite {
    const struct view *view;
    struct writer *writer;
    size_t at; /* old text before this is used up */
};

/** Puts @c in place of the next old character. */
HEARTH_NODISCARD int rewrite_keep(struct rewrite *rewrite, uint32_t c);
/** Puts @c behind the last old character that was used up. */
HEARTH_NODISCARD int rewrite_insert(struct rewrite *rewrite, uint32_t c);
/** Uses up @count old characters. */
void rewrite_drop(struct rewrite *rewrite, size_t count);
/** The reference's "change" of one character: > 0 inserts it, else it is kept and -change dropped.
 */
HEARTH_NODISCARD int rewrite_change(struct rewrite *rewrite, uint32_t c, int64_t change);

/** Bytes of the character that starts at @at. */
static inline unsigned char_size(const uint8_t *at)
{
    return *at < 0x80 ? 1 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : 4;
}

#endif
