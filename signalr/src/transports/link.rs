//! One id, from its negotiation to its end.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Mutex;

use super::ConnectionId;
use super::input::Inbox;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::user::User;

/// What a connection is to its transports: the same whatever carries it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) token: Token,
    pub(super) user: Option<Arc<User>>,
    pub(super) address: Option<IpAddr>,
    /// Granted when it was negotiated.
    pub(super) is_stateful: bool,
    pub(super) inbox: Arc<Inbox>,
    pub(super) outbox: Arc<Outbox>,
    /// Held while the body of a POST comes: the next one waits.
    pub(super) posts: Mutex<()>,
}

/// Lets a request in: never printed, and nothing else can be derived from the public id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Token(pub(super) Arc<str>);

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token")
    }
}

/// Who asks for a connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) user: Option<Arc<User>>,
    pub(super) address: Option<IpAddr>,
}

impl Link {
    /// `is_version_0`: the public id is the token, too, as the client knows no other.
    pub(super) fn new(client: Client, options: &Options, is_version_0: bool, is_stateful: bool) -> Arc<Self> {
        let id = random();
        let token = if is_version_0 { id.clone() } else { random() };
        Arc::new(Self {
            id: ConnectionId(id),
            token: Token(token),
            user: client.user,
            address: client.address,
            is_stateful,
            inbox: Inbox::new(is_stateful),
            outbox: Outbox::new(options),
            posts: Mutex::new(()),
        })
    }

    /// Only the user who negotiated uses the id.
    pub(super) fn is_of(&self, user: Option<&User>) -> bool {
        self.user.as_ref().map(|user| &user.id) == user.map(|user| &user.id)
    }

    pub(super) fn user_id(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.id.as_str())
    }
}

/// 128 random bits. Clients put it into URLs without escaping it.
fn random() -> Arc<str> {
    let mut bits = [0; 16];
    // A random UUID has 122 random bits: what of two of them is fixed (in bytes 6 and 8) is left out.
    let [first, second] = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    bits[..6].copy_from_slice(&first.as_bytes()[..6]);
    bits[6..9].copy_from_slice(&second.as_bytes()[..3]);
    bits[9..].copy_from_slice(&second.as_bytes()[9..]);
    URL_SAFE_NO_PAD.encode(bits).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::random;

    #[test]
    fn ids_are_of_22_characters_that_need_no_escaping() {
        let ids: HashSet<_> = (0..1000).map(|_| random()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.len(), 22);
            assert!(
                id.chars().all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
            );
        }
    }

    #[test]
    fn every_bit_of_an_id_is_random() {
        use base64::Engine;
        let mut seen = [[0; 2]; 128];
        for _ in 0..200 {
            let bits = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&*random()).unwrap();
            for (at, seen) in seen.iter_mut().enumerate() {
                seen[usize::from(bits[at / 8] >> (at % 8) & 1)] += 1;
            }
        }
        assert!(seen.iter().flatten().all(|&count| count > 20));
    }
}
