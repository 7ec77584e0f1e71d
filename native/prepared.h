#ifndef PREPARED_H
#define PREPARED_H

#include "plan.h"

/*
 * A prepared plan: what a container image has of a plan when nobody plans in
 * it.  8 bytes of magic, eight sections, each u32 length and length bytes, and
 * then a plan (plan.h) without arguments and program.  A section is strings
 * that end with a NUL; one that is empty is not there.
 * src/run/prepared-plan.ts writes it.
 */
#define PREPARED_MAGIC "RCREADY\x01"
#define PREPARED_MAGIC_LENGTH 8
#define PREPARED_LARGEST (4u << 20)
#define PREPARED_PROGRAM_LARGEST (32u << 20)

/* The last byte of a word: what is to be run stands in its place. */
#define PREPARED_HOLE '\x01'
/* In a plan: 16 characters that no other run has. */
#define PREPARED_RUN "@RCELLAR-RUN-ID@"
#define PREPARED_RUN_LENGTH 16

enum prepared_section {
	PREPARED_NEEDS,		/* of the host, by the names of `cell probe` */
	PREPARED_CODE,		/* the words that run text ... */
	PREPARED_STDIN,		/* ... what comes on stdin ... */
	PREPARED_FILE,		/* ... a file ... */
	PREPARED_SCRIPT,	/* ... and a file that is JavaScript */
	PREPARED_TEXTS,		/* what is said of a limit: enum prepared_text */
	PREPARED_CALLS,		/* names of system calls, by number */
	PREPARED_ABOUT,		/* the image's name, its architecture's */
	PREPARED_SECTIONS
};

enum prepared_text {
	TEXT_WALL,
	TEXT_CPU,
	TEXT_MEMORY,
	TEXT_DISK,
	TEXT_OUTPUT,
	TEXT_DENIED,
	PREPARED_TEXT_COUNT
};

struct prepared_strings {
	const char *first;
	size_t length;		/* of all, NULs included */
};

/* Everything points into the decoded bytes. */
struct prepared {
	struct prepared_strings sections[PREPARED_SECTIONS];
	const unsigned char *plan;
	size_t plan_length;
};

struct prepared_program {
	enum prepared_section form;
	const char *text;	/* code, or the file's name; NULL: stdin */
	const unsigned char *content;	/* of the file */
	size_t content_length;
	const char *const *arguments;
	size_t argument_count;
	const char *run;	/* PREPARED_RUN_LENGTH characters */
};

/* Whether it is one.  No side effects; its plan is not looked at. */
bool prepared_decode(const unsigned char *bytes, size_t length,
		     struct prepared *prepared);

/* The string of that index; NULL when there are fewer. */
const char *prepared_string(const struct prepared_strings *strings,
			    size_t index);

/*
 * Writes a whole plan for that program into `room`.  Its length; 0: the image
 * has no words for this form, or there is no room.
 */
size_t prepared_compose(const struct prepared *prepared,
			const struct prepared_program *program,
			unsigned char *room, size_t size);

#endif
