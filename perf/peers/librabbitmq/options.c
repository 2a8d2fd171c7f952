/* The command line. */
#include "peer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option NAMES[] = {
    {"url", required_argument, NULL, 'u'},       {"body-bytes", required_argument, NULL, 'b'},
    {"messages", required_argument, NULL, 'm'},  {"window", required_argument, NULL, 'w'},
    {"queues", required_argument, NULL, 'q'},    {"frame-max", required_argument, NULL, 'f'},
    {"socket-buffer", required_argument, NULL, 's'}, {"timeout", required_argument, NULL, 't'},
    {"file", required_argument, NULL, 'p'},
    {NULL, 0, NULL, 0},
};

static _Noreturn void usage(void) {
  fail("use: bodies --url amqp://USER:PASSWORD@HOST:PORT/VHOST --body-bytes N --messages N --window N "
       "--queues N [--frame-max N] [--socket-buffer N] [--timeout SECONDS] [--file PATH]");
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value < least || value > most) {
    fail("'%s' is not a number from %llu to %llu; give another", text, (unsigned long long)least,
         (unsigned long long)most);
  }
  return value;
}

struct options parse_options(int argc, char **argv) {
  struct options options = {.queues = 1, .frame_max = 131072, .socket_buffer = 0, .timeout_seconds = 600};
  int name;
  while ((name = getopt_long(argc, argv, "", NAMES, NULL)) != -1) {
    switch (name) {
    case 'u': options.url = optarg; break;
    case 'b': options.body_bytes = number(optarg, 1, 128 << 20); break;
    case 'm': options.messages = number(optarg, 1, UINT32_MAX); break;
    case 'w': options.window = number(optarg, 1, 1 << 20); break;
    case 'q': options.queues = number(optarg, 1, MAX_QUEUES); break;
    case 'f': options.frame_max = number(optarg, 4096, 128 << 20); break;
    case 's': options.socket_buffer = number(optarg, 0, 1 << 30); break;
    case 'p': options.file = optarg; break;
    case 't': options.timeout_seconds = number(optarg, 1, 1 << 20); break;
    default: usage();
    }
  }
  if (optind != argc || !options.url || !options.body_bytes || !options.messages || !options.window) {
    usage();
  }
  return options;
}
