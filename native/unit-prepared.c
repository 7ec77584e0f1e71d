/* Tests of prepared.c, run under ASan and UBSan. Prints `ok N`. */
#include "prepared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096

static const char run[] = "0123456789abcdef";
static const char plan_text[] = "plan " PREPARED_RUN " of";
static int checks;

static void check(bool is_true, const char *what)
{
	checks++;
	if (is_true)
		return;
	fprintf(stderr, "not true: %s\n", what);
	exit(1);
}

struct bytes {
	unsigned char all[ROOM];
	size_t length;
};

static void add(struct bytes *to, const void *bytes, size_t length)
{
	check(length <= ROOM - to->length, "the test has room");
	memcpy(to->all + to->length, bytes, length);
	to->length += length;
}

static void add_section(struct bytes *to, const char *text, size_t length)
{
	const uint32_t count = (uint32_t)length;

	add(to, &count, sizeof(count));
	add(to, text, length);
}

#define SECTION(to, text) add_section(to, text, sizeof(text) - 1)

static void make(struct bytes *to)
{
	to->length = 0;
	add(to, PREPARED_MAGIC, PREPARED_MAGIC_LENGTH);
	SECTION(to, "chroot\0openat2\0");
	SECTION(to, "/py\0-c\0\x01\0");
	SECTION(to, "/py\0-\0");
	SECTION(to, "/py\0/run-" PREPARED_RUN "/\x01\0");
	SECTION(to, "");
	SECTION(to, "wall\0cpu\0memory\0disk\0output\0denied\0");
	SECTION(to, "read\0\0open\0");
	SECTION(to, "python\0amd64\0");
	add(to, plan_text, sizeof(plan_text) - 1);
}

static void add_argument(struct bytes *to, const char *text)
{
	const uint16_t tag[2] = { PLAN_ARGUMENT, 0 };

	add(to, tag, sizeof(tag));
	add_section(to, text, strlen(text) + 1);
}

static void check_decoding(void)
{
	static struct bytes whole, changed;
	struct prepared prepared;

	make(&whole);
	check(prepared_decode(whole.all, whole.length, &prepared), "a plan");
	check(strcmp(prepared_string(&prepared.sections[PREPARED_CALLS], 2),
		     "open") == 0, "a name after one that is empty");
	check(prepared_string(&prepared.sections[PREPARED_CALLS], 3) == NULL,
	      "no name beyond the last");
	check(prepared.plan_length == sizeof(plan_text) - 1, "its plan");
	for (size_t i = 0; i < whole.length - prepared.plan_length; i++)
		check(!prepared_decode(whole.all, i, &prepared),
		      "one that is cut short is none");
	changed = whole;
	changed.all[0] ^= 1;
	check(!prepared_decode(changed.all, changed.length, &prepared),
	      "another magic");
	changed = whole;
	changed.all[PREPARED_MAGIC_LENGTH + 3] = 0xff;
	check(!prepared_decode(changed.all, changed.length, &prepared),
	      "a section that is longer than all");
	changed = whole;
	changed.all[PREPARED_MAGIC_LENGTH + 4 + 14] = 'x';
	check(!prepared_decode(changed.all, changed.length, &prepared),
	      "a section whose last string has no end");
}

static void check_composed(enum prepared_section form, const char *text,
			   const struct bytes *wanted, const char *what)
{
	static const char *const arguments[] = { "a", PREPARED_RUN "\x01" };
	static unsigned char room[ROOM];
	static struct bytes whole;
	struct prepared prepared;
	const struct prepared_program program = {
		.form = form, .text = text, .run = run,
		.content = (const unsigned char *)"pass", .content_length = 4,
		.arguments = arguments, .argument_count = 2,
	};
	size_t length;

	make(&whole);
	check(prepared_decode(whole.all, whole.length, &prepared), "a plan");
	length = prepared_compose(&prepared, &program, room, sizeof(room));
	check(length == wanted->length &&
	      memcmp(room, wanted->all, length) == 0, what);
	for (size_t i = 0; i < length; i++)
		check(prepared_compose(&prepared, &program, room, i) == 0,
		      "nothing is written beyond the room");
}

static void begin(struct bytes *wanted)
{
	wanted->length = 0;
	add(wanted, "plan 0123456789abcdef of", sizeof(plan_text) - 1);
	add_argument(wanted, "/py");
}

static void end(struct bytes *wanted)
{
	add_argument(wanted, "a");
	add_argument(wanted, PREPARED_RUN "\x01");
}

static void check_composing(void)
{
	static struct bytes wanted;
	const uint16_t tag[2] = { PLAN_PROGRAM, 0 };

	begin(&wanted);
	add_argument(&wanted, "-c");
	add_argument(&wanted, "print(1) # " PREPARED_RUN);
	end(&wanted);
	check_composed(PREPARED_CODE, "print(1) # " PREPARED_RUN, &wanted,
		       "text, in which nothing is changed");
	begin(&wanted);
	add_argument(&wanted, "-");
	end(&wanted);
	check_composed(PREPARED_STDIN, NULL, &wanted, "stdin");
	begin(&wanted);
	add_argument(&wanted, "/run-0123456789abcdef/a.py");
	end(&wanted);
	add(&wanted, tag, sizeof(tag));
	add_section(&wanted, "a.py\0pass", 9);
	check_composed(PREPARED_FILE, "a.py", &wanted, "a file");
	wanted.length = 0;
	check_composed(PREPARED_SCRIPT, "a.js", &wanted, "what it has not");
}

int main(void)
{
	check_decoding();
	check_composing();
	printf("ok %d\n", checks);
	return 0;
}
