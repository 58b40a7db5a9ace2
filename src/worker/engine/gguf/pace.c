/* pace.c — see pace.h. */

#include "pace.h"

#include <math.h>

void gguf_pace_begin(struct gguf_pace *pace, unsigned most)
{
    *pace = (struct gguf_pace){.most = most, .allowed = most};
}

bool gguf_pace_is_short(const struct gguf_seen *seen)
{
    return seen->ran_ns < seen->wall_ns / 100 * GGUF_SHORT_PERCENT &&
           4 * seen->looks.crowded >= 3 * seen->looks.count;
}

/* One thread more would have found a core. */
static bool is_calm(const struct gguf_seen *seen)
{
    return seen->looks.count > 0 ? 2 * seen->looks.spare >= seen->looks.count
                                 : seen->ran_ns > seen->wall_ns / 100 * GGUF_CALM_PERCENT;
}

void gguf_pace_shed(struct gguf_pace *pace, unsigned threads)
{
    pace->allowed = HEARTH_MAX(threads / 2, 1u);
    pace->calm = 0;
}

bool gguf_pace_measure(struct gguf_pace *pace, unsigned threads, const struct gguf_seen *seen)
{
    if (seen->wall_ns < GGUF_PACE_NS) {
        return false;
    }
    if (gguf_pace_is_short(seen)) {
        gguf_pace_shed(pace, threads);
    } else if (is_calm(seen) && ++pace->calm >= GGUF_CALM_PACES) {
        pace->allowed = HEARTH_MIN(pace->allowed + 1, pace->most);
        pace->calm = 0;
    }
    return true;
}

/* ---- rows of a prompt ------------------------------------------------------------------------ */

#define LEARN_RATE  0.25
#define MOST_CHANGE 0.5 /* of a logarithm, in one step */
#define FIXED_ROWS  4.0 /* what the fixed part is taken for at first, in rows */

/* Quick to believe that something is slow, slower to believe that it is quick. */
static uint64_t average(uint64_t old, uint64_t now)
{
    if (old == 0) {
        return HEARTH_MAX(now, 1u);
    }
    return now > old ? old + (now - old) / 2 : old - (old - now) / 8;
}

static double bounded(double change)
{
    return HEARTH_MAX(-MOST_CHANGE, HEARTH_MIN(MOST_CHANGE, change));
}

static void learn(struct gguf_tempo *tempo, double rows, double ns)
{
    double of_rows = tempo->row_ns * rows;
    double missing = ns - tempo->fixed_ns - of_rows;
    double rate = LEARN_RATE * missing / (tempo->fixed_ns * tempo->fixed_ns + of_rows * of_rows);
    tempo->fixed_ns *= exp(bounded(rate * tempo->fixed_ns));
    tempo->row_ns *= exp(bounded(rate * of_rows));
}

void gguf_tempo_measure(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t streams,
                        uint32_t prompt_rows)
{
    double ns = (double)HEARTH_MAX(wall_ns, 1u);
    double rows = streams + prompt_rows;
    if (prompt_rows == 0) {
        tempo->base_ns = average(tempo->base_ns, wall_ns);
    }
    if (tempo->row_ns == 0) {
        tempo->row_ns = ns / (rows + FIXED_ROWS);
        tempo->fixed_ns = tempo->row_ns * FIXED_ROWS;
    } else {
        learn(tempo, rows, ns);
    }
}

void gguf_tempo_measure_guesses(struct gguf_tempo *tempo, uint64_t wall_ns, uint32_t guesses)
{
    uint64_t more = wall_ns - HEARTH_MIN(wall_ns, tempo->base_ns);
    tempo->guess_ns = average(tempo->guess_ns, more / HEARTH_MAX(guesses, 1u));
}

uint32_t gguf_tempo_chunk(const struct gguf_tempo *tempo, uint64_t target_ns, uint32_t streams,
                          uint32_t most)
{
    double rows = GGUF_FIRST_CHUNK;
    if (tempo->row_ns > 0) {
        double streams_ns = tempo->fixed_ns + tempo->row_ns * streams;
        double aim_ns = (double)target_ns * GGUF_AIM_PERCENT / 100;
        rows = HEARTH_MAX(aim_ns - streams_ns, streams_ns) / tempo->row_ns;
    }
    uint32_t chunk = (uint32_t)HEARTH_MIN(HEARTH_MAX(rows, (double)GGUF_LEAST_CHUNK), (double)most);
    uint32_t odd = (streams + chunk) % GGUF_ROW_GROUP;
    return chunk >= odd + GGUF_LEAST_CHUNK ? chunk - odd : chunk;
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
