/* One publisher and consumers of opaque bodies, made of librabbitmq as well as that can be done. */
#ifndef PEER_H
#define PEER_H

#include <amqp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

/* The only channel of each connection. */
enum { CHANNEL = 1, MAX_QUEUES = 64, NAME_BYTES = 64 };

/* What to move. */
struct options {
  const char *url;
  size_t body_bytes;
  uint64_t messages;
  /* Publishes without a confirm; a quarter of it is acknowledged together. */
  uint64_t window;
  unsigned queues;
  /* What we ask for; the broker may want less. */
  int frame_max;
  /* Bytes of each socket's buffers; 0 leaves them to the system, which lets them grow: never slower than
   * a fixed size, where we tried. */
  int socket_buffer;
  /* All is lost when it took longer. */
  unsigned timeout_seconds;
};

struct publisher {
  const struct options *options;
  amqp_connection_state_t connection;
};

struct consumer {
  const struct options *options;
  amqp_connection_state_t connection;
  /* How many messages its queue gets. */
  uint64_t messages;
};

/* Prints what is wrong and how it is used, and ends the process, when it is wrong. */
struct options parse_options(int argc, char **argv);

/* A connection with a channel. */
amqp_connection_state_t connect_to_broker(const struct options *options);

/* Declares a queue that goes with its consumer, and consumes it. */
void begin_consumer(struct consumer *consumer, unsigned number);

/* The queue with this number; different in each process. */
void queue_name(char name[NAME_BYTES], unsigned number);

/* Threads; their argument is a struct publisher or consumer. */
void *publish_all(void *publisher);
void *consume_all(void *consumer);

/* Prints what went wrong and ends the process. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the process unless it is AMQP_STATUS_OK. */
void check(int status, const char *what);

/* Ends the process unless the broker's answer is what was asked for. */
void check_reply(amqp_rpc_reply_t reply, const char *what);

#endif
