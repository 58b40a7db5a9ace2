/* chat_input.c — the messages and tools of a request as the variables of a chat template.
 *
 * Names of roles are ours; all else that comes here was written by the client. */

#include "gguf_engine.h"

#include "hearth_template.h"

/* ── The order of messages ───────────────────────────────────────────────────────────────────── */

/* A system message if wanted, then user and assistant in turn; after an assistant that calls tools
 * come their answers, and then the assistant again. A user or a tool is last. */
struct order {
    bool user;
    bool assistant;
    bool tool;
};

static bool may_follow(const struct order *order, enum hearth_role role, size_t index)
{
    switch (role) {
    case HEARTH_ROLE_SYSTEM: return index == 0;
    case HEARTH_ROLE_USER: return order->user;
    case HEARTH_ROLE_ASSISTANT: return order->assistant;
    case HEARTH_ROLE_TOOL: return order->tool;
    }
    return false;
}

static struct order after(enum hearth_role role, bool calls_tools)
{
    switch (role) {
    case HEARTH_ROLE_SYSTEM: return (struct order){.user = true};
    case HEARTH_ROLE_USER: return (struct order){.assistant = true};
    case HEARTH_ROLE_ASSISTANT: return (struct order){.user = !calls_tools, .tool = calls_tools};
    case HEARTH_ROLE_TOOL: return (struct order){.assistant = true, .tool = true};
    }
    HEARTH_UNREACHABLE();
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────── */

static void set_text(struct hearth_template_context *context, struct hearth_template_value *object,
                     const char *key, struct hearth_slice text, enum hearth_template_origin origin)
{
    hearth_template_set(context, object, key, hearth_template_string(context, text, origin));
}

/* {name, arguments, id?} → what templates look for: {id, type, function: {name, arguments}}, and
 * name and arguments beside it. */
static int add_call(struct hearth_template_context *context, struct hearth_template_value *calls,
                    const struct hearth_template_value *given, size_t index,
                    struct hearth_error *err)
{
    const struct hearth_template_value *name = hearth_template_get(given, "name");
    const struct hearth_template_value *arguments = hearth_template_get(given, "arguments");
    if (!hearth_template_is_string(name) || arguments == NULL) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tool_calls[%zu] must be an object with name and arguments", index);
    }
    struct hearth_template_value *function = hearth_template_object(context);
    hearth_template_set(context, function, "name", name);
    hearth_template_set(context, function, "arguments", arguments);
    struct hearth_template_value *call = hearth_template_object(context);
    hearth_template_set(context, call, "id", hearth_template_get(given, "id"));
    set_text(context, call, "type", hearth_slice_of_string("function"), HEARTH_TEMPLATE_OWN);
    hearth_template_set(context, call, "function", function);
    hearth_template_set(context, call, "name", name);
    hearth_template_set(context, call, "arguments", arguments);
    hearth_template_append(context, calls, call);
    return 0;
}

static int set_calls(struct hearth_template_context *context, struct hearth_template_value *message,
                     struct hearth_slice text, struct hearth_error *err)
{
    struct hearth_template_value *given = NULL;
    int rc = hearth_template_json(context, text, HEARTH_TEMPLATE_FOREIGN, &given, err);
    if (rc < 0) {
        return hearth_because(err, rc, "tool_calls");
    }
    size_t count = hearth_template_count(given);
    if (!hearth_template_is_list(given) || count == 0 || count > HEARTH_MAX_TOOL_CALLS) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "tool_calls must be an array of 1 to %u calls", HEARTH_MAX_TOOL_CALLS);
    }
    struct hearth_template_value *calls = hearth_template_list(context);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = add_call(context, calls, hearth_template_element(given, i), i, err);
    }
    hearth_template_set(context, message, "tool_calls", calls);
    return rc;
}

static int add_message(struct hearth_template_context *context, struct hearth_template_value *list,
                       const struct hearth_wire_chat_message *message, struct hearth_error *err)
{
    struct hearth_template_value *object = hearth_template_object(context);
    const char *role = hearth_role_name((enum hearth_role)message->role);
    set_text(context, object, "role", hearth_slice_of_string(role), HEARTH_TEMPLATE_OWN);
    set_text(context, object, "content", message->content, HEARTH_TEMPLATE_FOREIGN);
    if (message->name.size > 0) {
        set_text(context, object, "name", message->name, HEARTH_TEMPLATE_FOREIGN);
    }
    if (message->tool_call_id.size > 0) {
        set_text(context, object, "tool_call_id", message->tool_call_id, HEARTH_TEMPLATE_FOREIGN);
    }
    int rc =
        message->tool_calls.size > 0 ? set_calls(context, object, message->tool_calls, err) : 0;
    hearth_template_append(context, list, object);
    return rc;
}

static int give_messages(struct hearth_template_context *context,
                         const struct hearth_wire_inference_request *request, bool *uses_tools,
                         struct hearth_error *err)
{
    struct hearth_wire_list cursor = request->messages;
    struct hearth_wire_chat_message message;
    struct hearth_template_value *list = hearth_template_list(context);
    struct order order = {.user = true};
    size_t count = 0;
    for (; count < HEARTH_MAX_CHAT_MESSAGES &&
           hearth_wire_next(&cursor, HEARTH_RECORD_chat_message, &message);
         count++) {
        enum hearth_role role = (enum hearth_role)message.role;
        bool is_system = role == HEARTH_ROLE_SYSTEM;
        if (!may_follow(&order, role, count)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "messages[%zu] has the role %s; %s",
                               count, hearth_role_name(role),
                               is_system ? "only the first may be the system's"
                                         : "user and assistant alternate, the user begins, a tool "
                                           "follows its call");
        }
        int rc = add_message(context, list, &message, err);
        if (rc < 0) {
            return hearth_because(err, rc, "messages[%zu]", count);
        }
        bool calls_tools = message.tool_calls.size > 0;
        order = after(role, calls_tools);
        *uses_tools = *uses_tools || calls_tools || role == HEARTH_ROLE_TOOL;
    }
    if (count == 0 || !order.assistant) {
        return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                           "messages[%zu] must be the user's or a tool's: it is the last of %zu",
                           count > 0 ? count - 1 : 0, count);
    }
    hearth_template_set_variable(context, "messages", list);
    return 0;
}

/* ── Tools ───────────────────────────────────────────────────────────────────────────────────── */

/* Tools that must not be called are not told. */
static int give_tools(struct hearth_template_context *context,
                      const struct hearth_wire_inference_request *request, bool *uses_tools,
                      struct hearth_error *err)
{
    struct hearth_template_value *tools = hearth_template_none(context);
    if (request->tools.size > 0 && request->tool_choice != HEARTH_TOOLS_NONE) {
        int rc =
            hearth_template_json(context, request->tools, HEARTH_TEMPLATE_FOREIGN, &tools, err);
        if (rc < 0) {
            return hearth_because(err, rc, "tools");
        }
        for (size_t i = 0; i < hearth_template_count(tools); i++) {
            const struct hearth_template_value *function =
                hearth_template_get(hearth_template_element(tools, i), "function");
            if (!hearth_template_is_string(hearth_template_get(function, "name"))) {
                return hearth_fail(err, HEARTH_E_INPUT_INVALID,
                                   "tools[%zu] must be {type: function, function: {name, …}}", i);
            }
        }
        if (!hearth_template_is_list(tools)) {
            return hearth_fail(err, HEARTH_E_INPUT_INVALID, "tools must be an array");
        }
        *uses_tools = *uses_tools || hearth_template_count(tools) > 0;
    }
    hearth_template_set_variable(context, "tools", tools);
    return 0;
}

int gguf_give_chat(struct hearth_template_context *context,
                   const struct hearth_wire_inference_request *request, bool *ret_uses_tools,
                   struct hearth_error *err)
{
    *ret_uses_tools = false;
    int rc = give_messages(context, request, ret_uses_tools, err);
    rc = rc < 0 ? rc : give_tools(context, request, ret_uses_tools, err);
    hearth_template_set_variable(context, "documents", hearth_template_none(context));
    hearth_template_set_variable(context, "add_generation_prompt",
                                 hearth_template_bool(context, true));
    return rc;
}
