/* random.c — seeded random numbers. */

#include "hearth_stats.h"

#include <math.h>

void hearth_stats_seed(struct hearth_stats_random *random, uint64_t seed)
{
    random->state = seed;
}

uint64_t hearth_stats_next(struct hearth_stats_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double hearth_stats_unit(struct hearth_stats_random *random)
{
    return ((double)(hearth_stats_next(random) >> 11) + 0.5) * 0x1p-53;
}

double hearth_stats_normal(struct hearth_stats_random *random)
{
    const double turn = 6.283185307179586;
    double radius = sqrt(-2.0 * log(hearth_stats_unit(random)));
    return radius * cos(turn * hearth_stats_unit(random));
}

double hearth_stats_exponential(struct hearth_stats_random *random)
{
    return -log(hearth_stats_unit(random));
}
