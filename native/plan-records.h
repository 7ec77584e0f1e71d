#ifndef PLAN_RECORDS_H
#define PLAN_RECORDS_H

#include "plan-values.h"

/* Each decodes one record of the plan, whose form plan.h tells. */
enum plan_fault record_path_row(struct cursor *from, const char **rows,
				size_t *count, size_t room);
enum plan_fault record_argument(struct cursor *from, struct plan *plan);
enum plan_fault record_variable(struct cursor *from, struct plan *plan);
enum plan_fault record_hostname(struct cursor *from, struct plan *plan);
enum plan_fault record_identity(struct cursor *from, struct plan *plan);
enum plan_fault record_program(struct cursor *from, struct plan *plan);
enum plan_fault record_limits(struct cursor *from, struct plan *plan,
			      bool executable_tmp);
enum plan_fault record_rlimit(struct cursor *from, struct plan *plan);
enum plan_fault record_filter(struct cursor *from, struct plan *plan);
enum plan_fault record_setting(struct cursor *from, struct plan *plan,
			       bool optional);
enum plan_fault record_reading(struct cursor *from, struct plan *plan);
enum plan_fault record_cpu(struct cursor *from, struct plan *plan);
enum plan_fault record_tier(struct cursor *from, struct plan *plan);
enum plan_fault record_watch(struct cursor *from, struct plan *plan);
enum plan_fault record_proxy(struct cursor *from, struct plan *plan);
enum plan_fault record_host_network(struct cursor *from, struct plan *plan);
enum plan_fault record_zygote(struct cursor *from, struct plan *plan);
enum plan_fault record_berth(struct cursor *from, struct plan *plan);

#endif
