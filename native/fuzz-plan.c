/*
 * Decodes plans from stdin, each with a u32 length before it, in exact heap
 * buffers so that the sanitizers see one byte too many.  Prints each answer.
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static struct plan plan;
	uint32_t length;

	while (fread(&length, sizeof(length), 1, stdin) == 1) {
		unsigned char *bytes;

		if (length > PLAN_LARGEST)
			return 2;
		bytes = malloc(length > 0 ? length : 1);
		if (bytes == NULL || fread(bytes, 1, length, stdin) != length)
			return 2;
		printf("%d\n", (int)plan_decode(bytes, length, &plan));
		free(bytes);
	}
	return 0;
}
