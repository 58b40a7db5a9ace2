/* date.c — strftime_now(): the moment that the caller gave, in UTC and with English names. */

#include "value.h"

#include <stdio.h>

#define DAY_S 86400

struct date {
    int64_t year;
    int month;    /* from 1 */
    int day;      /* from 1 */
    int weekday;  /* from Sunday */
    int year_day; /* from 1 */
    int second_of_day;
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Counted from 1 March of the year 0, so that the leap day is the last of its year. */
static struct date date_of(int64_t now_s)
{
    int64_t days = now_s / DAY_S - (now_s % DAY_S < 0);
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * of_year + 2) / 153;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    struct date date = {.day = (int)(of_year - (153 * month + 2) / 5 + 1)};
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year = year_of_era + era * 400 + (date.month <= 2);
    date.weekday = (int)(((days + 4) % 7 + 7) % 7);
    date.year_day =
        before[date.month - 1] + date.day + (date.month > 2 && is_leap(date.year) ? 1 : 0);
    date.second_of_day = (int)(now_s - days * DAY_S);
    return date;
}

static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

static bool emit_name(struct hearth_template_context *context, const struct date *date, char what)
{
    const char *name = what == 'B' || what == 'b' ? MONTHS[date->month - 1] : DAYS[date->weekday];
    bool is_short = what == 'b' || what == 'a';
    bool is_half = what == 'p';
    if (is_half) {
        name = date->second_of_day < DAY_S / 2 ? "AM" : "PM";
    } else if (what == '%') {
        name = "%";
    }
    jinja_emit(context, hearth_slice_of(name, is_short ? 3 : strlen(name)), false);
    return true;
}

/* One conversion; false if it is not known. */
static bool emit_part(struct hearth_template_context *context, const struct date *date, char what,
                      bool is_padded)
{
    if (strchr("BbAap%", what) != NULL && what != '\0') {
        return emit_name(context, date, what);
    }
    int hour = date->second_of_day / 3600;
    const struct {
        char what;
        int width;
        int64_t number;
    } numbers[] = {{'d', 2, date->day},
                   {'m', 2, date->month},
                   {'Y', 4, date->year},
                   {'y', 2, date->year % 100},
                   {'H', 2, hour},
                   {'I', 2, hour % 12 == 0 ? 12 : hour % 12},
                   {'M', 2, date->second_of_day / 60 % 60},
                   {'S', 2, date->second_of_day % 60},
                   {'j', 3, date->year_day}};
    for (size_t i = 0; i < HEARTH_COUNT(numbers); i++) {
        if (numbers[i].what == what) {
            char room[JINJA_NUMBER_BYTES];
            (void)snprintf(room, sizeof room, "%0*lld", is_padded ? numbers[i].width : 1,
                           (long long)numbers[i].number);
            jinja_emit_own(context, room);
            return true;
        }
    }
    return false;
}

struct value jinja_strftime_now(struct hearth_template_context *context,
                                const struct arguments *arguments)
{
    if (!jinja_check_arguments(context, "strftime_now", arguments, 1, "format")) {
        return jinja_none();
    }
    struct value format = arguments->all[0].value;
    if (format.kind != V_TEXT) {
        return jinja_fail(context, HEARTH_E_UNSUPPORTED, "strftime_now of %s",
                          jinja_kind_name(format));
    }
    struct date date = date_of(context->now_s);
    struct hearth_slice text = jinja_bytes(format);
    struct maker maker = jinja_text_begin(context);
    for (size_t at = 0; at < text.size && jinja_ok(context); at++) {
        if (text.data[at] != '%') {
            jinja_emit_part(context, format, at, 1);
            continue;
        }
        bool is_padded = at + 1 >= text.size || text.data[at + 1] != '-';
        at += is_padded ? 1 : 2;
        if (at >= text.size || !emit_part(context, &date, (char)text.data[at], is_padded)) {
            (void)jinja_fail(context, HEARTH_E_UNSUPPORTED, "a date format that is not supported");
        }
    }
    return jinja_text_end(&maker);
}
