/* scripted_encoder.h — what the scripted server answers for an encoder; part of scripted_server.h.
 *
 * rerank     bytes of the text minus bytes of the query; a text "nan" has no number for a score
 * entities   two of each text: "FIRST" its first byte, "WHOLE" all of it (a text is ASCII here)
 * classify   a text with a pair is as long as both
 * embed      as float16 the bits 0x3C00 (1.0) so many times as dimensions were asked for; as int8
 *            the numbers 1, 2 … and the scale 0.5; +10 more dimensions if normalize is NO
 * tensors    the inputs again, the last one first, inline or as memfd as they came; only the wanted
 *            ones; an input called
 *              unsealed  comes as a memfd without seals    short    as one that is too short
 *              missing   without its memfd                 lying    with less data than its shape
 *              pipe      as what is no memfd
 * describe   "parity" has an input x [any, 3] int64, an output y [any, 2] float32 and three facts
 */

#ifndef HEARTH_SCRIPTED_ENCODER_H
#define HEARTH_SCRIPTED_ENCODER_H

static void scripted_score(const struct hearth_wire_inference_request *request,
                           const struct hearth_wire_text *text, struct hearth_wire_result *result)
{
    float score = (float)text->text.size - (float)request->query.size;
    result->score = hearth_slice_equals_string(text->text, "nan") ? NAN : score;
}

static void scripted_entities(const struct hearth_wire_text *text, struct hearth_wire_entity *room,
                              struct hearth_wire_result *result)
{
    uint32_t size = (uint32_t)text->text.size;
    room[0] = (struct hearth_wire_entity){
        .label = hearth_slice_of_string("FIRST"), .score = 0.5f, .end_byte = 1, .end_char = 1};
    room[1] = (struct hearth_wire_entity){.label = hearth_slice_of_string("WHOLE"),
                                          .score = 0.25f,
                                          .end_byte = size,
                                          .end_char = size};
    result->entities = (struct hearth_wire_list){.count = 2, .items = room};
}

static void scripted_pack(const struct hearth_wire_inference_request *request,
                          struct hearth_wire_result *result)
{
    static uint8_t bytes[512];
    uint32_t dimensions =
        request->dimensions + (request->normalize == HEARTH_NORMALIZE_NO ? 10u : 0u);
    bool is_half = request->vector_type == HEARTH_VECTOR_FLOAT16;
    HEARTH_ASSERT(dimensions <= sizeof bytes / 2);
    for (uint32_t i = 0; i < dimensions; i++) {
        if (is_half) {
            memcpy(bytes + 2 * i, "\x00\x3c", 2);
        } else {
            bytes[i] = (uint8_t)(i + 1);
        }
    }
    result->packed = hearth_slice_of(bytes, dimensions * (is_half ? 2u : 1u));
    result->scale = is_half ? 0 : 0.5f;
}

/* ── Tensors ─────────────────────────────────────────────────────────────────────────────────── */

static bool scripted_is_wanted(const struct hearth_wire_inference_request *request,
                               struct hearth_slice name)
{
    struct hearth_wire_list cursor = request->outputs;
    struct hearth_wire_name wanted;
    while (hearth_wire_next(&cursor, HEARTH_RECORD_name, &wanted)) {
        if (hearth_slice_equal(wanted.name, name)) {
            return true;
        }
    }
    return request->outputs.count == 0;
}

/* The descriptor with which a tensor goes back, or -1: @fd, or something worse. */
static int scripted_spoil(struct hearth_wire_tensor *tensor, int fd)
{
    int other = -1;
    if (hearth_slice_equals_string(tensor->name, "missing")) {
        return -1;
    }
    if (hearth_slice_equals_string(tensor->name, "unsealed")) {
        HEARTH_ASSERT(hearth_memfd_create("x", tensor->memfd_bytes, &other, NULL) == 0);
        return other;
    }
    if (hearth_slice_equals_string(tensor->name, "short")) {
        HEARTH_ASSERT(hearth_memfd_of_data("x", hearth_slice_of("abc", 3), &other, NULL) == 0);
        return other;
    }
    if (hearth_slice_equals_string(tensor->name, "pipe")) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (hearth_slice_equals_string(tensor->name, "lying")) {
        tensor->data.size--;
    }
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void scripted_send_fds(struct scripted_peer *peer, const struct hearth_message *message,
                              const int *fds, uint32_t count)
{
    struct hearth_buf *frame = hearth_frame_queue_begin(&peer->queue);
    HEARTH_ASSERT(frame != NULL && hearth_wire_encode(message, frame) == 0);
    HEARTH_ASSERT(hearth_frame_queue_commit_fds(&peer->queue, fds, count) == 0);
    int rc = hearth_frame_send_all(&peer->queue, peer->fd, SCRIPTED_WAIT_NS);
    HEARTH_ASSERT(rc == 0 || rc == HEARTH_E_DISCONNECTED);
}

static void scripted_tensors(struct scripted_peer *peer,
                             const struct hearth_wire_inference_request *request)
{
    struct hearth_wire_tensor given[HEARTH_MAX_TENSORS];
    struct hearth_wire_tensor taken[HEARTH_MAX_TENSORS];
    int given_fds[HEARTH_MAX_TENSORS];
    int fds[HEARTH_MAX_TENSORS];
    uint32_t count = 0;
    uint32_t taken_count = 0;
    uint32_t fd_count = 0;
    uint32_t next_fd = 0;
    struct hearth_wire_list cursor = request->tensors;
    for (; hearth_wire_next(&cursor, HEARTH_RECORD_tensor, &given[count]); count++) {
        given_fds[count] = given[count].memfd_bytes > 0 ? peer->fds[next_fd++] : -1;
    }
    for (uint32_t i = count; i-- > 0;) {
        if (scripted_is_wanted(request, given[i].name)) {
            struct hearth_wire_tensor *tensor = &taken[taken_count++];
            *tensor = given[i];
            fds[fd_count] = scripted_spoil(tensor, given_fds[i]);
            fd_count += fds[fd_count] >= 0;
        }
    }
    struct hearth_message message = {.type = HEARTH_MSG_inference_response};
    message.as.inference_response.request_id = request->request_id;
    message.as.inference_response.tensors =
        (struct hearth_wire_list){.count = taken_count, .items = taken};
    scripted_send_fds(peer, &message, fds, fd_count);
}

/* ── A model ─────────────────────────────────────────────────────────────────────────────────── */

static void scripted_describe(struct scripted_peer *peer,
                              const struct hearth_wire_model_request *request)
{
    static const uint32_t any_by_3[] = {UINT32_MAX, 3};
    static const uint32_t any_by_2[] = {UINT32_MAX, 2};
    const struct hearth_wire_model_info model = {
        .name = hearth_slice_of_string("parity"), .state = HEARTH_MODEL_READY, .dimensions = 5};
    const struct hearth_wire_port input = {
        .name = hearth_slice_of_string("x"), .type = HEARTH_TENSOR_INT64, .shape = {any_by_3, 2}};
    const struct hearth_wire_port output = {
        .name = hearth_slice_of_string("y"), .type = HEARTH_TENSOR_FLOAT32, .shape = {any_by_2, 2}};
    const struct hearth_wire_option facts[] = {
        {.key = hearth_slice_of_string("pooling"), .value = hearth_slice_of_string("mean")},
        {.key = hearth_slice_of_string("opset"), .value = hearth_slice_of_string("17")},
        {.key = hearth_slice_of_string("producer"),
         .value = hearth_slice_of_string("a\x1b[2J\xc2\x9b\nb")}};
    bool is_known = hearth_slice_equals_string(request->model_id, "parity");
    struct hearth_message message = {.type = HEARTH_MSG_model_response};
    struct hearth_wire_model_response *response = &message.as.model_response;
    response->request_id = request->request_id;
    if (is_known) {
        response->models = (struct hearth_wire_list){.count = 1, .items = &model};
        response->inputs = (struct hearth_wire_list){.count = 1, .items = &input};
        response->outputs = (struct hearth_wire_list){.count = 1, .items = &output};
        response->facts = (struct hearth_wire_list){.count = HEARTH_COUNT(facts), .items = facts};
    } else {
        response->code = (uint16_t)-HEARTH_E_NO_MODEL;
        response->error = hearth_slice_of_string("no model of that name in the roots");
    }
    scripted_send(peer, &message);
}

#endif
