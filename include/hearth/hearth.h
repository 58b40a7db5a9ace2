/* hearth.h — libhearth: local inference through the daemon hearthd.
 *
 *     hearth_client *client;
 *     hearth_error err;
 *     if (hearth_connect(NULL, &client, &err) < 0) { fprintf(stderr, "%s\n", err.text); … }
 *
 *     hearth_request_params params = hearth_request_params_default();
 *     params.model = "hearth-intent";
 *     const char *texts[] = {"wake me at seven"};
 *     hearth_result *result;
 *     if (hearth_classify(client, texts, 1, &params, &result, &err) == 0) {
 *         const hearth_item *item = hearth_result_item(result, 0);
 *         printf("%s %.3f\n", item->labels[0].name, item->labels[0].probability);
 *         hearth_result_free(result);
 *     }
 *     hearth_disconnect(client);
 *
 * Two ways of use, which may be mixed on one client: calls that *block* (request.h), and requests
 * that are *submitted*, many at once, and told of by callbacks from hearth_dispatch() in an event
 * loop of the program's own (event.h). docs/libhearth.md explains both with examples.
 *
 * Errors: a function returns 0 or a negative HEARTH_E_* and fills *err, which may be NULL: code,
 * errno if the system said so, and a sentence. What ret_ points to is written only on success.
 * Text is UTF-8 and ends with NUL.
 *
 * Threads: a client serves one thread at a time; only hearth_cancel() and hearth_cancel_request()
 * may come from any other. Several clients are independent of each other. The library starts no
 * thread, installs no signal handler and raises no SIGPIPE; after fork() only one side may go on
 * with a client.
 *
 * Callbacks (on_item, on_done) come from hearth_dispatch(), hearth_wait(), hearth_reconnect() and
 * the calls that block, and from nothing else. A callback may submit and cancel requests of the
 * same client; calls that would block or dispatch return HEARTH_E_BUSY there, and
 * hearth_disconnect() ends the program.
 *
 * ABI: functions are never taken away or changed. A struct that begins with `size` may grow at its
 * end, as may one that the library lends by pointer: do not copy those by value. Structs that are
 * elements of an array (hearth_input, hearth_chat_message, hearth_turn, hearth_bias, hearth_label,
 * hearth_entity, hearth_token_score, hearth_tool_call, hearth_tensor, hearth_port, hearth_fact,
 * hearth_metric_bucket) never grow. Enums and the list of errors may get further values.        */

#ifndef HEARTH_HEARTH_H
#define HEARTH_HEARTH_H

#include <stddef.h>
#include <stdint.h>

#include <hearth/errors.h>
#include <hearth/types.h>

typedef struct hearth_error hearth_error;
typedef struct hearth_client hearth_client; /* one connection with its session */
typedef struct hearth_result hearth_result; /* the answer to one request */

#include <hearth/connect.h>
#include <hearth/item.h>
#include <hearth/params.h>
#include <hearth/request.h>
#include <hearth/event.h>
#include <hearth/result.h>
#include <hearth/tensors.h>
#include <hearth/models.h>
#include <hearth/names.h>
#include <hearth/metrics.h>
#include <hearth/requests.h>

#endif
