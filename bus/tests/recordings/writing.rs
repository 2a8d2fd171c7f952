//! What the recorded services wrote, and what this program writes for the same contract with the same ids, line by
//! line.

use bus::wire::Publication;

use crate::data::messages;
use crate::outcome::Set;
use decisions::decisions;
use difference::message_differs;
use recorded::Recorded;

mod decisions;
mod difference;
mod recorded;

#[test]
fn what_is_written_equals_what_was_recorded() {
    let mut set = Set::new("masstransit, written", decisions());
    let messages = messages();
    let published: Vec<_> = messages.iter().filter(|message| message.is_published).collect();
    for message in &published {
        let differences = match Recorded::of(message, &messages).ours() {
            Some(ours) => message_differs(&ours, message),
            None => vec!["this is not written".to_owned()],
        };
        set.case(&message.case, differences);
    }
    set.finish(published.len());
}

/// Without this, nothing above could be believed.
#[test]
fn a_changed_byte_is_seen() {
    let messages = messages();
    let message = messages.iter().find(|message| message.case == "send-command 1").unwrap();
    let ours = Publication {
        target: bus::wire::Target::Endpoint { name: message.exchange.clone() },
        properties: message.properties.clone(),
        body: message.body.clone(),
    };
    assert_eq!(message_differs(&ours, message), Vec::<String>::new());
    for at in 0..message.body.len() {
        let mut changed = message.clone();
        changed.body[at] ^= 1;
        let line_begin = message.body[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = String::from_utf8_lossy(&message.body[line_begin..]).into_owned();
        // Within what varies, and in the quotes around it, one byte may be any.
        let varies =
            ["\"sentTime\"", "\"sourceAddress\""].iter().any(|name| line.trim_start().starts_with(name));
        if !varies {
            assert_ne!(message_differs(&ours, &changed), Vec::<String>::new(), "byte {at}");
        }
    }
}
