/* protocol_doc.c — writes docs/protocol.md from the layouts: the document cannot disagree with the
 * codec. A test compares the committed file with what this prints. */

#include "json_shape.h"
#include "protocol_examples.h"

#include <inttypes.h>
#include <stdio.h>

static const char introduction[] =
    "# The protocol of hearthd, versions 1 and 2\n"
    "\n"
    "Written by `hearth-protocol-doc` from `src/shared/wire/messages.def` and\n"
    "`json_shape.def`; do not edit by hand.\n"
    "\n"
    "## Frames and messages\n"
    "\n"
    "A client speaks over a Unix stream socket. Each **frame** is a little-endian `u32`\n"
    "with the size of the payload in bytes (1 to %u) and the payload: one message. A frame\n"
    "that is larger, or empty, ends the connection.\n"
    "\n"
    "There is one list of messages in two encodings. **V1** is JSON, **V2** is binary. A\n"
    "payload that begins with `{` is V1. The handshake may come in either; its answer comes\n"
    "in the same, and what follows is in the version that the answer names. Messages that\n"
    "need no session may come in either, and are answered in the same.\n"
    "\n"
    "A **limit** is the most bytes of a `str` or `bytes`, elements of an `f32s` or `u32s`,\n"
    "records of a list, or the largest value of a number.\n"
    "\n"
    "A message whose bytes do not hold together is `malformed`. One that is sound but has a\n"
    "field over its limit (`too_large`), text that is not UTF-8 or a number out of range\n"
    "(`input_invalid`) is answered under its `request_id`, and the connection goes on.\n"
    "\n"
    "### V2, binary\n"
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
    "What follows the last known field of a message or a record is skipped, and one that\n"
    "ends where a field would begin leaves this and the following fields zero: that is how\n"
    "both may grow.\n";

static const char about_json[] =
    "\n"
    "### V1, JSON\n"
    "\n"
    "A message is one JSON object in UTF-8 (to the daemon: at most %u bytes, %u members in\n"
    "an object, %u objects and arrays inside each other). Its member `type` is the name of\n"
    "the message, the others are its fields:\n"
    "\n"
    "- A number is a number; where 1 is the largest it is `true` or `false`; where there\n"
    "  are words for the values it is a word, and the number is read as well. An `f32` is\n"
    "  written so that a double rounded to single gives the same bits; not a number and\n"
    "  infinity are `null`.\n"
    "- `str` and `bytes` are strings, `f32s` and `u32s` arrays of numbers, a list an array,\n"
    "  a record an object. A record that has nothing but strings and arrays, and only one\n"
    "  of them not empty, may be that string or array alone: `\"stops\":[\"END\"]`.\n"
    "- The column V1 tells what else differs, and what V1 adds: members for the reader's\n"
    "  ease that are not read.\n"
    "- Messages to a client show all their members. In messages to the daemon, and in\n"
    "  records, what is empty is left out. An *optional* member is left out wherever it is\n"
    "  0 or empty.\n"
    "- *base64* is that of RFC 4648, section 4, with its padding and nothing else.\n"
    "- Members that are not known are ignored. A member that is missing, or `null`, is zero\n"
    "  or empty, but for: the sampling parameters (256 tokens, temperature 0.7, top_k 40,\n"
    "  top_p 0.9, repetition_penalty 1.1, repetition_window 64, seed 42) and the priority\n"
    "  (`normal`); `protocol_version` (`V1`) and `version_min` (as `protocol_version`);\n"
    "  `role`, which must be there; and `task`: `messages` mean `chat`, `query` means\n"
    "  `rerank`, `tensors` mean `tensors`, `prompt` and `prompt_tokens` mean `generate`,\n"
    "  `texts` alone need it.\n"
    "- The members of `parameters` and `report` are read at the top level as well.\n"
    "- A value of the wrong JSON type is `malformed`. A number that is negative, has a\n"
    "  fraction or is too large for its field, a word that is not known, `null` for an\n"
    "  `f32` of a request and a member that is there twice, or in two forms, are\n"
    "  `input_invalid`.\n";

static const char connection[] =
    "\n"
    "## A connection\n"
    "\n"
    "1. The client sends `handshake`, the daemon answers `handshake_ack` or `error`. Before\n"
    "   that it answers `health_check`, `metrics_request` and `prometheus_request` alone.\n"
    "2. Requests may be sent without waiting for answers; answers carry the `request_id`.\n"
    "   An `inference_request` ends with exactly one `inference_response`; with the stream\n"
    "   flag any number of `stream_chunk` come before it.\n"
    "3. `cancel_request` works at any time; the request still gets its one\n"
    "   `inference_response`, with the code of `cancelled` unless it had ended before.\n"
    "\n"
    "### Memfds\n"
    "\n"
    "The data of a large tensor may be in a memfd (Linux, `memfd_create`) instead of the\n"
    "message: `data` is empty and `memfd_bytes` is the size of the file, which is what type and\n"
    "shape make. The file must have the seals `F_SEAL_SHRINK`, `F_SEAL_GROW` and\n"
    "`F_SEAL_WRITE`. A message claims one descriptor for each such tensor, in their order. They\n"
    "travel by `SCM_RIGHTS` on the same socket, with any byte of the frame or one before it:\n"
    "send them in one `sendmsg()` with its first byte, at most 16. Descriptors are kept in the\n"
    "order in which they come, and each message takes what it claims from the front, also if it\n"
    "is refused. Too few, or one that is not as it should be, is `input_invalid`; more than 32\n"
    "that no message has claimed, or more than 16 in one `sendmsg()`, end the connection, as does\n"
    "a message that cannot be read while descriptors wait. Outputs come as memfds only if the\n"
    "request's flags say so, and then those that do not fit into the message; they are sealed\n"
    "in the same way. All this is the same in both versions.\n";

static const char *const kind_names[] = {"u8",  "u16",   "u32",  "u64",  "f32",
                                         "str", "bytes", "f32s", "u32s", "list"};

/* "a, b, c" in the quotes of code. */
static void print_words(const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        printf("%s`%s`", i > 0 ? ", " : "", words[i]);
    }
}

static void print_name(const struct hearth_json_shape *shape, const struct hearth_field *field)
{
    struct hearth_slice name = hearth_json_name(shape, field);
    printf("`%s%s%.*s`", shape->group != NULL ? shape->group : "", shape->group != NULL ? "." : "",
           HEARTH_SLICE_ARGS(name));
}

/* What V1 makes of a field, if it is not what the general rules say. */
static void print_shape(const struct hearth_json_shape *shape, const struct hearth_field *field)
{
    if (shape->form == HEARTH_JSON_BITS) {
        printf("`%s`: ", shape->group);
        print_words(shape->words);
        printf(" are `true` or `false`");
        return;
    }
    if (shape->member != NULL) {
        print_name(shape, field);
    }
    switch (shape->form) {
    case HEARTH_JSON_PLAIN:
    case HEARTH_JSON_BITS: break;
    case HEARTH_JSON_WORDS:
    case HEARTH_JSON_REQUIRED:
        printf(": ");
        print_words(shape->words);
        break;
    case HEARTH_JSON_VERSION:
        printf(": `V1`, `V2`; `%s` as a number is read too", field->name);
        break;
    case HEARTH_JSON_SOLE:
        printf(", or for a single one ");
        print_words(shape->words);
        break;
    case HEARTH_JSON_KEYED: printf(": an object, by name"); break;
    case HEARTH_JSON_NULLABLE: printf(": `null` if empty"); break;
    case HEARTH_JSON_OPTIONAL:
        printf(": %s", shape->words != NULL ? "optional: " : "optional");
        if (shape->words != NULL) {
            print_words(shape->words);
        }
        break;
    case HEARTH_JSON_BASE64: printf(": base64"); break;
    case HEARTH_JSON_TEXT: printf(": optional, a string or the JSON itself"); break;
    }
    if (hearth_json_is_boolean(field, shape)) {
        printf("%s`true`, `false`", shape->member != NULL ? ": " : "");
    }
}

static void print_field(const struct hearth_json_owner *owner, size_t index)
{
    const struct hearth_field *field = &owner->layout->fields[index];
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
    printf(" | ");
    print_shape(owner->shapes[index], field);
    printf(" | %s |\n", field->help);
}

static void print_fields(const struct hearth_layout *layout, bool has_json)
{
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, layout);
    if (layout->field_count == 0) {
        printf("No fields.\n");
        return;
    }
    printf("| Field | Type | Limit | %s | Meaning |\n|---|---|---|---|---|\n",
           has_json ? "V1" : "");
    for (size_t i = 0; i < layout->field_count; i++) {
        print_field(&owner, i);
    }
    for (size_t i = 0; i < owner.extra_count; i++) {
        printf("| | | | adds `%s` | %s |\n", owner.extras[i].member, owner.extras[i].help);
    }
}

/* As the codec writes them, a line each. */
static void print_examples(const struct hearth_layout *layout)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf out;
    hearth_buf_init(&out, HEARTH_MAX_FRAME_BYTES);
    const struct hearth_message *message;
    printf("\n```json\n");
    for (size_t i = 0; (message = protocol_example(layout->number, i)) != NULL; i++) {
        hearth_buf_clear(&out);
        HEARTH_ASSERT(hearth_json_encode(message, NULL, &out) == 0);
        printf("%.*s\n", HEARTH_SLICE_ARGS(hearth_buf_slice(&out)));
    }
    printf("```\n");
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

static void print_messages(bool for_clients)
{
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        if (hearth_json_is_public(layout) != for_clients) {
            continue;
        }
        printf("\n### %u `%s`\n\n%s%s%s.\n\n", layout->number, layout->name,
               sender_of(layout->direction), layout->help[0] != '\0' ? ": " : "", layout->help);
        print_fields(layout, for_clients);
        if (for_clients) {
            print_examples(layout);
        }
    }
}

static void print_records(void)
{
    printf("\n## Records\n");
#define RECORD(name, help)                                                                         \
    printf("\n### Record `%s`\n\n%s.\n\n", #name, help);                                           \
    print_fields(hearth_wire_record_layout(HEARTH_RECORD_##name), true);
    HEARTH_RECORDS(RECORD)
#undef RECORD
}

static void print_errors(void)
{
    printf("\n## Errors\n\n`code` in a message (`number` in an `error` of V1) is one of these "
           "numbers; 0 is success. \"Again\" means that the same request may succeed later.\n\n"
           "| Code | Name | V1 `error_code` | As HTTP | Again | Meaning | Remedy |\n"
           "|---|---|---|---|---|---|---|\n");
#define ERROR(NAME, number, name, retryable, v1, http, sentence, remedy)                           \
    printf("| %d | `%s` | `%s` | %d | %s | %s | %s |\n", number, name, v1, http,                   \
           (retryable) ? "yes" : "no", sentence, remedy);
    HEARTH_ERRORS(ERROR)
#undef ERROR
}

int main(void)
{
    printf(introduction, HEARTH_MAX_FRAME_BYTES);
    printf(about_json, HEARTH_MAX_JSON_BYTES, HEARTH_MAX_JSON_MEMBERS, HEARTH_MAX_JSON_DEPTH);
    printf("%s", connection);
    printf("\n## Messages of a client's connection\n");
    print_messages(true);
    printf(
        "\n## Messages inside Hearth\n\n"
        "Between the daemon, its spawner and its workers; both sides are of the same build. They\n"
        "have no V1.\n");
    print_messages(false);
    print_records();
    print_errors();
    return ferror(stdout) != 0;
}
