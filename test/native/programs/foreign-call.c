/*
 * Calls getpid by the rules of i386: once, or over and over while another
 * thread interrupts it by signals.  Says so when one of them took place.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_t caller;

static void ignore(int signal)
{
	(void)signal;
}

static void *interrupt(void *unused)
{
	(void)unused;
	for (;;)
		pthread_kill(caller, SIGUSR1);
	return NULL;
}

static long foreign_getpid(void)
{
	long answer = 20;

#if defined(__x86_64__)
	__asm__ volatile("int $0x80" : "+a"(answer) : : "memory");
#endif
	return answer;
}

int main(int count, char **words)
{
	pthread_t thread;
	int is_interrupted = count > 1 && strcmp(words[1], "interrupted") == 0;

	printf("calling\n");
	fflush(stdout);
	if (is_interrupted) {
		caller = pthread_self();
		signal(SIGUSR1, ignore);
		pthread_create(&thread, NULL, interrupt, NULL);
	}
	do {
		long answer = foreign_getpid();

		if (answer > 0 || !is_interrupted)
			printf("done %ld\n", answer);
		fflush(stdout);
	} while (is_interrupted);
	return 0;
}
