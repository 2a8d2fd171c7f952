//! Where addresses of this program begin.

use tick_sdk::contracts::envelope::Address;

/// What this program calls its broker and virtual host: the beginning of every address that it writes. Readers use
/// only virtual host and name of an address, so the broker's name here is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `rabbitmq://host/vhost/`.
    beginning: String,
    /// The virtual host.
    virtual_host: String,
}

impl Home {
    /// Of a broker at `host`, which is `name` or `name:port` (`[address]:port` with IPv6).
    pub fn new(host: &str, virtual_host: &str, is_encrypted: bool) -> Self {
        let (scheme, port) = if is_encrypted { ("rabbitmqs", ":5671") } else { ("rabbitmq", ":5672") };
        let host = host.strip_suffix(port).unwrap_or(host);
        let path = if virtual_host == "/" { String::new() } else { percent_encoded(virtual_host) + "/" };
        Self { beginning: format!("{scheme}://{host}/{path}"), virtual_host: virtual_host.to_owned() }
    }

    /// The address of an exchange or queue.
    pub fn address(&self, name: &str) -> Address {
        let text = format!("{}{name}", self.beginning);
        text.parse().unwrap_or_else(|_| Address::of_exchange(name))
    }

    /// The address of an exchange that ends with this process, where answers are awaited.
    pub fn temporary_address(&self, name: &str) -> Address {
        let text = format!("{}{name}?temporary=true", self.beginning);
        text.parse().unwrap_or_else(|_| Address::of_exchange(name))
    }

    /// Whether an address is in this virtual host: short ones always are.
    pub(super) fn reaches(&self, address: &Address) -> bool {
        let is_short = !address.as_str().contains("://");
        is_short || address.virtual_host().as_deref().unwrap_or("/") == self.virtual_host
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_masstransit_writes_them() {
        let address = |host: &str, virtual_host: &str, is_encrypted| {
            Home::new(host, virtual_host, is_encrypted).address("get-user").to_string()
        };
        assert_eq!(address("localhost:5672", "/", false), "rabbitmq://localhost/get-user");
        assert_eq!(address("h:5673", "trading/eu", false), "rabbitmq://h:5673/trading%2Feu/get-user");
        assert_eq!(address("h:5671", "a b", true), "rabbitmqs://h/a%20b/get-user");
        let temporary = Home::new("localhost", "fault", false).temporary_address("x");
        assert_eq!(temporary.as_str(), "rabbitmq://localhost/fault/x?temporary=true");
    }

    #[test]
    fn an_address_of_another_virtual_host_is_not_reached() {
        let home = Home::new("localhost", "trading/eu", false);
        let reaches = |text: &str| home.reaches(&text.parse().unwrap());
        assert!(reaches("rabbitmq://elsewhere/trading%2Feu/x") && reaches("exchange:x"));
        assert!(!reaches("rabbitmq://localhost/x") && !reaches("rabbitmq://localhost/trading/x"));
        assert!(Home::new("h", "/", false).reaches(&"rabbitmq://h/x".parse().unwrap()));
    }
}
