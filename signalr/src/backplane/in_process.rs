//! Several servers of one process.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Backplane, Envelope, Publishing, Receive};

/// Connects servers of one process, each with an [`instance`](Self::instance) of its own: for tests, and as what other backplanes
/// are compared with.
#[derive(Clone, Debug, Default)]
pub struct InProcess {
    instances: Arc<Mutex<Vec<Weakly>>>,
}

type Weakly = std::sync::Weak<Instance>;

/// One server's end.
#[derive(Debug)]
struct Instance {
    others: InProcess,
    receive: Started,
}

#[derive(Default)]
struct Started(std::sync::OnceLock<Receive>);

impl std::fmt::Debug for Started {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "started: {}", self.0.get().is_some())
    }
}

impl InProcess {
    /// For one hub of one server.
    pub fn instance(&self) -> Arc<dyn Backplane> {
        let instance = Arc::new(Instance { others: self.clone(), receive: Started::default() });
        let mut instances = self.instances.lock().unwrap_or_else(PoisonError::into_inner);
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(Arc::downgrade(&instance));
        instance
    }
}

impl Backplane for Instance {
    fn start(&self, receive: Receive) {
        if self.receive.0.set(receive).is_err() {
            tracing::error!(
                "a backplane is used by two hubs: the second receives nothing; give each its own instance"
            );
        }
    }

    fn publish(&self, envelope: Envelope) -> Publishing<'_> {
        let instances = self.others.instances.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for instance in instances.iter().filter_map(Weakly::upgrade) {
            let is_this = std::ptr::eq(&*instance, self);
            if let Some(receive) = instance.receive.0.get().filter(|_| !is_this) {
                receive(envelope.clone());
            }
        }
        Box::pin(ready(Ok(())))
    }
}
