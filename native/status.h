#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The status records: lines of `key word word…` in one static buffer, sent
 * together at the end.  What does not fit is left out, together with all that
 * follows, so that a cut line cannot be taken for a whole one.
 */
void status_key(const char *key);
void status_word(const char *word);
void status_number(int64_t number);
/* Up to 400 bytes; whatever is not a printable ASCII character is a blank. */
void status_text(const char *text, size_t length);
void status_end(void);

/* What was recorded so far, and its length. */
const char *status_records(size_t *length);
/* Of another run, in this process before a fork. */
void status_forget(void);

#endif
