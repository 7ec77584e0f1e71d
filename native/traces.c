#include "traces.h"

#include <string.h>

void traces_add(struct traces *traces, uint32_t arch, int32_t nr,
		const uint64_t *arguments)
{
	struct trace *row;
	size_t samples = 0;

	for (size_t i = 0; i < traces->count; i++) {
		row = &traces->rows[i];
		if (row->arch != arch || row->nr != nr)
			continue;
		samples++;
		if (memcmp(row->arguments, arguments,
			   sizeof(row->arguments)) == 0) {
			row->count++;
			return;
		}
	}
	if (traces->count == TRACES_ROWS || samples == TRACES_SAMPLES) {
		traces->lost++;
		return;
	}
	row = &traces->rows[traces->count++];
	row->arch = arch;
	row->nr = nr;
	memcpy(row->arguments, arguments, sizeof(row->arguments));
	row->count = 1;
}
