#ifndef PLAN_FILES_H
#define PLAN_FILES_H

#include "plan.h"

/* Decoders of the bodies of PLAN_FILE and PLAN_OUTPUT; part of plan_decode(). */
enum plan_fault plan_file(const unsigned char *bytes, size_t length,
			  bool is_folder, struct plan *plan);
enum plan_fault plan_outputs(const unsigned char *bytes, size_t length,
			     struct plan *plan);

#endif
