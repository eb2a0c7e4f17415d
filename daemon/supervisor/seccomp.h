/* The system calls a sandbox's programs may make: one filter for all, built once. */
#ifndef DAEMON_SUPERVISOR_SECCOMP_H
#define DAEMON_SUPERVISOR_SECCOMP_H

struct err;

/*
 * A sealed memfd with the filter as BPF (struct sock_filter[]), for paas-init to load. Calls that
 * are not named are answered with ENOSYS, as an older kernel would, so that libraries fall back;
 * named denials with EPERM; other architectures' calls kill. The fd or -errno with a sentence.
 */
int seccomp_filter(struct err *err);

#endif
