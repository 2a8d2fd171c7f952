//! Deliveries' commands, on their way into the inbox.

use std::sync::Arc;
use std::time::Duration;

use tick_sdk::contracts::bus::{CommandRequeued, OtherCommandRefused};
use uuid::Uuid;

use crate::events::json;
use crate::kill_point::kill_point;
use crate::rabbitmq::session::Session;
use crate::running::now_ms;
use crate::store::{
    Acceptance, CommandState, NewCommand, NewEvent, StateChange, StateKind, Store, StoreError,
};
use crate::transport::{InProcess, Served};
use crate::wire::{Failure, Original, Publication, Stamp, Writer};

/// After an error of its store it is tried again so late.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Why one that comes with an id that another has is refused.
const OTHER_BODY: &str = "another command has this id already, with another body";

/// One context's inbox, as deliveries get there.
pub(super) struct Inbox {
    context: String,
    in_process: Arc<InProcess>,
    session: Arc<Session>,
    writer: Writer,
}

impl Inbox {
    pub(super) fn new(
        context: &str,
        in_process: Arc<InProcess>,
        session: Arc<Session>,
        writer: Writer,
    ) -> Self {
        Self { context: context.to_owned(), in_process, session, writer }
    }

    /// Puts them into the inbox, all in one commit, however long its store is away. For each there is what is to be
    /// published instead, where it cannot stand there. `None` once the bus stops.
    pub(super) async fn put(&self, commands: Vec<NewCommand>) -> Option<Vec<Vec<Publication>>> {
        let commands: Arc<[NewCommand]> = commands.into();
        loop {
            match self.accept(commands.clone()).await {
                Ok(accepted) => return Some(self.refused(&commands, &accepted)),
                // A value that the store has no place for: of which of them, one by one will show.
                Err(error) if !error.may_pass() && self.can_write().await => {
                    return self.put_one_by_one(&commands).await;
                }
                Err(error) => {
                    let (context, waiting) = (&self.context, commands.len());
                    tracing::error!(%error, context, waiting,
                        "deliveries cannot be put into the inbox; they are not acknowledged, and it is tried again");
                    self.session.pause(AFTER_ERROR).await;
                }
            }
            if self.session.is_stopping() {
                return None;
            }
        }
    }

    async fn put_one_by_one(&self, commands: &[NewCommand]) -> Option<Vec<Vec<Publication>>> {
        let mut refused = Vec::with_capacity(commands.len());
        for command in commands {
            loop {
                let one: Arc<[NewCommand]> = vec![command.clone()].into();
                match self.accept(one.clone()).await {
                    Ok(accepted) => refused.extend(self.refused(&one, &accepted)),
                    Err(error) if !error.may_pass() && self.can_write().await => {
                        refused.push(self.refuse(command, &format!("the inbox cannot hold it: {error}")));
                    }
                    Err(error) => {
                        tracing::error!(%error, context = %self.context, "a delivery cannot be put into the inbox");
                        self.session.pause(AFTER_ERROR).await;
                        if self.session.is_stopping() {
                            return None;
                        }
                        continue;
                    }
                }
                break;
            }
        }
        Some(refused)
    }

    async fn accept(&self, commands: Arc<[NewCommand]>) -> Result<Vec<Acceptance>, StoreError> {
        let context = self.context.clone();
        self.blocking(move |served| {
            kill_point(&context, "before-receive");
            let accepted = served.store.accept(&commands, now_ms())?;
            try_again(&*served.store, &commands, &accepted, now_ms())?;
            note_others(&*served.store, &commands, &accepted, now_ms())?;
            kill_point(&context, "after-receive");
            served.commands.ring();
            served.events.ring();
            Ok(accepted)
        })
        .await
    }

    /// Whether the store takes anything else.
    async fn can_write(&self) -> bool {
        let probing = self.blocking(|served| served.store.lease("receive", Uuid::new_v4(), 0, now_ms()));
        probing.await.is_ok()
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Served) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (in_process, context) = (self.in_process.clone(), self.context.clone());
        let done = tokio::task::spawn_blocking(move || match in_process.served.get(&context) {
            Some(served) => work(served),
            None => Err(StoreError::GivenUp { place: context, reason: "it is not served here".to_owned() }),
        });
        done.await.unwrap_or_else(|error| {
            Err(StoreError::GivenUp { place: self.context.clone(), reason: error.to_string() })
        })
    }

    fn refused(&self, commands: &[NewCommand], accepted: &[Acceptance]) -> Vec<Vec<Publication>> {
        let refused = commands.iter().zip(accepted).map(|(command, acceptance)| match acceptance {
            Acceptance::OtherBody => self.refuse(command, OTHER_BODY),
            Acceptance::New | Acceptance::Known => Vec::new(),
        });
        refused.collect()
    }

    fn refuse(&self, command: &NewCommand, reason: &str) -> Vec<Publication> {
        let (context, name, id) = (&self.context, &command.name, command.command_id);
        tracing::warn!(context, name, command = %id, reason, "a command is moved to {context}_error");
        let original = command.original.as_deref().map(Original::of_bytes);
        let Some(Ok(original)) = original else {
            tracing::error!(context, name, command = %id, "its delivery is not there to be moved");
            return Vec::new();
        };
        let failure = Failure::of_handler(&format!("{context} inbox"), reason, 1);
        let stamp = Stamp::new(now_ms());
        let mut moved = Vec::new();
        match self.writer.fault(name, id, &original, &failure, stamp) {
            Ok(fault) => moved.push(fault),
            Err(error) => {
                tracing::error!(context, name, command = %id, %error, "a fault could not be written")
            }
        }
        moved.push(self.writer.error(original.delivery, Some(name), &failure, stamp));
        moved
    }
}

/// Says in the log that others came with the ids of commands that are there, so that the status of these says so.
fn note_others(
    store: &dyn Store,
    commands: &[NewCommand],
    accepted: &[Acceptance],
    now_ms: u64,
) -> Result<(), StoreError> {
    let others =
        commands.iter().zip(accepted).filter(|(_, acceptance)| **acceptance == Acceptance::OtherBody);
    let events: Vec<_> = others
        .map(|(command, _)| {
            let NewCommand { command_id, name, endpoint, caller, .. } = command;
            let (command, caller) = (name.clone(), caller.clone());
            let reason = format!("{OTHER_BODY}: its message is in {endpoint}_error");
            NewEvent {
                command_id: Some(*command_id),
                ..NewEvent::of_bus(
                    OtherCommandRefused::NAME,
                    &OtherCommandRefused { command, caller, reason },
                )
            }
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    let mut transaction = store.begin()?;
    transaction.append(&events, now_ms)?;
    transaction.commit()
}

/// A command that failed, and comes from an error queue again, is tried again: somebody has put it back. One that comes
/// again in any other way is known, and nothing follows.
fn try_again(
    store: &dyn Store,
    commands: &[NewCommand],
    accepted: &[Acceptance],
    now_ms: u64,
) -> Result<(), StoreError> {
    for (command, acceptance) in commands.iter().zip(accepted) {
        let original = command.original.as_deref().filter(|_| *acceptance == Acceptance::Known);
        let was_moved = original
            .is_some_and(|bytes| Original::of_bytes(bytes).is_ok_and(|original| original.was_moved()));
        if !was_moved || store.state(command.command_id)? != Some(CommandState::Failed) {
            continue;
        }
        let requeued = CommandRequeued { requeued_by: command.command_id };
        let event = NewEvent::of_command(command, CommandRequeued::NAME, json(&requeued));
        let change = StateChange {
            command_id: command.command_id,
            from: StateKind::Failed,
            expected_attempts: None,
            // The policy's attempts are all there again.
            attempts: Some(0),
            to: CommandState::Waiting { due_ms: now_ms },
            event: &event,
        };
        let mut transaction = store.begin()?;
        // Where it has changed meanwhile, somebody else was first.
        transaction.change(&change, now_ms)?;
        transaction.commit()?;
    }
    Ok(())
}
