/* normalize.c — runs the steps of a normaliser, and the small ones among them. */

#include "normalize.h"

/* The one step of most models. Plain ASCII keeps its places, so they need not be written down. */
static bool is_plain(struct hearth_slice text)
{
    size_t at = 0;
    while (at < text.size && text.data[at] >= ' ' && text.data[at] < 0x7F) {
        at++;
    }
    return at == text.size;
}

static int lowercase(const struct view *view, struct writer *writer)
{
    struct rewrite rewrite = {view, writer, 0};
    size_t at = 0;
    int rc = writer_reserve(writer, view->text.size);
    while (rc == 0 && at < view->text.size) {
        uint32_t c;
        at += hearth_utf8_read(view->text, at, &c);
        uint32_t lower[2] = {c >= 'A' && c <= 'Z' ? c + 32 : c};
        unsigned count = c < 0x80 ? 1 : unicode_lower(c, lower);
        rc = rewrite_keep(&rewrite, lower[0]);
        if (rc == 0 && count > 1) {
            rc = rewrite_insert(&rewrite, lower[1]);
        }
    }
    return rc;
}

static int strip_accents(const struct view *view, struct writer *writer)
{
    struct rewrite rewrite = {view, writer, 0};
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < view->text.size) {
        uint32_t c;
        at += hearth_utf8_read(view->text, at, &c);
        if (unicode_is_combining(c)) {
            rewrite_drop(&rewrite, 1);
        } else {
            rc = rewrite_keep(&rewrite, c);
        }
    }
    return rc;
}

static int strip(const struct normalizer_step *step, const struct view *view, struct writer *writer)
{
    size_t start = 0;
    size_t end = view->text.size;
    uint32_t c;
    while (step->strip.left && start < end) {
        unsigned length = hearth_utf8_read(view->text, start, &c);
        if (!unicode_is_space(c)) {
            break;
        }
        start += length;
    }
    while (step->strip.right && end > start) {
        size_t last = end - 1;
        while ((view->text.data[last] & 0xC0) == 0x80) {
            last--;
        }
        hearth_utf8_read(view->text, last, &c);
        if (!unicode_is_space(c)) {
            break;
        }
        end = last;
    }
    return writer_copy(writer, view, start, end);
}

static int replace(const struct normalizer_step *step, const struct view *view,
                   struct normal_scratch *scratch, struct writer *writer, bool *has_changed)
{
    struct split_scan scan = {0};
    struct split_range range;
    size_t done = 0;
    int rc = 0;
    *has_changed = false;
    for (;;) {
        rc = split_next(step->replace.pattern, view->text, &scratch->split, &scan, &range);
        if (rc <= 0) {
            break;
        }
        *has_changed = true;
        rc = writer_copy(writer, view, done, range.start);
        struct hearth_token_place place = {view->origin, view->origin};
        if (writer->tracks && range.end > 0) {
            place = view_place(view, range.end - 1);
        }
        rc = rc < 0 ? rc : writer_put_bytes(writer, step->replace.content, place);
        if (rc < 0) {
            return rc;
        }
        done = range.end;
    }
    if (rc < 0 || !*has_changed) {
        return rc;
    }
    return writer_copy(writer, view, done, view->text.size);
}

static int prepend(const struct normalizer_step *step, const struct view *view,
                   struct writer *writer)
{
    int rc = writer_put_bytes(writer, step->prepend, view_place(view, 0));
    return rc < 0 ? rc : writer_copy(writer, view, 0, view->text.size);
}

static bool is_dropped_by_nmt(uint32_t c)
{
    return (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
}

static bool is_space_to_nmt(uint32_t c)
{
    return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
           (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
           c == 0xFEFF || c == 0xFFFD;
}

static int nmt(const struct view *view, struct writer *writer)
{
    struct rewrite rewrite = {view, writer, 0};
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < view->text.size) {
        uint32_t c;
        at += hearth_utf8_read(view->text, at, &c);
        if (is_dropped_by_nmt(c)) {
            rewrite_drop(&rewrite, 1);
        } else {
            rc = rewrite_keep(&rewrite, is_space_to_nmt(c) ? ' ' : c);
        }
    }
    return rc;
}

static int run_step(const struct normalizer_step *step, const struct view *view,
                    struct normal_scratch *scratch, struct writer *writer, bool *has_changed)
{
    *has_changed = true;
    switch (step->kind) {
    case NORMALIZER_BERT: return normalize_bert(&step->bert, view, scratch, writer, has_changed);
    case NORMALIZER_FORM: return normalize_form(&step->form, view, scratch, writer, has_changed);
    case NORMALIZER_LOWERCASE: return lowercase(view, writer);
    case NORMALIZER_STRIP_ACCENTS: return strip_accents(view, writer);
    case NORMALIZER_STRIP: return strip(step, view, writer);
    case NORMALIZER_REPLACE: return replace(step, view, scratch, writer, has_changed);
    case NORMALIZER_PREPEND: return prepend(step, view, writer);
    case NORMALIZER_NMT: return nmt(view, writer);
    case NORMALIZER_BYTE_LEVEL: return byte_level_write(view, 0, view->text.size, writer);
    case NORMALIZER_PRECOMPILED:
        return normalize_precompiled(&step->precompiled, view, writer, has_changed);
    }
    return HEARTH_E_INTERNAL;
}

/* Steps that leave plain ASCII alone, or each character of it in its place. */
static bool keeps_plain_places(enum normalizer_kind kind)
{
    return kind == NORMALIZER_BERT || kind == NORMALIZER_LOWERCASE;
}

int normalize(const struct normalizer *normalizer, const struct view *view, bool tracks,
              struct normal_scratch *scratch, struct view *ret)
{
    *ret = *view;
    size_t turn = 0;
    for (size_t i = 0; i < normalizer->count && ret->text.size > 0; i++) {
        const struct normalizer_step *step = &normalizer->steps[i];
        struct writer *writer = &scratch->writers[turn];
        bool stays = ret->places == NULL && keeps_plain_places(step->kind) && is_plain(ret->text);
        bool has_changed = false;
        writer_start(writer, tracks && !stays);
        int rc = run_step(step, ret, scratch, writer, &has_changed);
        if (rc < 0) {
            return rc;
        }
        if (has_changed) {
            *ret = writer_view(writer, view->origin);
            turn = 1 - turn;
        }
    }
    return 0;
}

void normalizer_finish(struct normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->count; i++) {
        if (normalizer->steps[i].kind == NORMALIZER_REPLACE) {
            splitter_finish(normalizer->steps[i].replace.pattern);
        }
    }
}
