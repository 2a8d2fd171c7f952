//! What is written otherwise, each with its reason.

use crate::outcome::{Decision, decided};

pub(super) fn decisions() -> Vec<Decision> {
    const NOT_WRITTEN: &[&str] = &["this is not written"];
    let names: Vec<_> = (1..=12).map(|count| format!("names {count}")).collect();
    [
        decided(
            "Orchard has no nested, generic, internal, renamed and derived contracts",
            NOT_WRITTEN,
            names.iter().map(String::as_str),
        ),
        decided(
            "every contract of Orchard's is a command, an event, a request or an answer, and this is none",
            NOT_WRITTEN,
            [
                "direct-exchange 1",
                "properties-and-headers 1",
                "properties-and-headers 2",
                "schedule 1",
                "skipped 1",
                "values-set 1",
                "values-unset 1",
            ],
        ),
        decided(
            "Orchard writes envelopes only",
            NOT_WRITTEN,
            ["raw-json 1", "raw-json 2", "raw-json 3", "raw-json-fault 1", "raw-json-fault 2"],
        ),
        decided(
            "an event of Orchard's that has a correlationId was raised in the handler of that command, so it is the initiatorId, too",
            &["\"initiatorId\""],
            [
                "consume-event 1",
                "consume-marker-interface 1",
                "publish-event 1",
                "replay-contracts 2",
                "temporary-endpoint 1",
            ],
        ),
        decided(
            "as before; and what a consumer of raw JSON adds of its own delivery is of no use to anybody",
            &["\"initiatorId\"", "RabbitMQ-", "headers"],
            ["both-serializers 3"],
        ),
        decided(
            "headers of an application's own are kept with the delivery, and passed on to answers and faults only",
            &["tenant", "MT-private", "headers"],
            ["chain 1", "chain 2"],
        ),
        decided(
            "as before; and Orchard sends to `exchange:NAME`, which declares no queue",
            &["tenant", "headers", "\"destinationAddress\""],
            ["chain 3"],
        ),
        decided(
            "Orchard writes no trace ids",
            &["MT-Activity-", "traceparent", "tracestate", "baggage", "headers", "\"who\"", "\"zoe\"", "      {",
"      }", "    ]"],
            ["trace 1", "trace 2"],
        ),
        decided(
            "a command of Orchard's has no end of its time, and no headers of an application",
            &["tenant", "headers", "expiration"],
            ["fault 3"],
        ),
        decided(
            "Orchard's commands ask for no faults: it finds them where they are published",
            &["\"faultAddress\""],
            ["fault-address 1"],
        ),
        decided(
            "Orchard sends to `exchange:NAME`, which declares no queue",
            &["?bind=true", "\"destinationAddress\""],
            ["send-command 5", "send-to-nobody 2"],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
