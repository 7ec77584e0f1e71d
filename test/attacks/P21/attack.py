try_calls(*['clock_settime', 'clock_adjtime', 'adjtimex', 'settimeofday'])
