/* open.c — the open requests of a client, by id. Ids count up, so their low bits spread evenly. */

#include "client_priv.h"

#define FIRST_BUCKETS 16

void client_open_init(struct client_open *open)
{
    *open = (struct client_open){0};
    hearth_list_init(&open->all);
}

void client_open_finish(struct client_open *open)
{
    hearth_free(open->buckets);
    open->buckets = NULL;
    open->bucket_count = 0;
}

static struct client_request **bucket_of(const struct client_open *open, uint64_t id)
{
    return &open->buckets[id & (open->bucket_count - 1)];
}

static void link_in(struct client_open *open, struct client_request *request)
{
    struct client_request **bucket = bucket_of(open, request->id);
    request->next = *bucket;
    *bucket = request;
}

static int grow(struct client_open *open)
{
    size_t count = open->bucket_count == 0 ? FIRST_BUCKETS : 2 * open->bucket_count;
    struct client_request **buckets = hearth_alloc(count, sizeof *buckets);
    if (buckets == NULL) {
        return HEARTH_E_NO_MEMORY;
    }
    hearth_free(open->buckets);
    open->buckets = buckets;
    open->bucket_count = count;
    HEARTH_LIST_EACH(struct client_request, link, request, &open->all) {
        link_in(open, request);
    }
    return 0;
}

int client_open_reserve(struct client_open *open)
{
    if (open->count >= HEARTH_MAX_OPEN_REQUESTS) {
        return HEARTH_E_QUEUE_FULL;
    }
    return open->count < open->bucket_count ? 0 : grow(open);
}

void client_open_add(struct client_open *open, struct client_request *request)
{
    HEARTH_ASSERT(open->count < open->bucket_count);
    hearth_list_append(&open->all, &request->link);
    link_in(open, request);
    open->count++;
}

struct client_request *client_open_find(const struct client_open *open, uint64_t id)
{
    if (open->count == 0) {
        return NULL;
    }
    struct client_request *request = *bucket_of(open, id);
    while (request != NULL && request->id != id) {
        request = request->next;
    }
    return request;
}

void client_open_remove(struct client_open *open, struct client_request *request)
{
    struct client_request **at = bucket_of(open, request->id);
    while (*at != request) {
        at = &(*at)->next;
    }
    *at = request->next;
    hearth_list_remove(&request->link);
    open->count--;
}

void client_open_take_all(struct client_open *open, struct hearth_list *ret)
{
    hearth_list_init(ret);
    HEARTH_LIST_EACH(struct client_request, link, request, &open->all) {
        hearth_list_remove(&request->link);
        hearth_list_append(ret, &request->link);
    }
    client_open_finish(open);
    open->count = 0;
}
