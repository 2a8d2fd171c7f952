/* Moves opaque bodies from one publisher to queues that each get all, with a consumer each; prints how long
 * it took. */
#include "peer.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument) {
  if (pthread_create(thread, NULL, run, argument) != 0) {
    fail("the system gives no thread; see its limits");
  }
}

static void join(pthread_t thread, const struct timespec *deadline, unsigned seconds) {
  if (pthread_timedjoin_np(thread, NULL, deadline) == ETIMEDOUT) {
    fail("it took longer than %u s; give fewer messages or a longer --timeout", seconds);
  }
}

int main(int argc, char **argv) {
  struct options options = parse_options(argc, argv);
  /* The library takes memory for each large frame; without this, the system would have to clear it
   * each time. */
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);

  struct consumer consumers[MAX_QUEUES];
  for (unsigned number = 0; number < options.queues; number++) {
    consumers[number] = (struct consumer){.options = &options, .connection = connect_to_broker(&options)};
    begin_consumer(&consumers[number], number);
  }
  struct publisher publisher = {.options = &options, .connection = connect_to_broker(&options)};

  struct timespec deadline;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += options.timeout_seconds;
  pthread_t threads[MAX_QUEUES + 1];
  double began = now();
  for (unsigned number = 0; number < options.queues; number++) {
    start(&threads[number], consume_all, &consumers[number]);
  }
  start(&threads[options.queues], publish_all, &publisher);
  for (unsigned number = 0; number <= options.queues; number++) {
    join(threads[number], &deadline, options.timeout_seconds);
  }
  double seconds = now() - began;

  struct timeval patience = {.tv_sec = 5};
  for (unsigned number = 0; number < options.queues; number++) {
    amqp_set_rpc_timeout(consumers[number].connection, &patience);
    amqp_connection_close(consumers[number].connection, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(consumers[number].connection);
  }
  amqp_connection_close(publisher.connection, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(publisher.connection);
  printf("{\"seconds\": %.9f, \"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", seconds, options.messages,
         options.messages * options.body_bytes);
  return 0;
}
