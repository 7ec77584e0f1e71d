#ifndef SHIM_SYSTEM_H
#define SHIM_SYSTEM_H

#include <asm/unistd.h>

/*
 * System calls of the shim: it has no C library, which would differ from one
 * image to the next.  Returns what the kernel does: a negative errno on
 * failure.  Registers: syscall(2), "Architecture calling conventions".
 */
static inline long kernel_call(long number, long a, long b, long c, long d,
			       long e)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			   "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
#else
#error "the shim is for amd64 and arm64"
#endif
}

static inline long kernel_pointer(const void *pointer)
{
	return (long)(__UINTPTR_TYPE__)pointer;
}

#endif
