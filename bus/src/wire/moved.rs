//! What goes to the queues beside an endpoint's own.

use super::delivery::Delivery;
use super::fault::{Failure, RETRY_COUNT, beginning, type_name, with_all_decimals};
use super::{MovedTo, Publication, Stamp, Table, Target, Value, Writer};

/// Texts of an error are cut here in headers, as MassTransit does: counted in UTF-16.
pub const LONGEST_HEADER_TEXT: usize = 2048;

/// All headers together must fit in one frame of 128 KiB.
const MOST_HEADER_BYTES: usize = 96 << 10;

/// AMQP header: which headers were dropped because all together were too long.
const DROPPED: &str = "MT-Orchard-Dropped-Headers";

/// Set by RabbitMQ.Client on each publish of its own.
const OF_CLIENT: &str = "x-dotnet-pub-seq-no";

impl Writer {
    /// The delivery as it goes to the endpoint's error queue: body and properties as they are, and headers that say
    /// what was wrong. `contract` is what it was read as, if it was.
    pub fn error(
        &self,
        delivery: Delivery,
        contract: Option<&str>,
        failure: &Failure,
        stamp: Stamp,
    ) -> Publication {
        let innermost = failure.innermost();
        let mut headers = self.host_headers();
        let mut set = |name: &str, text: &str| headers.set(name, beginning(text, LONGEST_HEADER_TEXT));
        set("MT-Reason", "fault");
        set("MT-Fault-ExceptionType", &innermost.kind);
        set("MT-Fault-InputAddress", self.home.address(&self.endpoint).as_str());
        set("MT-Fault-Message", &innermost.message);
        set("MT-Fault-Timestamp", &with_all_decimals(stamp.at));
        set("MT-Fault-StackTrace", &innermost.stack_trace);
        if let Some(handler) = &failure.handler {
            set("MT-Fault-ConsumerType", handler);
        }
        if let Some(contract) = contract {
            set("MT-Fault-MessageType", &type_name(contract));
        }
        if failure.retries > 0 {
            headers.set(RETRY_COUNT, Value::I32(i32::try_from(failure.retries).unwrap_or(i32::MAX)));
        }
        self.moved(delivery, MovedTo::Error, headers)
    }

    /// The delivery as it goes to the endpoint's queue of what nobody handles.
    pub fn skipped(&self, delivery: Delivery) -> Publication {
        let headers = self.host_headers().with("MT-Reason", "dead-letter");
        self.moved(delivery, MovedTo::Skipped, headers)
    }

    fn moved(&self, delivery: Delivery, to: MovedTo, headers: Table) -> Publication {
        let Delivery { key, mut properties, body, .. } = delivery;
        // What was said when it was moved before is of no use any more.
        properties.headers.retain(|name| {
            name != OF_CLIENT && name != "MT-Reason" && !name.starts_with("MT-Fault-") && name != DROPPED
        });
        for (name, value) in headers.iter() {
            properties.headers.set(name, value.clone());
        }
        shorten(&mut properties.headers);
        // It would be gone when its time is over, or be refused: a broker takes no other login's name.
        properties.expiration = None;
        properties.user_id = None;
        Publication { target: Target::Moved { endpoint: self.endpoint.clone(), to, key }, properties, body }
    }

    fn host_headers(&self) -> Table {
        let host = &self.host;
        let process_id = host.process_id.to_string();
        let values = [
            ("MT-Host-MachineName", host.machine_name.as_deref()),
            ("MT-Host-ProcessName", host.process_name.as_deref()),
            ("MT-Host-ProcessId", Some(process_id.as_str())),
            ("MT-Host-Assembly", host.assembly.as_deref()),
            ("MT-Host-AssemblyVersion", host.assembly_version.as_deref()),
            ("MT-Host-MassTransitVersion", host.mass_transit_version.as_deref()),
            ("MT-Host-FrameworkVersion", host.framework_version.as_deref()),
            ("MT-Host-OperatingSystemVersion", host.operating_system_version.as_deref()),
        ];
        let said = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
        said.map(|(name, value)| (name.to_owned(), Value::from(beginning(value, LONGEST_HEADER_TEXT))))
            .collect()
    }
}

/// Drops headers of others, the longest first, until all fit in a frame, and says which.
fn shorten(headers: &mut Table) {
    let mut dropped = Vec::new();
    while headers.wire_bytes() > MOST_HEADER_BYTES {
        let others = headers.iter().filter(|(name, _)| {
            !name.starts_with("MT-Fault-") && !name.starts_with("MT-Host-") && *name != "MT-Reason"
        });
        let Some((longest, _)) = others.max_by_key(|(name, value)| name.len() + value.wire_bytes()) else {
            break;
        };
        let longest = longest.to_owned();
        headers.retain(|name| name != longest);
        dropped.push(longest);
    }
    if !dropped.is_empty() {
        headers.set(DROPPED, beginning(&dropped.join(", "), LONGEST_HEADER_TEXT));
    }
}
