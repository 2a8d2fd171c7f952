//! What of a running bus uses RabbitMQ.

use std::sync::Arc;

use tick_sdk::contracts::Request;

use super::{Bus, BusBuilder, StartError, keep_stepping, now_ms};
use crate::bell::Bell;
use crate::failed::OnFailed;
use crate::rabbitmq::{
    Answer, BrokerUrl, HEARD, Listening, NoAnswer, Rabbit, RabbitOptions, RabbitSettings, RabbitStatus,
    Responders, Told, keep_forgetting,
};
use crate::retention::Retention;
use crate::transport::Elsewhere;

/// What a builder was told of a broker.
#[derive(Default)]
pub(super) struct Wanted {
    settings: Option<RabbitSettings>,
    listening: Option<Listening>,
    responders: Responders,
}

/// The broker's part of a bus, with who answers.
#[derive(Default)]
pub(super) struct Connected {
    rabbit: Option<Rabbit>,
    listening: Option<Listening>,
    responders: Responders,
}

impl BusBuilder {
    /// Uses RabbitMQ: commands and requests of others come from there, events and faults go there, and commands to
    /// endpoints that this process does not serve. See [`rabbitmq`](crate::rabbitmq) for an example. The bus starts
    /// without the broker, too, and connects as soon as it is there.
    #[must_use]
    pub fn rabbitmq(mut self, url: BrokerUrl, options: RabbitOptions) -> Self {
        self.wanted.settings = Some(RabbitSettings { url, options });
        self
    }

    /// Hears what others say on the broker, and writes it into a log of its own, which [`BusBuilder::logs`] may read
    /// as the context [`HEARD`](crate::rabbitmq::HEARD).
    #[must_use]
    pub fn listening(mut self, listening: Listening) -> Self {
        self.wanted.listening = Some(listening);
        self
    }

    /// Answers requests of contract `R`, which come over RabbitMQ. `respond` may block; who asks gets a fault where
    /// there is no answer.
    #[must_use]
    pub fn responder<R: Request>(
        mut self,
        respond: impl Fn(R) -> Result<Answer<R>, NoAnswer> + Send + Sync + 'static,
    ) -> Self {
        self.wanted.responders.insert(respond);
        self
    }
}

impl Wanted {
    pub(super) fn connect(self) -> Result<Connected, StartError> {
        let rabbit = self.settings.map(Rabbit::new).transpose()?;
        Ok(Connected { rabbit, listening: self.listening, responders: self.responders })
    }
}

impl Connected {
    pub(super) fn on_failed(&self) -> Option<OnFailed> {
        self.rabbit.as_ref().map(Rabbit::on_failed)
    }

    pub(super) fn elsewhere(&self) -> Option<Arc<dyn Elsewhere>> {
        self.rabbit.as_ref().map(|rabbit| Arc::new(rabbit.sender()) as Arc<dyn Elsewhere>)
    }

    pub(super) fn stop(&self) {
        if let Some(rabbit) = &self.rabbit {
            rabbit.stop();
        }
    }
}

impl Bus {
    /// How it is with RabbitMQ; `None` for a bus without.
    pub fn rabbitmq(&self) -> Option<RabbitStatus> {
        self.connected.rabbit.as_ref().map(Rabbit::status)
    }

    /// Connects, and starts what sends on what the contexts have.
    pub(super) fn start_rabbit(&self, retention: Retention) -> Result<(), StartError> {
        let Some(rabbit) = &self.connected.rabbit else { return Ok(()) };
        for (name, place) in &self.places {
            let served = &self.in_process.served[name];
            let bell = Arc::new(Bell::default());
            served.events.lead(&bell);
            let mut relay = rabbit.relay(place.clone(), bell.clone());
            let own = name.clone();
            self.spawn(format!("{name} relay"), move |in_process, stopping| {
                keep_stepping(&in_process.served[&own].events, &bell, stopping, |now_ms| relay.step(now_ms));
                if let Err(error) = relay.release(now_ms()) {
                    tracing::warn!(%error, "a relay keeps its lease until it runs out");
                }
            })?;
            let mut outbox = rabbit.outbox(place.clone());
            let own = name.clone();
            self.spawn(format!("{name} outbox"), move |in_process, stopping| {
                let served = &in_process.served[&own];
                keep_stepping(&served.events, &served.events, stopping, |now_ms| outbox.step(now_ms));
                if let Err(error) = outbox.release(now_ms()) {
                    tracing::warn!(%error, "an outbox keeps its lease until it runs out");
                }
            })?;
        }
        if let Some(listening) = &self.connected.listening {
            self.start_told(listening)?;
            let store = listening.store.clone();
            self.spawn(format!("{HEARD} sweep"), move |in_process, stopping| {
                keep_forgetting(&*store, retention, in_process.logs.bell(HEARD), stopping);
            })?;
        }
        let listening = self.connected.listening.clone();
        let wait_for_end = rabbit.start(&self.in_process, &self.connected.responders, listening);
        // What has come is stored before the bus has ended: whoever opens the stores next finds it there.
        self.spawn("rabbitmq".to_owned(), move |_, _| wait_for_end())
    }

    /// Takes from what was heard the commands that their own contexts' logs have.
    fn start_told(&self, listening: &Listening) -> Result<(), StartError> {
        for context in &listening.readable {
            let bell = Arc::new(Bell::default());
            let served = self.in_process.served.get(context).map(|served| &served.events);
            if let Some(events) = served.or_else(|| self.in_process.logs.bell(context)) {
                events.lead(&bell);
            }
            let is_told = served.is_some() || self.in_process.logs.is_told(context);
            let mut told = Told::new(listening.store.clone(), self.events(), context, is_told)?;
            self.spawn(format!("{context} told"), move |_, stopping| {
                keep_stepping(&Bell::default(), &bell, stopping, |now_ms| told.step(now_ms));
            })?;
        }
        Ok(())
    }
}
