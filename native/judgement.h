#ifndef JUDGEMENT_H
#define JUDGEMENT_H

#include "keeper.h"

/* What a run was, by the names of reports: src/run/run-report.ts. */
enum verdict {
	VERDICT_OK,
	VERDICT_ERROR,
	VERDICT_SIGNAL,
	VERDICT_TIMEOUT,
	VERDICT_CPU,
	VERDICT_OOM,
	VERDICT_DISK,
	VERDICT_OUTPUT,
	VERDICT_DENIED,
	VERDICT_CANCELLED,
	VERDICT_INTERNAL,
};

/* Of a run that is over, in the order of src/run/verdict.ts. */
enum verdict judgement_of(const struct keeper *keeper);

/* The exit status, as runStatus of src/cli/run-summary.ts. */
int judgement_status(const struct keeper *keeper, enum verdict verdict);

#endif
