/* pace.c — see pace.h. */

#include "pace.h"

void gguf_pace_begin(struct gguf_pace *pace, unsigned most)
{
    *pace = (struct gguf_pace){.most = most, .allowed = most};
}

bool gguf_pace_is_short(uint64_t wall_ns, uint64_t ran_ns)
{
    return ran_ns < wall_ns / 100 * GGUF_SHORT_PERCENT;
}

void gguf_pace_shed(struct gguf_pace *pace, unsigned threads)
{
    pace->allowed = HEARTH_MAX(threads / 2, 1u);
    pace->calm = 0;
}

bool gguf_pace_measure(struct gguf_pace *pace, unsigned threads, uint64_t wall_ns, uint64_t ran_ns)
{
    if (wall_ns < GGUF_PACE_NS) {
        return false;
    }
    if (gguf_pace_is_short(wall_ns, ran_ns)) {
        gguf_pace_shed(pace, threads);
    } else if (ran_ns > wall_ns / 100 * GGUF_CALM_PERCENT && ++pace->calm >= GGUF_CALM_PACES) {
        pace->allowed = HEARTH_MIN(pace->allowed + 1, pace->most);
        pace->calm = 0;
    }
    return true;
}

/* ---- rows of a prompt ------------------------------------------------------------------------ */

static uint64_t average(uint64_t old, uint64_t now)
{
    if (old == 0) {
        return HEARTH_MAX(now, 1u);
    }
    return now > old ? old + (now - old) / 2 : old - (old - now) / 8;
}

void gguf_tempo_measure(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t streams,
                        uint32_t prompt_rows)
{
    if (prompt_rows == 0) {
        tempo->base_ns = average(tempo->base_ns, wall_ns);
    } else if (prompt_rows >= GGUF_LEAST_CHUNK) { /* a few rows measure the weights, not the rows */
        uint64_t base = streams > 0 ? HEARTH_MIN(tempo->base_ns, wall_ns) : 0;
        tempo->row_ns = average(tempo->row_ns, (wall_ns - base) / prompt_rows);
    }
}

void gguf_tempo_measure_guesses(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t guesses)
{
    uint64_t more = wall_ns - HEARTH_MIN(wall_ns, tempo->base_ns);
    tempo->guess_ns = average(tempo->guess_ns, more / HEARTH_MAX(guesses, 1u));
}

uint32_t gguf_tempo_chunk(const struct gguf_tempo *tempo, uint64_t target_ns, uint32_t most)
{
    uint64_t aim = target_ns / 100 * GGUF_AIM_PERCENT;
    uint64_t rows = GGUF_FIRST_CHUNK;
    if (tempo->row_ns > 0) {
        rows = (aim - HEARTH_MIN(aim, tempo->base_ns)) / tempo->row_ns;
    }
    rows = HEARTH_MAX(rows, (uint64_t)GGUF_LEAST_CHUNK);
    return (uint32_t)HEARTH_MIN(rows, (uint64_t)most);
}

/* ---- guesses --------------------------------------------------------------------------------- */

void gguf_luck_begin(struct gguf_luck *luck)
{
    *luck = (struct gguf_luck){.right = GGUF_LUCK_ONE / 2};
}

/* A row that turns out right saves a step. */
static bool does_pay(const struct gguf_luck *luck, const struct gguf_tempo *tempo)
{
    return tempo->base_ns / GGUF_LUCK_ONE * luck->right > tempo->guess_ns;
}

uint32_t gguf_luck_rows(struct gguf_luck *luck, const struct gguf_tempo *tempo, uint32_t most)
{
    if (luck->rest > 0) {
        luck->rest--;
        return luck->rest == 0 ? HEARTH_MIN(most, GGUF_LUCK_PROBE) : 0;
    }
    return tempo->base_ns == 0 ? 0 : most; /* what a step costs must be known first */
}

void gguf_luck_measure(struct gguf_luck *luck, const struct gguf_tempo *tempo, uint32_t guessed,
                       uint32_t right)
{
    uint32_t share = right * GGUF_LUCK_ONE / HEARTH_MAX(guessed, 1u);
    luck->right = (luck->right * 3 + share) / 4;
    luck->rest = does_pay(luck, tempo) ? 0 : GGUF_LUCK_REST;
}
