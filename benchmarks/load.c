/* RTP endpoints on 127.0.0.1 that send PCMU every 20 ms and time what comes back.
 *
 * Arguments: COUNT BASE_PORT; endpoint K has port BASE_PORT + 2 K. Commands, one a line on stdin:
 *   send K HOST PORT     begin to send to that address
 *   record K FILE        write what K sends ('S') and receives ('R') from now on: kind, time, length, payload
 *   measure SECONDS      count and time what is received; then one JSON line on stdout
 *   quit
 * Prints READY when its ports are bound. One thread: every millisecond it sends what is due (endpoints
 * are spread over the 20 ms) and reads what came; arrival times are the kernel's, so they do not
 * depend on when this program gets to read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 12, SAMPLES = 160, FRAME_MS = 20 };

struct endpoint {
    int fd;
    int sending;
    struct sockaddr_in to;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    double last_arrival;          /* 0: none in this measurement */
    uint64_t received;
    FILE *record;
};

static struct endpoint *endpoints;
static int count;
static uint8_t noise[64000];      /* mid-level mu-law codes: 8 s that repeat nowhere within */
static double *deviations;
static size_t deviation_count, deviation_room;
static int measuring;

static double clock_s(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void write_record(FILE *file, char kind, double at, const uint8_t *payload, uint16_t length) {
    fwrite(&kind, 1, 1, file);
    fwrite(&at, sizeof at, 1, file);
    fwrite(&length, sizeof length, 1, file);
    fwrite(payload, 1, length, file);
}

static void send_frame(struct endpoint *e) {
    uint8_t packet[HEADER + SAMPLES] = {0x80, 0};
    uint16_t sequence = htons(e->sequence);
    uint32_t timestamp = htonl(e->timestamp), ssrc = htonl(e->ssrc);
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    memcpy(packet + HEADER, noise + (size_t)e->sequence * SAMPLES % sizeof noise, SAMPLES);
    double at = clock_s(CLOCK_REALTIME);
    sendto(e->fd, packet, sizeof packet, 0, (struct sockaddr *)&e->to, sizeof e->to);
    if (e->record) write_record(e->record, 'S', at, packet + HEADER, SAMPLES);
    e->sequence++;
    e->timestamp += SAMPLES;
}

static void note_arrival(struct endpoint *e, double at) {
    if (e->last_arrival != 0) {
        if (deviation_count == deviation_room) {
            deviation_room = deviation_room ? deviation_room * 2 : 1 << 16;
            deviations = realloc(deviations, deviation_room * sizeof *deviations);
            if (!deviations) fail("realloc");
        }
        deviations[deviation_count++] = fabs(at - e->last_arrival - FRAME_MS * 1e-3);
    }
    e->last_arrival = at;
    e->received++;
}

static void receive_all(struct endpoint *e) {
    for (;;) {
        uint8_t packet[2048];
        char control[128];
        struct iovec data = {packet, sizeof packet};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(e->fd, &message, MSG_DONTWAIT);
        if (length < 0) return;
        if (length <= HEADER) continue;
        double at = clock_s(CLOCK_REALTIME);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            at = stamp.tv_sec + stamp.tv_nsec * 1e-9;
        }
        if (measuring) note_arrival(e, at);
        if (e->record) write_record(e->record, 'R', at, packet + HEADER, (uint16_t)(length - HEADER));
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(double seconds) {
    uint64_t received = 0;
    int silent = 0;
    for (int k = 0; k < count; k++) {
        received += endpoints[k].received;
        silent += endpoints[k].received == 0;
    }
    qsort(deviations, deviation_count, sizeof *deviations, ascending);
    size_t n = deviation_count;
    printf("{\"secs\": %.3f, \"rx_pps\": %.1f, \"silent_calls\": %d, \"dev_p50_ms\": %.3f, "
           "\"dev_p99_ms\": %.3f, \"dev_max_ms\": %.3f}\n",
           seconds, received / seconds, silent, n ? deviations[n / 2] * 1e3 : -1,
           n ? deviations[(size_t)(n * 0.99)] * 1e3 : -1, n ? deviations[n - 1] * 1e3 : -1);
    fflush(stdout);
}

static void open_endpoints(int base) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    endpoints = calloc(count, sizeof *endpoints);
    for (int k = 0; k < count; k++) {
        struct endpoint *e = &endpoints[k];
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(base + 2 * k)};
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int on = 1, room = 1 << 18;
        e->fd = socket(AF_INET, SOCK_DGRAM, 0);
        if (e->fd < 0 || bind(e->fd, (struct sockaddr *)&here, sizeof here)) fail("cannot bind an RTP port");
        setsockopt(e->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        setsockopt(e->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        e->ssrc = random();
        e->timestamp = random();
    }
}

/* 0 when it is time to quit */
static int command(const char *line, double *measure_until, double *measure_from) {
    int k, port;
    char text[256];
    double seconds;
    if (sscanf(line, "send %d %63s %d", &k, text, &port) == 3 && k >= 0 && k < count) {
        endpoints[k].to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, text, &endpoints[k].to.sin_addr);
        endpoints[k].sending = 1;
    } else if (sscanf(line, "record %d %255s", &k, text) == 2 && k >= 0 && k < count) {
        endpoints[k].record = fopen(text, "wb");
        if (!endpoints[k].record) fail(text);
    } else if (sscanf(line, "measure %lf", &seconds) == 1) {
        for (k = 0; k < count; k++) endpoints[k].received = 0, endpoints[k].last_arrival = 0;
        deviation_count = 0;
        *measure_from = clock_s(CLOCK_MONOTONIC);
        *measure_until = *measure_from + seconds;
        measuring = 1;
    } else if (strncmp(line, "quit", 4) == 0) {
        return 0;
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: load COUNT BASE_PORT\n"), 2;
    count = atoi(argv[1]);
    srandom(1);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (random() & 0x80) | (0x18 + random() % 0x48);
    open_endpoints(atoi(argv[2]));

    int arrivals = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    for (int k = 0; k < count; k++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = k};
        epoll_ctl(arrivals, EPOLL_CTL_ADD, endpoints[k].fd, &event);
    }
    struct itimerspec millisecond = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(timer, 0, &millisecond, NULL);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    printf("READY\n");
    fflush(stdout);

    char line[512];
    size_t used = 0;
    uint64_t tick = 0;
    double until = 0, from = 0;
    struct pollfd wait[] = {{0, POLLIN, 0}, {timer, POLLIN, 0}, {arrivals, POLLIN, 0}};
    for (;;) {
        poll(wait, 3, 100);
        if (wait[0].revents) {
            ssize_t got = read(0, line + used, sizeof line - 1 - used);
            if (got == 0) return 0;
            if (got > 0) used += got;
            line[used] = 0;
            for (char *end; (end = memchr(line, '\n', used)) != NULL;) {
                *end = 0;
                if (!command(line, &until, &from)) goto done;
                used -= end + 1 - line;
                memmove(line, end + 1, used + 1);
            }
        }
        if (wait[1].revents) {
            uint64_t due = 0;
            if (read(timer, &due, sizeof due) != sizeof due) due = 0;
            for (; due > 0; due--, tick++)
                for (int k = tick % FRAME_MS; k < count; k += FRAME_MS)
                    if (endpoints[k].sending) send_frame(&endpoints[k]);
            if (measuring && clock_s(CLOCK_MONOTONIC) >= until) {
                measuring = 0;
                report(clock_s(CLOCK_MONOTONIC) - from);
            }
        }
        if (wait[2].revents) {
            struct epoll_event events[256];
            int n = epoll_wait(arrivals, events, 256, 0);
            for (int i = 0; i < n; i++) receive_all(&endpoints[events[i].data.u32]);
        }
    }
done:
    for (int k = 0; k < count; k++)
        if (endpoints[k].record) fclose(endpoints[k].record);
    return 0;
}
