/* Preloaded into a process by tests/test_safe_to_run.py: writes each name lookup and each connection to an internet
   address to the file NETWORK_LOG, and lets them fail. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void record(const char *what, const char *name) {
    const char *path = getenv("NETWORK_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file) {
        fprintf(file, "%s %s\n", what, name ? name : "");
        fclose(file);
    }
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    (void)service, (void)hints, (void)result;
    record("getaddrinfo", node);
    return EAI_FAIL;
}

struct hostent *gethostbyname(const char *name) {
    record("gethostbyname", name);
    return NULL;
}

int connect(int socket, const struct sockaddr *address, socklen_t length) {
    (void)socket, (void)length;
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) record("connect", "internet");
    errno = ENETUNREACH;
    return -1;
}
