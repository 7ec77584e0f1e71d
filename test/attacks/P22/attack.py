try_calls(*['sched_setscheduler', 'sched_setparam', 'sched_setattr', 'sched_setaffinity', 'setpriority', 'ioprio_set'])
