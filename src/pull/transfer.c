/* transfer.c — see transfer.h. Redirects are followed here and not by libcurl, because each of them
 * is another place, which must be permitted, and which must not see the token. */

#include "transfer.h"

#include "interrupt.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONNECT_SECS      30L
#define LEAST_RATE        1000L /* bytes a second */
#define NETWORK_REMEDY    "see that this machine reaches the network; what has come is kept"
#define STATUS_IS_BODY(s) ((s) == 200 || (s) == 206)

struct place {
    char scheme[8];
    char host[256];
    char port[8];
};

struct pull_client {
    CURL *curl;
    const struct pull_network *network;
    struct place hub;
    char text[CURL_ERROR_SIZE];
    struct curl_slist *headers;
    /* of the request under way */
    const struct pull_sink *sink;
    struct pull_problem *problem;
    struct pull_head head;
    struct pull_facts facts;
    bool is_hub; /* it goes to the hub */
    size_t unread_bytes;
    int refused; /* what the sink, or the head, made of it; 0: nothing wrong */
};

/* ── Places ──────────────────────────────────────────────────────────────────────────────────── */

static bool take_part(CURLU *url, CURLUPart part, char *room, size_t room_bytes)
{
    char *text = NULL;
    bool fits = curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                hearth_slice_to_string(hearth_slice_of_string(text), room, room_bytes);
    curl_free(text);
    return fits;
}

static bool has_credentials(CURLU *url)
{
    char *user = NULL;
    bool has = curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    return has;
}

/* False if it is no address, or one with a user's name in it. */
static bool read_place(const char *address, struct place *ret)
{
    CURLU *url = curl_url();
    bool is_right = url != NULL && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK &&
                    !has_credentials(url) &&
                    take_part(url, CURLUPART_SCHEME, ret->scheme, sizeof ret->scheme) &&
                    take_part(url, CURLUPART_HOST, ret->host, sizeof ret->host) &&
                    take_part(url, CURLUPART_PORT, ret->port, sizeof ret->port);
    curl_url_cleanup(url);
    return is_right;
}

static bool is_this_machine(const struct place *place)
{
    bool is_v4 = strncmp(place->host, "127.", 4) == 0 &&
                 strspn(place->host, "0123456789.") == strlen(place->host);
    return is_v4 || strcmp(place->host, "[::1]") == 0;
}

static bool is_same(const struct place *a, const struct place *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

/* Plain http is for tests and mirrors on this machine: a hub elsewhere cannot send us there. */
static bool is_permitted(const struct place *place, const struct place *hub)
{
    bool hub_is_here = strcmp(hub->scheme, "http") == 0 && is_this_machine(hub);
    return strcmp(place->scheme, "https") == 0 ||
           (strcmp(place->scheme, "http") == 0 && hub_is_here && is_this_machine(place));
}

/* Where a redirect of @from leads. */
static int resolve(const char *from, const char *location, char *room, size_t room_bytes,
                   struct pull_problem *problem)
{
    char *text = NULL;
    CURLU *url = curl_url();
    bool is_right = url != NULL && curl_url_set(url, CURLUPART_URL, from, 0) == CURLUE_OK &&
                    curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK &&
                    hearth_slice_to_string(hearth_slice_of_string(text), room, room_bytes);
    curl_free(text);
    curl_url_cleanup(url);
    return is_right ? 0
                    : pull_fail(problem, HEARTH_E_DENIED, "ask who runs that hub",
                                "the server redirects to what is no https address");
}

/* ── What libcurl calls ──────────────────────────────────────────────────────────────────────── */

/* A hub names what it redirects to; what the storage behind it says of itself is no digest of ours.
 */
static void note_facts(struct pull_client *client)
{
    const struct pull_head *head = &client->head;
    if (!client->is_hub) {
        return;
    }
    if (head->sha256[0] != '\0' || head->git_sha1[0] != '\0') {
        memcpy(client->facts.sha256, head->sha256, sizeof head->sha256);
        memcpy(client->facts.git_sha1, head->git_sha1, sizeof head->git_sha1);
    }
    if (head->commit[0] != '\0') {
        memcpy(client->facts.commit, head->commit, sizeof head->commit);
    }
    if (head->has_linked_size) {
        client->facts.has_size = true;
        client->facts.size_bytes = head->linked_size;
    }
}

static size_t on_header(char *data, size_t unit, size_t count, void *self)
{
    struct pull_client *client = self;
    size_t size = unit * count;
    struct hearth_slice line = hearth_slice_of(data, size);
    struct hearth_error err = {0};
    int rc = pull_head_line(&client->head, line, &err);
    if (rc < 0) {
        pull_fail(client->problem, rc, "ask who runs that hub", "%s", err.text);
    } else if (pull_head_is_end(line) && client->head.status >= 200) {
        note_facts(client);
        if (STATUS_IS_BODY(client->head.status)) {
            rc = client->sink->begin(client->sink->self, &client->head, &client->facts,
                                     client->problem);
        }
    }
    client->refused = rc;
    return rc < 0 ? 0 : size;
}

/* What comes with a redirect or a refusal is read by nobody, and is not waited for for ever. */
static size_t on_body(char *data, size_t unit, size_t count, void *self)
{
    struct pull_client *client = self;
    size_t size = unit * count;
    if (STATUS_IS_BODY(client->head.status)) {
        client->refused = client->sink->take(client->sink->self, data, size, client->problem);
    } else if (size > PULL_MAX_HEADER_BYTES - client->unread_bytes) {
        client->refused = pull_fail(client->problem, HEARTH_E_TOO_LARGE, "ask who runs that hub",
                                    "the server sent too much with HTTP %u", client->head.status);
    } else {
        client->unread_bytes += size;
    }
    return client->refused < 0 ? 0 : size;
}

static int on_progress(void *self, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    struct pull_client *client = self;
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    client->sink->tick(client->sink->self);
    return pull_interrupted() != 0;
}

/* ── One request ─────────────────────────────────────────────────────────────────────────────── */

static int explain(struct pull_client *client, CURLcode code, const struct place *place,
                   struct pull_problem *problem)
{
    const char *why = client->text[0] != '\0' ? client->text : curl_easy_strerror(code);
    if (pull_interrupted() != 0) {
        return pull_fail_interrupted(problem);
    }
    if (client->refused < 0) {
        return client->refused; /* and the problem is filled */
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return pull_fail(problem, HEARTH_E_EXPIRED, NETWORK_REMEDY,
                         "%.60s: the connection stalled: %.90s", place->host, why);
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
        code == CURLE_UNSUPPORTED_PROTOCOL) {
        return pull_fail(problem, HEARTH_E_DENIED,
                         "install ca-certificates; --ca-file names the certificates of your own "
                         "network",
                         "%.60s is not who it says it is: %.90s", place->host, why);
    }
    return pull_fail(problem, HEARTH_E_DISCONNECTED, NETWORK_REMEDY, "%.60s: %.110s", place->host,
                     why);
}

static bool add_header(struct pull_client *client, const char *line)
{
    struct curl_slist *longer = curl_slist_append(client->headers, line);
    client->headers = longer != NULL ? longer : client->headers;
    return longer != NULL;
}

static void drop_headers(struct pull_client *client)
{
    for (struct curl_slist *at = client->headers; at != NULL; at = at->next) {
        hearth_wipe(at->data, strlen(at->data)); /* one of them may hold the token */
    }
    curl_slist_free_all(client->headers);
    client->headers = NULL;
}

static int set_headers(struct pull_client *client, uint64_t from, const char *if_range,
                       struct pull_problem *problem)
{
    char line[PULL_MAX_TOKEN_BYTES + 64];
    bool fits = true;
    drop_headers(client);
    if (client->is_hub && client->network->token != NULL) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", client->network->token);
        fits = add_header(client, line);
        hearth_wipe(line, sizeof line);
    }
    if (from > 0) {
        snprintf(line, sizeof line, "Range: bytes=%" PRIu64 "-", from);
        fits = fits && add_header(client, line);
    }
    if (from > 0 && if_range[0] != '\0') {
        snprintf(line, sizeof line, "If-Range: %s", if_range);
        fits = fits && add_header(client, line);
    }
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    return fits ? 0 : pull_fail_oom(problem);
}

static int ask(struct pull_client *client, const char *url, uint64_t from, const char *if_range,
               struct pull_problem *problem)
{
    struct place place = {.scheme = ""};
    if (!read_place(url, &place) || !is_permitted(&place, &client->hub)) {
        return pull_fail(problem, HEARTH_E_DENIED, "only https is followed; ask who runs that hub",
                         "the server redirects to %.8s%s%.100s",
                         place.scheme[0] != '\0' ? place.scheme : "what is no address",
                         place.scheme[0] != '\0' ? "://" : "", place.host);
    }
    client->is_hub = is_same(&place, &client->hub);
    client->head = (struct pull_head){.status = 0};
    client->refused = 0;
    client->unread_bytes = 0;
    client->text[0] = '\0';
    int rc = set_headers(client, from, if_range, problem);
    if (rc < 0) {
        return rc;
    }
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_NOPROXY, is_this_machine(&place) ? "*" : NULL);
    CURLcode code = curl_easy_perform(client->curl);
    drop_headers(client);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    return code == CURLE_OK ? 0 : explain(client, code, &place, problem);
}

static int refuse_status(unsigned status, bool has_token, struct pull_problem *problem)
{
    switch (status) {
    case 401:
    case 403:
        return pull_fail(problem, HEARTH_E_DENIED,
                         has_token ? "see that the token may read this repository and has not ended"
                                   : "if the repository asks for it, give --token-file FILE",
                         "the server refuses (HTTP %u)", status);
    case 404:
    case 410:
        return pull_fail(problem, HEARTH_E_NO_REQUEST,
                         "correct owner, repository, revision or file",
                         "the hub has no such file (HTTP %u)", status);
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return pull_fail(problem, HEARTH_E_NOT_READY, "try again later; what has come is kept",
                         "the server cannot answer now (HTTP %u)", status);
    default: /* a number of somebody else's, not an enum of ours */
        return pull_fail(problem, HEARTH_E_MALFORMED, "ask who runs that hub",
                         "the server answered with HTTP %u", status);
    }
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

int pull_client_get(struct pull_client *client, const char *url, uint64_t from,
                    const char *if_range, const struct pull_sink *sink, unsigned *ret_status,
                    struct pull_problem *problem)
{
    char at[PULL_MAX_URL_BYTES + 1];
    char next[PULL_MAX_URL_BYTES + 1];
    client->sink = sink;
    client->problem = problem;
    client->facts = (struct pull_facts){.has_size = false};
    if (!hearth_slice_to_string(hearth_slice_of_string(url), at, sizeof at)) {
        return pull_fail(problem, HEARTH_E_TOO_LARGE, "use a shorter --hub",
                         "an address of more than %u bytes", PULL_MAX_URL_BYTES);
    }
    for (unsigned hop = 0; hop <= PULL_MAX_REDIRECTS; hop++) {
        int rc = ask(client, at, from, if_range, problem);
        if (rc < 0) {
            return rc;
        }
        unsigned status = client->head.status;
        if (STATUS_IS_BODY(status) || status == 416) {
            *ret_status = status;
            return 0;
        }
        if (!is_redirect(status)) {
            return refuse_status(status, client->network->token != NULL, problem);
        }
        rc = resolve(at, client->head.location, next, sizeof next, problem);
        if (rc < 0) {
            return rc;
        }
        memcpy(at, next, sizeof at);
    }
    return pull_fail(problem, HEARTH_E_MALFORMED, "ask who runs that hub",
                     "the server redirects more than %u times", PULL_MAX_REDIRECTS);
}

/* ── Making one ──────────────────────────────────────────────────────────────────────────────── */

static void set_up(struct pull_client *client)
{
    CURL *curl = client->curl;
    const struct pull_network *network = client->network;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "hearth-pull/" HEARTH_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->text);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, LEAST_RATE);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)network->stall_secs);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    if (network->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, network->ca_file);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

int pull_client_create(const struct pull_network *network, struct pull_client **ret,
                       struct pull_problem *problem)
{
    struct place hub;
    if (!read_place(network->hub, &hub) || !is_permitted(&hub, &hub)) {
        return pull_fail(problem, HEARTH_E_ARGUMENT,
                         "give an address that begins with https:// (http:// only for 127.0.0.1)",
                         "the hub '%.100s' cannot be used", network->hub);
    }
    struct pull_client *client = hearth_alloc(1, sizeof *client);
    if (client == NULL) {
        return pull_fail_oom(problem);
    }
    client->network = network;
    client->hub = hub;
    client->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (client->curl == NULL) {
        hearth_free(client);
        return pull_fail_oom(problem);
    }
    set_up(client);
    *ret = client;
    return 0;
}

void pull_client_destroy(struct pull_client *client)
{
    if (client != NULL) {
        drop_headers(client);
        curl_easy_cleanup(client->curl);
        curl_global_cleanup();
        hearth_free(client);
    }
}
