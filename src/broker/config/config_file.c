/* config_file.c — the INI file. The grammar is inih's; lines come to it from here, so that an error
 * can name its line and a line too long for it is refused instead of being cut in two.          */

#include "config_priv.h"

#include "hearth_os.h"
#include "limits.h"
#include <ini.h>
#include <stdio.h>
#include <string.h>

#define MAX_FILE_BYTES (64u << 10)
#define MAX_LINE_BYTES 190u /* inih's own room, terminator and margin off */
#define MAX_INIH_NAME  48u  /* longer section names and keys are cut by inih without a word */

struct file_reader {
    struct hearth_config *config;
    struct hearth_error *err;
    const char *name;
    struct hearth_slice rest;
    int line;
    int rc; /* the first error */
};

static int fail_here(struct file_reader *reader, int rc, const char *key)
{
    reader->rc =
        key[0] != '\0'
            ? hearth_because(reader->err, rc, "%.80s:%d: %.64s", reader->name, reader->line, key)
            : hearth_because(reader->err, rc, "%.80s:%d", reader->name, reader->line);
    return 0; /* inih: stop */
}

static int refuse(struct file_reader *reader, const char *key, const char *what)
{
    return fail_here(reader, hearth_fail(reader->err, HEARTH_E_CONFIG, "%s", what), key);
}

static struct hearth_config_model *model_section(struct file_reader *reader, const char *name)
{
    struct hearth_config *config = reader->config;
    struct hearth_config_model *found =
        (struct hearth_config_model *)(uintptr_t)hearth_config_model(config, name);
    if (found != NULL) {
        return found;
    }
    if (config->model_options_count == HEARTH_CONFIG_MODELS) {
        refuse(reader, name, "more than 64 [model NAME] sections");
        return NULL;
    }
    const char *copy = config_copy(config, name, strlen(name), reader->err);
    if (copy == NULL) {
        fail_here(reader, HEARTH_E_NO_MEMORY, name);
        return NULL;
    }
    found = &config->model_options[config->model_options_count++];
    found->name = copy;
    found->worth = HEARTH_NORMAL;
    return found;
}

static int take_model_option(struct file_reader *reader, const char *name, const char *key,
                             const char *value)
{
    if (name[0] == '\0' || strlen(name) > HEARTH_MAX_MODEL_ID_BYTES) {
        return refuse(reader, "[model NAME]", "NAME must be a model id");
    }
    struct hearth_config_model *model = model_section(reader, name);
    if (model == NULL) {
        return 0;
    }
    int taken = config_take_model_key(model, key, value, reader->err);
    if (taken != 0) {
        return taken < 0 ? fail_here(reader, taken, key) : 1;
    }
    for (uint32_t i = 0; i < model->option_count; i++) {
        if (strcmp(model->options[i].key, key) == 0) {
            return refuse(reader, key, "given twice for this model");
        }
    }
    if (model->option_count == HEARTH_CONFIG_OPTIONS) {
        return refuse(reader, key, "more than 32 options for one model");
    }
    if (key[0] == '\0' || strlen(key) > HEARTH_MAX_NAME_BYTES || value[0] == '\0') {
        return refuse(reader, key, "an option has a key of 1 to 64 bytes and a value");
    }
    struct hearth_config_option option = {
        .key = config_copy(reader->config, key, strlen(key), reader->err),
        .value = config_copy(reader->config, value, strlen(value), reader->err),
    };
    if (option.key == NULL || option.value == NULL) {
        return fail_here(reader, HEARTH_E_NO_MEMORY, key);
    }
    model->options[model->option_count++] = option;
    return 1;
}

static int take_daemon_key(struct file_reader *reader, const char *name, const char *value)
{
    const struct config_key *key = config_key_find(name);
    if (key == NULL) {
        return refuse(reader, name, "no such key in [daemon]; deploy/hearthd.conf lists them");
    }
    uint64_t bit = config_key_bit(key);
    if ((reader->config->seen & bit) != 0) {
        return refuse(reader, name, "given twice (or a line begins with a space)");
    }
    reader->config->seen |= bit;
    int rc = config_set_value(reader->config, key, value, reader->err);
    return rc < 0 ? fail_here(reader, rc, name) : 1;
}

/* inih calls it for each `key = value`; 1 goes on. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
    struct file_reader *reader = user;
    if (reader->rc < 0) {
        return 0;
    }
    if (strlen(section) > MAX_INIH_NAME || strlen(name) > MAX_INIH_NAME) {
        return refuse(reader, "", "section or key longer than 48 bytes");
    }
    if (strcmp(section, "daemon") == 0) {
        return take_daemon_key(reader, name, value);
    }
    if (strncmp(section, "model ", 6) == 0) {
        return take_model_option(reader, section + 6, name, value);
    }
    if (strncmp(section, "client ", 7) == 0) {
        int rc = config_take_client_key(reader->config, section + 7, name, value, reader->err);
        return rc < 0 ? fail_here(reader, rc, name) : 1;
    }
    if (strncmp(section, "alias ", 6) == 0) {
        int rc = config_take_alias_key(reader->config, section + 6, name, value, reader->err);
        return rc < 0 ? fail_here(reader, rc, name) : 1;
    }
    return refuse(reader, section[0] != '\0' ? section : name,
                  "no such section; there are [daemon], [model NAME], [alias NAME] and [client "
                  "NAME]");
}

/* inih asks for the next line as fgets() would give it. */
static char *next_line(char *room, int room_bytes, void *stream)
{
    struct file_reader *reader = stream;
    if (reader->rc < 0 || reader->rest.size == 0) {
        return NULL;
    }
    const uint8_t *end = memchr(reader->rest.data, '\n', reader->rest.size);
    size_t size = end != NULL ? (size_t)(end - reader->rest.data) + 1 : reader->rest.size;
    reader->line++;
    if (size > MAX_LINE_BYTES || size >= (size_t)room_bytes) {
        refuse(reader, "", "line longer than 190 bytes");
        return NULL;
    }
    if (memchr(reader->rest.data, 0, size) != NULL) {
        refuse(reader, "", "line holds a NUL byte");
        return NULL;
    }
    memcpy(room, reader->rest.data, size);
    room[size] = '\0';
    reader->rest = hearth_slice_of(reader->rest.data + size, reader->rest.size - size);
    return room;
}

int hearth_config_parse(struct hearth_config *config, struct hearth_slice text, const char *name,
                        struct hearth_error *err)
{
    struct hearth_error ignored;
    struct file_reader reader = {
        .config = config, .err = err != NULL ? err : &ignored, .name = name, .rest = text};
    int line = ini_parse_stream(next_line, &reader, take_pair, &reader);
    if (reader.rc < 0) {
        return reader.rc;
    }
    if (line == 0) {
        int rc = config_check_clients(config, err);
        return rc < 0 ? hearth_because(err, rc, "%.80s", name) : 0;
    }
    reader.line = line > 0 ? line : reader.line;
    refuse(&reader, "", "neither a comment, a [section] nor key = value");
    return reader.rc;
}

int hearth_config_read(struct hearth_config *config, const char *path, struct hearth_error *err)
{
    HEARTH_AUTO(hearth_buf) struct hearth_buf buf;
    hearth_buf_init(&buf, MAX_FILE_BYTES);
    int rc = hearth_file_read(path, &buf, err);
    if (rc < 0) {
        return hearth_because(err, HEARTH_E_CONFIG, "configuration file");
    }
    return hearth_config_parse(config, hearth_buf_slice(&buf), path, err);
}
