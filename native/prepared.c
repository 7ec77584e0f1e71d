#define _GNU_SOURCE
#include "prepared.h"

#include "plan-values.h"

#include <string.h>

static bool take_section(struct cursor *from, struct prepared_strings *into)
{
	uint32_t length;

	if (!take_u32(from, &length) || length > from->left)
		return false;
	if (length > 0 && from->next[length - 1] != '\0')
		return false;
	*into = (struct prepared_strings){ (const char *)from->next, length };
	from->next += length;
	from->left -= length;
	return true;
}

bool prepared_decode(const unsigned char *bytes, size_t length,
		     struct prepared *prepared)
{
	struct cursor all = { bytes, length };

	if (length < PREPARED_MAGIC_LENGTH || length > PREPARED_LARGEST ||
	    memcmp(bytes, PREPARED_MAGIC, PREPARED_MAGIC_LENGTH) != 0)
		return false;
	all.next += PREPARED_MAGIC_LENGTH;
	all.left -= PREPARED_MAGIC_LENGTH;
	for (int i = 0; i < PREPARED_SECTIONS; i++) {
		if (!take_section(&all, &prepared->sections[i]))
			return false;
	}
	prepared->plan = all.next;
	prepared->plan_length = all.left;
	return prepared_string(&prepared->sections[PREPARED_TEXTS],
			       PREPARED_TEXT_COUNT - 1) != NULL &&
	       prepared_string(&prepared->sections[PREPARED_ABOUT], 1) != NULL;
}

const char *prepared_string(const struct prepared_strings *strings,
			    size_t index)
{
	struct cursor from = {
		(const unsigned char *)strings->first, strings->length,
	};
	const char *found = NULL;

	for (size_t i = 0; i <= index; i++) {
		if (!take_string(&from, &found))
			return NULL;
	}
	return found;
}

/* What is left of the room; `is_full` stays. */
struct writer {
	unsigned char *next;
	size_t left;
	bool is_full;
};

static void put(struct writer *to, const void *bytes, size_t length)
{
	if (to->is_full || length > to->left) {
		to->is_full = true;
		return;
	}
	if (length > 0)
		memcpy(to->next, bytes, length);
	to->next += length;
	to->left -= length;
}

static void put_header(struct writer *to, enum plan_tag tag, size_t length)
{
	const uint16_t words[2] = { (uint16_t)tag, 0 };
	const uint32_t bytes = (uint32_t)length;

	/* Else it would not be the length that follows. */
	if (length > PLAN_LARGEST)
		to->is_full = true;
	put(to, words, sizeof(words));
	put(to, &bytes, sizeof(bytes));
}

/* Never in what is the caller's. */
static void name_run(unsigned char *bytes, size_t length, const char *run)
{
	unsigned char *end = bytes + length, *at = bytes;

	while ((at = memmem(at, (size_t)(end - at), PREPARED_RUN,
			    PREPARED_RUN_LENGTH)) != NULL) {
		memcpy(at, run, PREPARED_RUN_LENGTH);
		at += PREPARED_RUN_LENGTH;
	}
}

static void put_named(struct writer *to, const void *bytes, size_t length,
		      const char *run)
{
	unsigned char *start = to->next;

	put(to, bytes, length);
	if (!to->is_full)
		name_run(start, length, run);
}

/* A word of the image's; one that ends in a hole has `text` in its place. */
static void put_word(struct writer *to, const char *word,
		     const struct prepared_program *program)
{
	const char *text = program->text == NULL ? "" : program->text;
	size_t length = strlen(word), more = 0;

	if (length > 0 && word[length - 1] == PREPARED_HOLE) {
		length--;
		more = strlen(text);
	}
	put_header(to, PLAN_ARGUMENT, length + more + 1);
	put_named(to, word, length, program->run);
	put(to, text, more);
	put(to, "", 1);
}

static void put_argument(struct writer *to, const char *argument)
{
	size_t length = strlen(argument) + 1;

	put_header(to, PLAN_ARGUMENT, length);
	put(to, argument, length);
}

static void put_file(struct writer *to, const struct prepared_program *program)
{
	size_t name = strlen(program->text) + 1;

	put_header(to, PLAN_PROGRAM, name + program->content_length);
	put(to, program->text, name);
	put(to, program->content, program->content_length);
}

size_t prepared_compose(const struct prepared *prepared,
			const struct prepared_program *program,
			unsigned char *room, size_t size)
{
	struct cursor words = {
		(const unsigned char *)prepared->sections[program->form].first,
		prepared->sections[program->form].length,
	};
	struct writer to = { room, size, words.left == 0 };
	const char *word;

	put_named(&to, prepared->plan, prepared->plan_length, program->run);
	while (take_string(&words, &word))
		put_word(&to, word, program);
	for (size_t i = 0; i < program->argument_count; i++)
		put_argument(&to, program->arguments[i]);
	if (program->form == PREPARED_FILE || program->form == PREPARED_SCRIPT)
		put_file(&to, program);
	return to.is_full ? 0 : size - to.left;
}
