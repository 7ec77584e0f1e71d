/* print-shim-program NETWORK PROCESS [ALLOWED]: the filter that the shim would load, as bytes. */
#include "shim-program.h"

#include <stdio.h>
#include <stdlib.h>

static struct shim_program program;

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	shim_program_write(&program, argv[3], argv[1][0] == '1', (uint32_t)strtoul(argv[2], NULL, 10));
	return fwrite(program.rows, sizeof(program.rows[0]), program.length, stdout) == program.length ? 0 : 1;
}
