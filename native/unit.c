/* Tests of the pure modules, run under ASan and UBSan. Prints `ok N`. */
#include "denials.h"
#include "frames.h"
#include "plan.h"
#include "status.h"
#include "steps.h"
#include "traces.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks;

static void check(bool is_true, const char *what)
{
	checks++;
	if (is_true)
		return;
	fprintf(stderr, "not true: %s\n", what);
	exit(1);
}

static void check_steps(void)
{
	for (unsigned int step = 0; step < STEP_COUNT; step++) {
		const char *name = step_name(step);

		check(name != NULL && name[0] != '\0', "a step has a name");
		check(strspn(name, "abcdefghijklmnopqrstuvwxyz-") ==
		      strlen(name), "a name is lower-case words");
	}
	check(strcmp(step_name(STEP_COUNT), "unknown") == 0, "no such step");
	check(strcmp(step_name(UINT_MAX), "unknown") == 0, "no such step");
}

static void check_denials(void)
{
	static struct denials denials;

	for (int nr = 0; nr < 1000; nr++) {
		denials_add(&denials, 1, nr);
		denials_add(&denials, 1, nr);
	}
	denials_add(&denials, 2, 0);
	check(denials.count == DENIALS_ROWS, "rows are bounded");
	check(denials.total == 2001, "all are counted");
	check(denials.rows[0].count == 2, "one row for one call");
	check(denials.rows[63].nr == 63, "rows in the order of their coming");
}

static void check_traces(void)
{
	static struct traces traces;
	uint64_t arguments[TRACES_ARGUMENTS] = { 0 };

	for (uint64_t value = 0; value < 20; value++) {
		arguments[TRACES_ARGUMENTS - 1] = value;
		traces_add(&traces, 1, 7, arguments);
		traces_add(&traces, 1, 7, arguments);
	}
	check(traces.count == TRACES_SAMPLES, "samples of a call are bounded");
	check(traces.rows[0].count == 2, "equal calls are counted");
	check(traces.lost == 2 * (20 - TRACES_SAMPLES), "others are lost");
	for (int32_t nr = 100; nr < 500; nr++)
		traces_add(&traces, 1, nr, arguments);
	check(traces.count == TRACES_ROWS, "rows are bounded");
	check(traces.rows[TRACES_ROWS - 1].nr ==
	      100 + TRACES_ROWS - TRACES_SAMPLES - 1, "first come, first kept");
}

/* A record of a plan: tag, flags, length; all little-endian. */
static size_t add_record(unsigned char *bytes, size_t used, unsigned char tag,
			 const void *body, unsigned char length)
{
	const unsigned char header[8] = { tag, 0, 0, 0, length };

	memcpy(bytes + used, header, sizeof(header));
	memcpy(bytes + used + sizeof(header), body, length);
	return used + sizeof(header) + length;
}

/* With all records of `tags`, a set of bits. */
static enum plan_fault decode_job(unsigned int tags, struct plan *job)
{
	static const unsigned char limits[48] = {
		[0] = 5, [8] = 6, [16] = 7, [24] = 1, [32] = 1, [40] = 8,
	};
	static unsigned char bytes[256];
	size_t used = PLAN_MAGIC_LENGTH;

	memcpy(bytes, PLAN_MAGIC, PLAN_MAGIC_LENGTH);
	if ((tags & 1u << PLAN_ARGUMENT) != 0)
		used = add_record(bytes, used, PLAN_ARGUMENT, "/x", 3);
	if ((tags & 1u << PLAN_VARIABLE) != 0)
		used = add_record(bytes, used, PLAN_VARIABLE, "A=b", 4);
	if ((tags & 1u << PLAN_PROGRAM) != 0)
		used = add_record(bytes, used, PLAN_PROGRAM, "a.py\0pass", 9);
	if ((tags & 1u << PLAN_LIMITS) != 0)
		used = add_record(bytes, used, PLAN_LIMITS, limits,
				  sizeof(limits));
	if ((tags & 1u << PLAN_PARK) != 0)
		used = add_record(bytes, used, PLAN_PARK, "", 0);
	return plan_decode_job(bytes, used, job);
}

static void check_jobs(void)
{
	static struct plan job;
	const unsigned int least = 1u << PLAN_ARGUMENT | 1u << PLAN_PROGRAM |
				   1u << PLAN_LIMITS;
	const unsigned int more = 1u << PLAN_VARIABLE | 1u << PLAN_PARK;

	check(decode_job(least, &job) == PLAN_OK, "the least job");
	check(job.variable_count == 0 && !job.is_parked, "and no more");
	check(decode_job(least | more, &job) == PLAN_OK, "a whole job");
	check(job.argument_count == 1 && strcmp(job.arguments[0], "/x") == 0 &&
	      strcmp(job.variables[0], "A=b") == 0, "its words");
	check(strcmp(job.program_name, "a.py") == 0 &&
	      job.program_length == 4, "its program");
	check(job.wall_ms == 5 && job.cpu_ms == 6 && job.output_bytes == 7 &&
	      job.denials == 8, "its limits");
	for (unsigned int tag = 0; tag < PLAN_TAGS; tag++) {
		if ((least & 1u << tag) != 0)
			check(decode_job(least & ~(1u << tag), &job) ==
			      PLAN_INCOMPLETE, "a job that lacks one");
	}
}

static void check_records(const char *wanted, const char *what)
{
	size_t length;
	const char *records = status_records(&length);

	check(length == strlen(wanted) &&
	      memcmp(records, wanted, length) == 0, what);
}

static void check_status(void)
{
	size_t before, after;
	const char *records;

	status_key("one");
	status_number(0);
	status_number(-1);
	status_number(INT64_MIN);
	check_records("", "a record that is not ended is none");
	status_end();
	check_records("one 0 -1 -9223372036854775808\n", "numbers");
	status_key("two");
	status_text("a\nb\x7f\x80\xff\033[31m\0c", 13);
	status_end();
	check_records("one 0 -1 -9223372036854775808\n"
		      "two a b    [31m c\n", "text is made harmless");
	for (int i = 0; i < 100; i++) {
		char text[400];

		memset(text, 'x', sizeof(text));
		status_key("long");
		status_text(text, sizeof(text));
		status_end();
	}
	status_records(&before);
	check(before <= 32768, "the buffer is bounded");
	status_key("x");
	status_end();
	records = status_records(&after);
	check(after == before, "nothing comes after what was left out");
	check(records[after - 1] == '\n', "the last record is whole");
}

static void check_frames(void)
{
	static const unsigned char wanted[FRAME_HEADER] = {
		2, 0, 0, 0, 7, 0, 0, 0, 0xed, 1, 0, 0, 3, 0, 0, 0,
		8, 7, 6, 5, 4, 3, 2, 1,
	};
	const struct frame frame = {
		FRAME_FILE, 7, 0755, 3, UINT64_C(0x0102030405060708),
	};
	unsigned char header[FRAME_HEADER];

	frame_encode(&frame, header);
	check(memcmp(header, wanted, sizeof(wanted)) == 0, "a header");
	check(frame_fault_of(ELOOP) == FAULT_SYMLINK, "a link");
	check(frame_fault_of(EXDEV) == FAULT_OUTSIDE, "outside");
	check(frame_fault_of(EIO) == FAULT_UNREADABLE, "anything else");
}

static void check_frame_paths(void)
{
	static struct frame_path path;
	char name[256];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	check(frame_path_enter(&path, "a") && frame_path_enter(&path, "\xff"),
	      "there is room");
	check(path.length == 3 && memcmp(path.bytes, "a/\xff", 3) == 0,
	      "names between slashes");
	while (frame_path_enter(&path, name))
		check(path.length <= sizeof(path.bytes), "a path is bounded");
	check(path.length + 256 > sizeof(path.bytes), "all room is used");
	name[sizeof(path.bytes) - path.length - 1] = '\0';
	check(frame_path_enter(&path, name) &&
	      path.length == sizeof(path.bytes), "to the last byte");
	check(!frame_path_enter(&path, ""), "not one more");
}

/* In exact heap buffers, so that ASan sees one byte too many. */
static void check_entries(const unsigned char *bytes, size_t length,
			  const char *wanted)
{
	unsigned char *own = malloc(length > 0 ? length : 1);
	size_t at = 0;

	if (own == NULL)
		exit(2);
	memcpy(own, bytes, length);
	for (;;) {
		const char *name = frame_next_name(own, length, &at);

		if (name == NULL)
			break;
		check(strncmp(name, wanted, strlen(name)) == 0, "a name");
		wanted += strlen(name);
	}
	check(wanted[0] == '\0', "all names");
	check(at <= length, "not beyond the end");
	free(own);
}

static void check_directories(void)
{
	unsigned char two[48] = { [16] = 24, [19] = 'a', [40] = 24, [43] = 'b' };

	check_entries(two, 0, "");
	check_entries(two, 19, "");
	check_entries(two, 24, "a");
	check_entries(two, 47, "a");
	check_entries(two, 48, "ab");
	two[40] = 25;
	check_entries(two, 48, "a");
	two[40] = 0;
	check_entries(two, 48, "a");
	two[40] = 24;
	memset(two + 43, 'b', 5);
	check_entries(two, 48, "a");
}

int main(void)
{
	check_steps();
	check_denials();
	check_traces();
	check_jobs();
	check_status();
	check_frames();
	check_frame_paths();
	check_directories();
	printf("ok %d\n", checks);
	return 0;
}
