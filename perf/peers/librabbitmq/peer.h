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
  /* Publishes. */
  uint64_t messages;
  /* Bodies are cut from this file, which is mapped, from its begin again behind its end; without it, all are
   * one buffer. */
  const char *file;
  /* Publishes without a confirm; a quarter of it is acknowledged together. */
  uint64_t window;
  /* Each gets every message. */
  unsigned queues;
  /* What we ask for; the broker may want less. */
  int frame_max;
  /* Bytes of each socket's buffers; 0 leaves them to the system, which lets them grow. Fixed sizes from
   * 256 KiB to 4 MiB were about level with that for bodies of 16 KiB, and as fast or slower for larger
   * ones. */
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
};

/* Prints what is wrong and how it is used, and ends the process, when it is wrong. */
struct options parse_options(int argc, char **argv);

/* A connection with a channel. */
amqp_connection_state_t connect_to_broker(const struct options *options);

/* Declares a queue that goes with its consumer, binds it to the exchange, and consumes it. */
void begin_consumer(struct consumer *consumer, unsigned number);

/* The fanout exchange, which goes with its last queue; different in each process. */
void exchange_name(char name[NAME_BYTES]);

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
