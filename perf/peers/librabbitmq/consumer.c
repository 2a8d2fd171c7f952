/* Consumes one queue. Each body is put together in one buffer that is used again: the library's own
 * amqp_consume_message would take memory for each. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

/* Reads to the end of the next message; gives its delivery tag. */
static uint64_t read_message(struct consumer *consumer, char *body) {
  amqp_connection_state_t connection = consumer->connection;
  size_t expected = consumer->options->body_bytes, received = 0;
  struct timeval patience = {.tv_sec = 30};
  uint64_t tag = 0;
  for (;;) {
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(connection, &frame, &patience);
    if (status == AMQP_STATUS_TIMEOUT) {
      fail("no message came for 30 s; see whether the broker has an alarm");
    }
    check(status, "waiting for messages");
    switch (frame.frame_type) {
    case AMQP_FRAME_METHOD:
      if (frame.payload.method.id != AMQP_BASIC_DELIVER_METHOD) {
        fail("the broker said something else than a message; see its log");
      }
      tag = ((amqp_basic_deliver_t *)frame.payload.method.decoded)->delivery_tag;
      break;
    case AMQP_FRAME_HEADER:
      if (frame.payload.properties.body_size != expected) {
        fail("a message came that is not ours; is another process on this queue?");
      }
      break;
    case AMQP_FRAME_BODY:
      if (frame.payload.body_fragment.len > expected - received) {
        fail("a body is longer than its header said; see the broker's log");
      }
      memcpy(body + received, frame.payload.body_fragment.bytes, frame.payload.body_fragment.len);
      received += frame.payload.body_fragment.len;
      if (received == expected) {
        amqp_maybe_release_buffers_on_channel(connection, CHANNEL);
        return tag;
      }
      break;
    default:
      break;
    }
  }
}

void *consume_all(void *argument) {
  struct consumer *consumer = argument;
  char *body = malloc(consumer->options->body_bytes);
  if (!body) {
    fail("there is no memory for a body; free some");
  }
  uint64_t together = consumer->options->window / 4 ? consumer->options->window / 4 : 1;
  for (uint64_t number = 1; number <= consumer->options->messages; number++) {
    uint64_t tag = read_message(consumer, body);
    if (number % together == 0 || number == consumer->options->messages) {
      check(amqp_basic_ack(consumer->connection, CHANNEL, tag, 1), "acknowledging");
    }
  }
  free(body);
  return NULL;
}
