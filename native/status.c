#include "status.h"

#include <stdbool.h>
#include <string.h>

#define ROOM 32768
#define TEXT_LONGEST 400

static char records[ROOM];
static size_t used;	/* whole records */
static size_t written;	/* with the one that is being written */
static bool is_full;

static void put(const char *bytes, size_t length)
{
	if (is_full || length > ROOM - written) {
		is_full = true;
		return;
	}
	memcpy(records + written, bytes, length);
	written += length;
}

void status_key(const char *key)
{
	put(key, strlen(key));
}

void status_word(const char *word)
{
	put(" ", 1);
	put(word, strlen(word));
}

void status_number(int64_t number)
{
	char digits[24];
	char *end = digits + sizeof(digits);
	char *start = end;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do {
		*--start = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		*--start = '-';
	*--start = ' ';
	put(start, (size_t)(end - start));
}

void status_text(const char *text, size_t length)
{
	put(" ", 1);
	if (length > TEXT_LONGEST)
		length = TEXT_LONGEST;
	for (size_t i = 0; i < length; i++)
		put(text[i] > ' ' && text[i] <= '~' ? &text[i] : " ", 1);
}

void status_end(void)
{
	put("\n", 1);
	if (!is_full)
		used = written;
}

void status_forget(void)
{
	used = 0;
	written = 0;
	is_full = false;
}

const char *status_records(size_t *length)
{
	*length = used;
	return records;
}
