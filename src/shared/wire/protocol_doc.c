/* protocol_doc.c — writes docs/protocol.md from the layouts: the document cannot disagree with the
 * codec. A test compares the committed file with what this prints. */

#include "hearth_wire.h"

#include <inttypes.h>
#include <stdio.h>

static const char introduction[] =
    "# The protocol of hearthd, version 2\n"
    "\n"
    "Written by `hearth-protocol-doc` from `src/shared/wire/messages.def`; do not edit by hand.\n"
    "\n"
    "## Frames and messages\n"
    "\n"
    "A client speaks over a Unix stream socket. Each **frame** is a little-endian `u32` with the\n"
    "size of the payload in bytes (1 to %u) and the payload: one message. A frame that is\n"
    "larger, or empty, ends the connection.\n"
    "\n"
    "| Part | Bytes |\n"
    "|---|---|\n"
    "| message | `u16` number, `u16` zero, then its fields in the order listed |\n"
    "| `u8` `u16` `u32` `u64` | little-endian, no alignment |\n"
    "| `f32` | IEEE 754 single, little-endian |\n"
    "| `str` | `u32` size in bytes, then UTF-8 without a terminator |\n"
    "| `bytes` | `u32` size, then bytes |\n"
    "| `f32s` | `u32` count, then that many `f32` |\n"
    "| `u32s` | `u32` count, then that many `u32` |\n"
    "| list | `u32` count, `u32` size in bytes of what follows, then the records |\n"
    "| record | `u32` size in bytes, then its fields in the order listed |\n"
    "\n"
    "All listed fields must be there. What follows the last known field of a message or a\n"
    "record is skipped: that is how both may grow. A **limit** is the most bytes of a `str` or\n"
    "`bytes`, elements of an `f32s` or `u32s`, records of a list, or the largest value of a number.\n"
    "\n"
    "A message whose bytes do not hold together is `malformed`. One that is sound but has a field\n"
    "over its limit (`too_large`), text that is not UTF-8 or a number out of range\n"
    "(`input_invalid`) is answered under its `request_id`, and the connection goes on.\n"
    "\n"
    "## A connection\n"
    "\n"
    "1. The client sends `handshake`, the daemon answers `handshake_ack` or `error`. Only\n"
    "   `health_check` is answered before that.\n"
    "2. Requests may be sent without waiting for answers; answers carry the `request_id`. An\n"
    "   `inference_request` ends with exactly one `inference_response`; with the stream flag any\n"
    "   number of `stream_chunk` come before it.\n"
    "3. `cancel_request` works at any time; the request still gets its one `inference_response`,\n"
    "   with the code of `cancelled` unless it had ended before.\n";

static const char *const kind_names[] = {"u8",  "u16",   "u32",  "u64",  "f32",
                                         "str", "bytes", "f32s", "u32s", "list"};

static void print_fields(const struct hearth_layout *layout)
{
    if (layout->field_count == 0) {
        printf("No fields.\n");
        return;
    }
    printf("| Field | Type | Limit | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct hearth_field *field = &layout->fields[i];
        printf("| `%s` | ", field->name);
        if (field->kind == HEARTH_FIELD_list) {
            const char *record = hearth_wire_record_layout(field->record)->name;
            printf("list of [`%s`](#record-%s) | ", record, record);
        } else {
            printf("`%s` | ", kind_names[field->kind]);
        }
        if (field->limit != 0) {
            printf("%" PRIu64, field->limit);
        }
        printf(" | %s |\n", field->help);
    }
}

static const char *sender_of(enum hearth_direction direction)
{
    switch (direction) {
    case HEARTH_TO_DAEMON: return "client → daemon";
    case HEARTH_TO_CLIENT: return "daemon → client";
    case HEARTH_TO_BROKER: return "worker or spawner → daemon";
    case HEARTH_TO_WORKER: return "daemon → worker";
    case HEARTH_TO_SPAWNER: return "daemon → spawner";
    }
    HEARTH_UNREACHABLE();
}

static bool is_public(const struct hearth_layout *layout)
{
    return layout->direction == HEARTH_TO_DAEMON || layout->direction == HEARTH_TO_CLIENT;
}

static void print_messages(bool for_clients)
{
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        if (is_public(layout) == for_clients) {
            printf("\n### %u `%s`\n\n%s%s%s.\n\n", layout->number, layout->name,
                   sender_of(layout->direction), layout->help[0] != '\0' ? ": " : "", layout->help);
            print_fields(layout);
        }
    }
}

static void print_records(void)
{
    printf("\n## Records\n");
#define RECORD(name, help)                                                                         \
    printf("\n### Record `%s`\n\n%s.\n\n", #name, help);                                           \
    print_fields(hearth_wire_record_layout(HEARTH_RECORD_##name));
    HEARTH_RECORDS(RECORD)
#undef RECORD
}

static void print_errors(void)
{
    printf("\n## Errors\n\n`code` in a message is one of these numbers; 0 is success. "
           "\"Again\" means that the same request may succeed later.\n\n"
           "| Code | Name | Again | Meaning | Remedy |\n|---|---|---|---|---|\n");
#define ERROR(NAME, number, name, retryable, v1, http, sentence, remedy)                           \
    printf("| %d | `%s` | %s | %s | %s |\n", number, name, (retryable) ? "yes" : "no", sentence,   \
           remedy);
    HEARTH_ERRORS(ERROR)
#undef ERROR
}

int main(void)
{
    printf(introduction, HEARTH_MAX_FRAME_BYTES);
    printf("\n## Messages of a client's connection\n");
    print_messages(true);
    printf("\n## Messages inside Hearth\n\n"
           "Between the daemon, its spawner and its workers; both sides are of the same build.\n");
    print_messages(false);
    print_records();
    print_errors();
    return ferror(stdout) != 0;
}
