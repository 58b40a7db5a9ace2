/* fairness.c — whose turn it is inside a class: counters of served work. */

#include "sched_priv.h"

static struct hearth_class *class_of(struct hearth_sched *sched, const struct hearth_job *job)
{
    return &sched_lane_of(sched, job->flow)->classes[job->priority];
}

static struct hearth_turn *turn_of(const struct hearth_job *job)
{
    return &job->flow->turns[job->priority];
}

static void queue_turn(struct hearth_sched *sched, struct hearth_class *class,
                       struct hearth_turn *turn)
{
    turn->node.key = turn->counter;
    turn->node.order = sched->orders++;
    sched_turns_insert(&class->first, &turn->node);
}

/* To the counters of those that wait: see rule 3. */
static void lift(const struct hearth_class *class, struct hearth_turn *turn)
{
    uint64_t floor = class->first != NULL ? class->first->key : class->counter;
    turn->counter = HEARTH_MAX(turn->counter, floor);
}

void fairness_enter(struct hearth_sched *sched, struct hearth_job *job)
{
    struct hearth_class *class = class_of(sched, job);
    struct hearth_turn *turn = turn_of(job);
    if (turn->queued_count++ == 0) {
        lift(class, turn);
        queue_turn(sched, class, turn);
        hearth_list_append(&class->turns, &turn->of_class);
    }
    hearth_list_append(&turn->jobs, &job->link);
    hearth_list_append(&class->arrivals, &job->of_class);
    class->queued_count++;
}

void fairness_leave(struct hearth_sched *sched, struct hearth_job *job)
{
    struct hearth_class *class = class_of(sched, job);
    struct hearth_turn *turn = turn_of(job);
    hearth_list_remove(&job->link);
    hearth_list_remove(&job->of_class);
    class->queued_count--;
    if (--turn->queued_count == 0) {
        sched_turns_remove(&class->first, &turn->node);
        hearth_list_remove(&turn->of_class);
    }
}

/* Gives the turn another counter, and if it waits its new place. */
static void move(struct hearth_sched *sched, struct hearth_class *class, struct hearth_turn *turn,
                 uint64_t counter)
{
    turn->counter = counter;
    if (turn->queued_count > 0) {
        sched_turns_remove(&class->first, &turn->node);
        queue_turn(sched, class, turn);
    }
}

void fairness_charge(struct hearth_sched *sched, struct hearth_job *job)
{
    struct hearth_class *class = class_of(sched, job);
    struct hearth_turn *turn = turn_of(job);
    const struct hearth_sched_user *user = job->flow->user;
    uint64_t flows = HEARTH_MAX(1u, user->flows[job->flow->lane]);
    class->counter = HEARTH_MAX(class->counter, turn->counter);
    job->price = HEARTH_MAX(1u, flows * HEARTH_SCHED_SCALE / HEARTH_MAX(1u, user->weight));
    job->charged = HEARTH_MIN(job->work, HEARTH_SCHED_MAX_WORK);
    move(sched, class, turn, turn->counter + job->charged * job->price);
}

void fairness_correct(struct hearth_sched *sched, struct hearth_job *job, uint32_t work)
{
    struct hearth_class *class = class_of(sched, job);
    struct hearth_turn *turn = turn_of(job);
    uint64_t counter = turn->counter;
    work = HEARTH_MIN(work, HEARTH_SCHED_MAX_WORK);
    if (work > job->charged) {
        counter += (work - job->charged) * job->price;
    } else {
        /* What is given back is not kept for later: below the last start it would be credit. */
        uint64_t back = (job->charged - work) * job->price;
        uint64_t least = HEARTH_MIN(counter, class->counter);
        counter = counter > back ? HEARTH_MAX(counter - back, least) : least;
    }
    if (work != job->charged) {
        job->charged = work;
        move(sched, class, turn, counter);
    }
}

struct hearth_job *fairness_first(const struct hearth_class *class)
{
    if (class->first == NULL) {
        return NULL;
    }
    const struct hearth_turn *turn = HEARTH_CONTAINER(struct hearth_turn, node, class->first);
    return HEARTH_CONTAINER(struct hearth_job, link, turn->jobs.next);
}

/* The jobs of @turn are no longer its own. */
static void forget_turn(struct hearth_turn *turn)
{
    struct hearth_flow *flow = HEARTH_CONTAINER(struct hearth_job, link, turn->jobs.next)->flow;
    flow->user->queued[flow->lane] -= turn->queued_count;
    flow->active_count -= turn->queued_count;
    if (flow->active_count == 0) {
        flow->user->flows[flow->lane]--;
    }
    hearth_list_remove(&turn->jobs); /* they stay a ring of their own, without a head */
    hearth_list_remove(&turn->of_class);
    turn->queued_count = 0;
}

void fairness_forget(struct hearth_class *class)
{
    HEARTH_LIST_EACH(struct hearth_turn, of_class, turn, &class->turns) {
        forget_turn(turn);
    }
    class->first = NULL;
    class->queued_count = 0;
}
