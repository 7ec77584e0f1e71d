#include "steps.h"

#define STEP_NAME(id, name) [id] = name,
static const char *const names[STEP_COUNT] = { STEPS(STEP_NAME) };

const char *step_name(enum step step)
{
	if (step >= STEP_COUNT)
		return "unknown";
	return names[step];
}
