/* json_decode.c — V1 → structs, one interpreter over the layouts and their shapes.
 *
 * The library gives a tree in the room; its strings stay where they are, lists and arrays become
 * items behind it. As in decode.c there are two kinds of failure: a *hard* one (a value of the
 * wrong JSON type) ends the walk, a *soft* one (a limit, a range, a member given twice) leaves the
 * field as it is and the walk goes on, so that the request stays answerable. */

#include "json_read.h"

#include <inttypes.h>

/* The library takes at most 13 times the text; then come the records. */
#define ROOM_FACTOR 14

/* What one object has given so far. */
struct members {
    const struct hearth_json_owner *owner;
    void *record;
    size_t next;   /* field to try first: members mostly come in the order of the list */
    uint64_t seen; /* bit n: field n; the others below */
};
#define SEEN_SOLE  40u /* + n: a list of one record, given as its field n */
#define SEEN_SOLES (UINT64_C(3) << SEEN_SOLE)
#define SEEN_BIT   48u /* + n: bit n */
#define SEEN_GROUP 63u

static int read_fields(struct json_reader *in, const struct hearth_wire_place *outer,
                       uint32_t index, yyjson_val *object, struct members *members, bool in_group);
static int read_record(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                       const struct hearth_json_owner *owner, yyjson_val *value, void *record);
static int read_member(struct json_reader *in, const struct hearth_wire_place *place,
                       const struct hearth_json_shape *shape, yyjson_val *value, void *member);

/* ── Lists ───────────────────────────────────────────────────────────────────────────────────── */

/* Room for the records of a list, zeroed; NULL with *@ret_rc 0 if there are too many. */
static void *begin_list(struct json_reader *in, const struct hearth_wire_place *place, size_t count,
                        size_t struct_bytes, int *ret_rc)
{
    *ret_rc = 0;
    if (count > place->field->limit) {
        json_soft(in, place, HEARTH_E_TOO_LARGE, "%zu elements, the limit is %" PRIu64, count,
                  place->field->limit);
        return NULL;
    }
    void *items = json_take(in, count, struct_bytes);
    if (items == NULL) {
        *ret_rc = HEARTH_E_NO_MEMORY;
    } else {
        memset(items, 0, count * struct_bytes);
    }
    return items;
}

/* A record as the rest of a member whose name is its first field. */
static int read_keyed(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                      const struct hearth_json_owner *owner, yyjson_val *key, void *record)
{
    const struct hearth_layout *layout = owner->layout;
    struct hearth_wire_place place = {list, layout, &layout->fields[0], index, NULL};
    int rc = json_read_string(in, &place, key, hearth_wire_member(record, place.field));
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    if (rc < 0 || layout->field_count > 2) {
        return rc < 0 ? rc : read_record(in, list, index, owner, value, record);
    }
    place.field = &layout->fields[1];
    return read_member(in, &place, owner->shapes[1], value,
                       hearth_wire_member(record, place.field));
}

static int read_items(struct json_reader *in, const struct hearth_wire_place *place,
                      yyjson_val *value, const struct hearth_json_owner *owner, char *items)
{
    yyjson_arr_iter elements;
    yyjson_obj_iter keys;
    bool is_keyed = yyjson_obj_iter_init(value, &keys);
    yyjson_arr_iter_init(value, &elements);
    size_t count = is_keyed ? yyjson_obj_size(value) : yyjson_arr_size(value);
    int rc = 0;
    in->depth++;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        void *record = items + i * owner->layout->struct_bytes;
        rc = is_keyed ? read_keyed(in, place, i, owner, yyjson_obj_iter_next(&keys), record)
                      : read_record(in, place, i, owner, yyjson_arr_iter_next(&elements), record);
    }
    in->depth--;
    return rc;
}

static int read_list(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value,
                     struct hearth_wire_list *member)
{
    bool is_keyed = shape->form == HEARTH_JSON_KEYED && yyjson_is_obj(value);
    if (!yyjson_is_arr(value) && !is_keyed) {
        return json_hard(in, place, shape->form == HEARTH_JSON_KEYED ? "an object" : "an array");
    }
    size_t count = is_keyed ? yyjson_obj_size(value) : yyjson_arr_size(value);
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, hearth_wire_record_layout(place->field->record));
    int rc;
    void *items = begin_list(in, place, count, owner.layout->struct_bytes, &rc);
    if (items != NULL) {
        rc = read_items(in, place, value, &owner, items);
        *member = (struct hearth_wire_list){.count = (uint32_t)count, .items = items};
    }
    return rc;
}

/* The list of one record that consists of its field @index. */
static int read_sole(struct json_reader *in, const struct hearth_wire_place *place, size_t index,
                     yyjson_val *value, struct hearth_wire_list *member)
{
    const struct hearth_layout *layout = hearth_wire_record_layout(place->field->record);
    int rc;
    void *record = begin_list(in, place, 1, layout->struct_bytes, &rc);
    if (record == NULL) {
        return rc;
    }
    struct hearth_wire_place inside = *place;
    inside.field = &layout->fields[index];
    *member = (struct hearth_wire_list){.count = 1, .items = record};
    return json_read_run(in, &inside, value, hearth_wire_member(record, inside.field));
}

/* ── Members ─────────────────────────────────────────────────────────────────────────────────── */

static int read_member(struct json_reader *in, const struct hearth_wire_place *place,
                       const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    if (place->field->kind == HEARTH_FIELD_list) {
        return read_list(in, place, shape, value, member);
    }
    if (shape->form == HEARTH_JSON_BASE64) {
        return json_read_base64(in, place, value, member);
    }
    if (shape->form == HEARTH_JSON_TEXT && yyjson_is_ctn(value)) {
        return json_read_json(in, place, value, member);
    }
    return hearth_wire_is_number(place->field->kind)
               ? json_read_number(in, place, shape, value, member)
               : json_read_run(in, place, value, member);
}

/* Notes that a member was there; false if it, or another form of it, had been there before. */
static bool note(struct json_reader *in, struct members *members, unsigned bit, uint64_t others,
                 const struct hearth_wire_place *place)
{
    uint64_t mine = UINT64_C(1) << bit;
    if ((members->seen & (mine | others)) != 0) {
        json_soft(in, place, HEARTH_E_INPUT_INVALID, "is there twice");
        return false;
    }
    members->seen |= mine;
    return true;
}

static int read_bit(struct json_reader *in, const struct hearth_wire_place *place, unsigned bit,
                    yyjson_val *value, struct members *members)
{
    if (!yyjson_is_bool(value)) {
        return json_hard(in, place, "true or false");
    }
    if (note(in, members, SEEN_BIT + bit, 0, place) && yyjson_get_bool(value)) {
        void *member = hearth_wire_member(members->record, place->field);
        size_t width = place->field->unit;
        hearth_wire_store(member, hearth_wire_load(member, width) | UINT64_C(1) << bit, width);
    }
    return 0;
}

/* A number that adds to the bits that members of their own have set. */
static int read_bits(struct json_reader *in, const struct hearth_wire_place *place,
                     const struct hearth_json_shape *shape, yyjson_val *value, void *member)
{
    size_t width = place->field->unit;
    uint64_t before = hearth_wire_load(member, width);
    int rc = read_member(in, place, shape, value, member);
    hearth_wire_store(member, hearth_wire_load(member, width) | before, width);
    return rc;
}

/* A null is as if the member were not there, except where it stands for a number. */
static bool is_absent(const struct hearth_wire_place *place, yyjson_val *value)
{
    return yyjson_is_null(value) && place->field->kind != HEARTH_FIELD_f32;
}

/* Number @index of the names that a shape gives to its bits, or to fields of its one record. */
static int read_worded(struct json_reader *in, const struct hearth_wire_place *place, size_t field,
                       const struct hearth_json_shape *shape, unsigned index, yyjson_val *value,
                       struct members *members)
{
    if (is_absent(place, value)) {
        return 0;
    }
    if (shape->form == HEARTH_JSON_BITS) {
        return read_bit(in, place, index, value, members);
    }
    if (!note(in, members, SEEN_SOLE + index, SEEN_SOLES | UINT64_C(1) << field, place)) {
        return 0;
    }
    return read_sole(in, place, index, value, hearth_wire_member(members->record, place->field));
}

static int read_named(struct json_reader *in, const struct hearth_wire_place *place, size_t field,
                      const struct hearth_json_shape *shape, yyjson_val *value,
                      struct members *members)
{
    uint64_t others = shape->form == HEARTH_JSON_SOLE ? SEEN_SOLES : 0;
    void *member = hearth_wire_member(members->record, place->field);
    if (is_absent(place, value) || !note(in, members, (unsigned)field, others, place)) {
        return 0;
    }
    return shape->form == HEARTH_JSON_BITS ? read_bits(in, place, shape, value, member)
                                           : read_member(in, place, shape, value, member);
}

/* Which of the shape's words @key is, or -1; only forms whose words are names of members. */
static int word_index(const struct hearth_json_shape *shape, yyjson_val *key)
{
    if (shape->form != HEARTH_JSON_BITS && shape->form != HEARTH_JSON_SOLE) {
        return -1;
    }
    for (int i = 0; shape->words[i] != NULL; i++) {
        if (yyjson_equals_str(key, shape->words[i])) {
            return i;
        }
    }
    return -1;
}

static bool is_named(const struct hearth_json_shape *shape, const struct hearth_field *field,
                     struct hearth_slice key)
{
    return hearth_slice_equal(key, hearth_json_name(shape, field)) ||
           (shape->form == HEARTH_JSON_VERSION && hearth_slice_equals_string(key, field->name));
}

/* Reads the member if it belongs to field number @field; false if it does not. */
static bool try_field(struct json_reader *in, struct hearth_wire_place *place, size_t field,
                      const struct hearth_json_shape *shape, yyjson_val *key,
                      struct members *members, int *ret_rc)
{
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    struct hearth_slice name = hearth_slice_of(yyjson_get_str(key), yyjson_get_len(key));
    int word = word_index(shape, key);
    if (word >= 0) {
        place->member = shape->words[word];
        *ret_rc = read_worded(in, place, field, shape, (unsigned)word, value, members);
        return true;
    }
    if (is_named(shape, place->field, name)) {
        place->member = shape->member;
        *ret_rc = read_named(in, place, field, shape, value, members);
        return true;
    }
    return false;
}

static int read_one_member(struct json_reader *in, const struct hearth_wire_place *outer,
                           uint32_t index, yyjson_val *key, struct members *members, bool in_group)
{
    const struct hearth_layout *layout = members->owner->layout;
    struct hearth_wire_place place = {outer, layout, NULL, index, NULL};
    for (size_t tried = 0; tried < layout->field_count; tried++) {
        size_t i = (members->next + tried) % layout->field_count;
        const struct hearth_json_shape *shape = members->owner->shapes[i];
        int rc = 0;
        place.field = &layout->fields[i];
        if ((!in_group || shape->group != NULL) &&
            try_field(in, &place, i, shape, key, members, &rc)) {
            members->next = i + (shape->form == HEARTH_JSON_BITS ? 0 : 1);
            return rc;
        }
    }
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    const char *group = members->owner->group;
    if (group == NULL || in_group || !yyjson_equals_str(key, group)) {
        return json_skip(in, value, in->depth);
    }
    place.member = group;
    if (yyjson_is_null(value) || !note(in, members, SEEN_GROUP, 0, &place)) {
        return 0;
    }
    return read_fields(in, outer, index, value, members, true);
}

static int read_fields(struct json_reader *in, const struct hearth_wire_place *outer,
                       uint32_t index, yyjson_val *object, struct members *members, bool in_group)
{
    const struct hearth_layout *layout = members->owner->layout;
    struct hearth_wire_place place = {outer, layout, layout->fields, index,
                                      in_group ? members->owner->group : ""};
    if (!yyjson_is_obj(object)) {
        return json_hard(in, &place, "an object");
    }
    size_t count = yyjson_obj_size(object);
    if (count > HEARTH_MAX_JSON_MEMBERS) {
        json_soft(in, &place, HEARTH_E_TOO_LARGE, "%zu members, the limit is %u", count,
                  HEARTH_MAX_JSON_MEMBERS);
        count = HEARTH_MAX_JSON_MEMBERS;
    }
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    in->depth++;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = read_one_member(in, outer, index, yyjson_obj_iter_next(&each), members, in_group);
    }
    in->depth--;
    return rc;
}

/* ── Records ─────────────────────────────────────────────────────────────────────────────────── */

/* A record written as its one run: the first field of that JSON type. */
static int read_bare(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                     const struct hearth_layout *layout, yyjson_val *value, void *record)
{
    struct hearth_wire_place place = {list, layout, &layout->fields[0], index, NULL};
    for (size_t i = 0; i < layout->field_count; i++) {
        bool is_array = hearth_wire_is_array(layout->fields[i].kind);
        if (is_array ? yyjson_is_arr(value) : yyjson_is_str(value)) {
            place.field = &layout->fields[i];
            break;
        }
    }
    return json_read_run(in, &place, value, hearth_wire_member(record, place.field));
}

static void check_required(struct json_reader *in, const struct hearth_wire_place *list,
                           uint32_t index, const struct members *members)
{
    const struct hearth_layout *layout = members->owner->layout;
    for (size_t i = 0; i < layout->field_count; i++) {
        enum hearth_json_form form = members->owner->shapes[i]->form;
        if (form == HEARTH_JSON_REQUIRED && (members->seen >> i & 1) == 0) {
            struct hearth_wire_place place = {list, layout, &layout->fields[i], index, NULL};
            json_soft(in, &place, HEARTH_E_INPUT_INVALID, "is missing");
        }
    }
}

static int read_record(struct json_reader *in, const struct hearth_wire_place *list, uint32_t index,
                       const struct hearth_json_owner *owner, yyjson_val *value, void *record)
{
    if (!yyjson_is_obj(value) && hearth_json_is_bare(owner->layout)) {
        return read_bare(in, list, index, owner->layout, value, record);
    }
    struct members members = {.owner = owner, .record = record};
    int rc = read_fields(in, list, index, value, &members, false);
    if (rc == 0) {
        check_required(in, list, index, &members);
    }
    return rc;
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────── */

/* What a member that is not there means, where that is not zero. */
static void set_defaults(struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_inference_request) {
        hearth_wire_default_request(&message->as.inference_request);
    } else if (message->type == HEARTH_MSG_handshake) {
        message->as.handshake.version_max = HEARTH_PROTOCOL_V1;
    }
}

static bool was_seen(const struct members *members, size_t offset)
{
    const struct hearth_layout *layout = members->owner->layout;
    for (size_t i = 0; i < layout->field_count; i++) {
        if (layout->fields[i].offset == offset) {
            return (members->seen >> i & 1) != 0;
        }
    }
    return false;
}

/* What is told by other members if it is not there. The task of texts cannot be told. */
static void derive(struct json_reader *in, const struct members *members,
                   struct hearth_message *message)
{
    if (message->type == HEARTH_MSG_handshake &&
        !was_seen(members, offsetof(struct hearth_wire_handshake, version_min))) {
        message->as.handshake.version_min = message->as.handshake.version_max;
    }
    if (message->type != HEARTH_MSG_inference_request ||
        was_seen(members, offsetof(struct hearth_wire_inference_request, task))) {
        return;
    }
    struct hearth_wire_inference_request *request = &message->as.inference_request;
    if (was_seen(members, offsetof(struct hearth_wire_inference_request, choices))) {
        request->task = HEARTH_TASK_CHOICE;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, messages))) {
        request->task = HEARTH_TASK_CHAT;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, query))) {
        request->task = HEARTH_TASK_RERANK;
    } else if (was_seen(members, offsetof(struct hearth_wire_inference_request, tensors))) {
        request->task = HEARTH_TASK_TENSORS;
    } else if (!was_seen(members, offsetof(struct hearth_wire_inference_request, texts))) {
        request->task = HEARTH_TASK_GENERATE;
    } else if (in->soft == 0) {
        in->soft = hearth_fail(in->err, HEARTH_E_INPUT_INVALID,
                               "inference_request.task: is missing, texts do not tell it");
    }
}

/* The member "type", or NULL; the number of such members goes to *@ret_count. */
static yyjson_val *find_type(yyjson_val *root, unsigned *ret_count)
{
    yyjson_val *type = NULL;
    yyjson_obj_iter each = yyjson_obj_iter_with(root);
    *ret_count = 0;
    for (size_t i = 0; i < HEARTH_MAX_JSON_MEMBERS && yyjson_obj_iter_has_next(&each); i++) {
        yyjson_val *key = yyjson_obj_iter_next(&each);
        if (yyjson_equals_str(key, "type")) {
            type = yyjson_obj_iter_get_val(key);
            (*ret_count)++;
        }
    }
    return type;
}

/* The layout that the member "type" names, or NULL with the reason in @err. */
static const struct hearth_layout *layout_of(yyjson_val *root, struct hearth_error *err)
{
    unsigned count;
    yyjson_val *type = find_type(root, &count);
    if (count > 1) {
        hearth_fail(err, HEARTH_E_MALFORMED, "message: \"type\" is there twice");
        return NULL;
    }
    const struct hearth_layout *layout;
    for (size_t i = 0; (layout = hearth_wire_message_at(i)) != NULL; i++) {
        if (hearth_json_is_public(layout) && yyjson_equals_str(type, layout->name)) {
            return layout;
        }
    }
    hearth_fail(err, HEARTH_E_MALFORMED,
                "message: no object with a known \"type\"; see docs/protocol.md");
    return NULL;
}

static int read_message(struct json_reader *in, yyjson_val *root, struct hearth_message *ret)
{
    const struct hearth_layout *layout = layout_of(root, in->err);
    if (layout == NULL) {
        return HEARTH_E_MALFORMED;
    }
    memset(ret, 0, sizeof *ret);
    ret->type = (enum hearth_message_type)layout->number;
    set_defaults(ret);
    in->is_from_client = layout->direction == HEARTH_TO_DAEMON;
    struct hearth_json_owner owner;
    hearth_json_owner_init(&owner, layout);
    HEARTH_ASSERT(layout->field_count <= SEEN_SOLE);
    struct members members = {.owner = &owner, .record = &ret->as};
    int rc = read_fields(in, NULL, 0, root, &members, false);
    if (rc < 0) {
        return rc;
    }
    derive(in, &members, ret);
    return in->soft;
}

/* One attempt with the room as it is; HEARTH_E_NO_MEMORY if that was too small. */
static int decode_in(struct hearth_slice frame, struct hearth_json_room *room,
                     struct hearth_message *ret, struct hearth_error *err)
{
    struct json_reader in = {.room = room, .err = err};
    struct yyjson_alc allocator = json_room_allocator(room);
    yyjson_read_err problem;
    /* The library promises not to write to the text unless told that it may. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)frame.data, frame.size,
                                       YYJSON_READ_BIGNUM_AS_RAW, &allocator, &problem);
    if (doc == NULL) {
        /* JSON that is sound takes no more than the factor says. */
        bool is_room_short = problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION &&
                             room->room < ROOM_FACTOR * frame.size;
        return hearth_fail(err, is_room_short ? HEARTH_E_NO_MEMORY : HEARTH_E_MALFORMED,
                           "message: no JSON: %s at byte %zu", problem.msg, problem.pos);
    }
    return read_message(&in, yyjson_doc_get_root(doc), ret);
}

int hearth_json_decode(struct hearth_slice frame, struct hearth_json_room *room,
                       struct hearth_message *ret, struct hearth_error *err)
{
    if (frame.size == 0) {
        return hearth_fail(err, HEARTH_E_MALFORMED, "message: is empty");
    }
    size_t bytes = HEARTH_MAX(room->room, ROOM_FACTOR * frame.size + 4096);
    for (;;) {
        if (json_room_hold(room, bytes) < 0) {
            return hearth_fail_oom(err);
        }
        int rc = decode_in(frame, room, ret, err);
        if (rc != HEARTH_E_NO_MEMORY || room->room == room->cap) {
            return rc;
        }
        bytes = 2 * room->room;
    }
}
