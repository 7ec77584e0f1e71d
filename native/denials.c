#include "denials.h"

void denials_add(struct denials *denials, uint32_t arch, int32_t nr)
{
	denials->total++;
	for (size_t i = 0; i < denials->count; i++) {
		struct denial *row = &denials->rows[i];

		if (row->arch == arch && row->nr == nr) {
			row->count++;
			return;
		}
	}
	if (denials->count == DENIALS_ROWS)
		return;
	denials->rows[denials->count++] = (struct denial){ arch, nr, 1 };
}
