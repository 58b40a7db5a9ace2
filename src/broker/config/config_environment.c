/* config_environment.c — keys of [daemon] as variables of the environment. */

#include "config_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX         "HEARTH_"
#define VARIABLE_BYTES 40u /* "HEARTH_HANDSHAKE_TIMEOUT_MS" and room to spare */
#define NEAR           2u  /* letters that a slip of the finger changes at most */

static void variable_of(const struct config_key *key, char ret[VARIABLE_BYTES])
{
    size_t size = (size_t)snprintf(ret, VARIABLE_BYTES, PREFIX "%s", key->name);
    HEARTH_ASSERT(size < VARIABLE_BYTES);
    for (size_t i = 0; i < size; i++) {
        ret[i] = (char)toupper((unsigned char)ret[i]);
    }
}

int hearth_config_read_environment(struct hearth_config *config, struct hearth_error *err)
{
    for (size_t i = 0; i < config_key_count; i++) {
        char variable[VARIABLE_BYTES];
        variable_of(&config_keys[i], variable);
        const char *value = getenv(variable);
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        int rc = config_set_value(config, &config_keys[i], value, err);
        if (rc < 0) {
            return hearth_because(err, rc, "%s", variable);
        }
    }
    return 0;
}

/* Letters to insert, drop or change until @a is @b (Levenshtein); both are shorter than a name. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t row[VARIABLE_BYTES + NEAR];
    for (size_t k = 0; k <= b_size; k++) {
        row[k] = k;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b_size; k++) {
            size_t change = diagonal + (a[i - 1] != b[k - 1]);
            diagonal = row[k];
            row[k] = HEARTH_MIN(change, HEARTH_MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[b_size];
}

/* The variable that @name looks like; false if it looks like none, or is one. */
static bool find_meant(const char *name, size_t size, char ret[VARIABLE_BYTES])
{
    bool is_found = false;
    for (size_t i = 0; i < config_key_count; i++) {
        char variable[VARIABLE_BYTES];
        variable_of(&config_keys[i], variable);
        size_t letters = distance(name, size, variable, strlen(variable));
        if (letters == 0) {
            return false;
        }
        if (letters <= NEAR) {
            memcpy(ret, variable, sizeof variable);
            is_found = true;
        }
    }
    return is_found;
}

void hearth_config_find_typos(void (*tell)(void *arg, const char *variable, const char *meant),
                              void *arg)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        char name[VARIABLE_BYTES + NEAR];
        char meant[VARIABLE_BYTES];
        size_t size = strcspn(*entry, "=");
        if (size >= sizeof name || strncmp(*entry, PREFIX, strlen(PREFIX)) != 0) {
            continue; /* too long to be near one */
        }
        memcpy(name, *entry, size);
        name[size] = '\0';
        if (find_meant(name, size, meant)) {
            tell(arg, name, meant);
        }
    }
}
