/*
 * Any bytes as a prepared plan, completed for programs of each form.  All
 * strings are inside; a plan that comes of it is as long as it says, and has
 * the caller's words, whole and unchanged, where it is one.
 */
#include "prepared.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static unsigned char room[1 << 18];

static void must(bool is_true)
{
	if (!is_true)
		__builtin_trap();
}

/* ASan sees whether the end of each is inside. */
static void check_strings(const struct prepared *prepared,
			  const unsigned char *bytes, size_t length)
{
	for (int i = 0; i < PREPARED_SECTIONS; i++) {
		const struct prepared_strings *strings =
			&prepared->sections[i];
		const char *text;
		size_t all = 0;

		for (size_t j = 0; j < 64; j++) {
			text = prepared_string(strings, j);
			if (text == NULL)
				break;
			all += strlen(text) + 1;
		}
		must(all <= strings->length && all <= length);
		must(text != NULL || all == strings->length);
		must((const unsigned char *)strings->first >= bytes);
	}
	must(prepared->plan + prepared->plan_length == bytes + length);
}

static void check_form(const struct prepared *prepared,
		       enum prepared_section form)
{
	static const char *const arguments[] = { "a " PREPARED_RUN, "\x01" };
	static struct plan plan;
	const struct prepared_program program = {
		.form = form,
		.text = form == PREPARED_STDIN ? NULL : "t" PREPARED_RUN,
		.content = (const unsigned char *)"x",
		.content_length = 1,
		.arguments = arguments,
		.argument_count = 2,
		.run = "0123456789abcdef",
	};
	size_t length = prepared_compose(prepared, &program, room,
					 sizeof(room));

	must(length <= sizeof(room));
	if (length == 0 || plan_decode(room, length, &plan) != PLAN_OK)
		return;
	must(plan.argument_count >= 3);
	for (size_t i = 0; i < 2; i++)
		must(strcmp(plan.arguments[plan.argument_count - 2 + i],
			    arguments[i]) == 0);
	if (form == PREPARED_FILE || form == PREPARED_SCRIPT)
		must(strcmp(plan.program_name, program.text) == 0 &&
		     plan.program_length == 1 && plan.program[0] == 'x');
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
	struct prepared prepared;

	if (!prepared_decode(bytes, length, &prepared))
		return 0;
	check_strings(&prepared, bytes, length);
	for (int form = PREPARED_CODE; form <= PREPARED_SCRIPT; form++)
		check_form(&prepared, (enum prepared_section)form);
	return 0;
}
