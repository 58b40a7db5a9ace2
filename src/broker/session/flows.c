/* flows.c — whose jobs they are: users with their weights, and what each connection asks of each
 * lane. A flow is made when a connection first asks a model, and kept with it, so that its requests
 * allocate nothing. One whose connection goes while jobs refer to it goes with the last of them. */

#include "session_priv.h"

#include <unistd.h>

/* A user of the machine, as long as one of its connections has asked something. */
struct user {
    struct hearth_list link;
    struct hearth_sched_user sched;
    uid_t uid;
    uint32_t flow_count;
};

struct flow {
    struct hearth_flow sched;
    struct user *user;
    bool is_orphan; /* its connection has gone */
};

static void grant(const struct hearth_config *config, struct user *user)
{
    const struct hearth_config_client *own = hearth_config_client(config, (uint32_t)user->uid);
    uint64_t limit =
        own != NULL && own->queue_limit != 0 ? own->queue_limit : config->client_queue_limit;
    user->sched.weight = (uint32_t)(own != NULL ? own->weight : HEARTH_CONFIG_WEIGHT);
    user->sched.queue_limit = (uint32_t)limit;
}

static struct user *find_user(struct hearth_server *server, uid_t uid)
{
    HEARTH_LIST_EACH(struct user, link, user, &server->users) {
        if (user->uid == uid) {
            return user;
        }
    }
    struct user *user = hearth_alloc(1, sizeof *user);
    if (user != NULL) {
        user->uid = uid;
        grant(server->parts.config, user);
        hearth_list_append(&server->users, &user->link);
    }
    return user;
}

static void free_flow(struct flow *flow)
{
    struct user *user = flow->user;
    if (--user->flow_count == 0) {
        hearth_list_remove(&user->link);
        hearth_free(user);
    }
    hearth_free(flow);
}

static struct flow *make_flow(struct hearth_server *server, uid_t uid, uint32_t lane)
{
    struct user *user = find_user(server, uid);
    struct flow *flow = user != NULL ? hearth_alloc(1, sizeof *flow) : NULL;
    if (flow == NULL) {
        if (user != NULL && user->flow_count == 0) {
            hearth_list_remove(&user->link);
            hearth_free(user);
        }
        return NULL;
    }
    user->flow_count++;
    flow->user = user;
    hearth_sched_flow_init(&flow->sched, &user->sched, lane);
    return flow;
}

/* The daemon's own requests have no connection: they are a flow of the user that it runs as. */
static struct flow *find_flow(struct request *request, uint32_t lane)
{
    struct hearth_server *server = request->server;
    struct connection *client = request->client;
    struct flow **at = client != NULL ? &client->flows[lane] : &server->flows[lane];
    if (*at == NULL) {
        *at = make_flow(server, client != NULL ? client->peer.uid : geteuid(), lane);
    }
    return *at;
}

int flows_submit(struct request *request, uint32_t lane, struct hearth_error *err)
{
    struct hearth_server *server = request->server;
    struct flow *flow = find_flow(request, lane);
    if (flow == NULL) {
        return hearth_fail_oom(err);
    }
    request->job.work = HEARTH_MAX(request->job.work, 1u);
    return hearth_sched_submit(&server->sched, &request->job, &flow->sched, server_now_ms(server),
                               &server->refused, err);
}

void flows_let_go(struct hearth_flow *sched)
{
    struct flow *flow = HEARTH_CONTAINER(struct flow, sched, sched);
    if (flow->is_orphan && sched->job_count == 0) {
        free_flow(flow);
    }
}

static void forget(struct flow *flows[HEARTH_MAX_MODELS])
{
    for (uint32_t i = 0; i < HEARTH_MAX_MODELS; i++) {
        if (flows[i] != NULL) {
            flows[i]->is_orphan = true;
            flows_let_go(&flows[i]->sched);
            flows[i] = NULL;
        }
    }
}

void flows_forget(struct connection *connection)
{
    forget(connection->flows);
}

void flows_forget_own(struct hearth_server *server)
{
    forget(server->flows);
}

void flows_reload(struct hearth_server *server)
{
    const struct hearth_config *config = server->parts.config;
    struct hearth_sched_limits limits = {.lane = (uint32_t)config->queue_limit,
                                         .bytes = MAX_QUEUED_BYTES};
    for (uint32_t p = 0; p < HEARTH_SCHED_PRIORITIES; p++) {
        limits.classes[p] = (uint32_t)config->class_limits[p];
    }
    server->sched.limits = limits;
    HEARTH_LIST_EACH(struct user, link, user, &server->users) {
        grant(config, user);
    }
}
