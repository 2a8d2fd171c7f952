//! How what a broker has differs from what is wanted.

use std::fmt;

use super::{Argument, Arguments, Binding, BoundTo, Exchange, Queue, Topology};

/// One thing that is not as it is wanted. What exists is never changed or deleted: it is used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which exchange, queue or binding.
    pub what: String,
    /// What it should be.
    pub wanted: String,
    /// What it is.
    pub found: String,
    /// What to do.
    pub advice: String,
    /// Whether it is only absent, so that declaring it is all that is to be done.
    pub is_absent: bool,
}

const ABSENT: &str = "absent";
const DEPLOY: &str = "`orchard topology deploy` declares it";

impl Topology {
    /// How `found`, which is what a broker has, differs from this, in order of exchanges, queues and bindings. What
    /// others have there beside it is no difference, but for bindings that bring an endpoint what it does not handle.
    pub fn differences(&self, found: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, wanted) in &self.exchanges {
            let other = found.exchanges.get(name);
            if other != Some(wanted) {
                differences.push(of_exchange(name, wanted, other));
            }
        }
        for (name, wanted) in &self.queues {
            let other = found.queues.get(name);
            if other != Some(wanted) {
                differences.push(of_queue(name, wanted, other));
            }
        }
        for binding in self.bindings.difference(&found.bindings) {
            differences.push(absent(binding.to_string(), "bound".to_owned()));
        }
        let is_ours = |binding: &&Binding| {
            binding.to == BoundTo::Exchange && self.queues.contains_key(&binding.destination)
        };
        for binding in found.bindings.difference(&self.bindings).filter(is_ours) {
            differences.push(not_needed(binding));
        }
        differences
    }
}

fn of_exchange(name: &str, wanted: &Exchange, found: Option<&Exchange>) -> Difference {
    let what = format!("exchange {name}");
    let Some(found) = found else { return absent(what, wanted.to_string()) };
    let advice = format!(
        "it is used as it is; a .NET service that declares {name} differently does not start: delete it while nobody \
         uses it, then run `orchard topology deploy`"
    );
    Difference { what, wanted: wanted.to_string(), found: found.to_string(), advice, is_absent: false }
}

fn of_queue(name: &str, wanted: &Queue, found: Option<&Queue>) -> Difference {
    let what = format!("queue {name}");
    let Some(found) = found else { return absent(what, wanted.to_string()) };
    let advice = format!(
        "it is used as it is; a .NET `Send` to `queue:{name}` never returns where the queue has arguments, so send to \
         `exchange:{name}`; else set the queue type to what it is, or empty and delete it and run `orchard topology \
         deploy`"
    );
    Difference { what, wanted: wanted.to_string(), found: found.to_string(), advice, is_absent: false }
}

fn absent(what: String, wanted: String) -> Difference {
    Difference { what, wanted, found: ABSENT.to_owned(), advice: DEPLOY.to_owned(), is_absent: true }
}

fn not_needed(binding: &Binding) -> Difference {
    let advice = format!(
        "no contract of this program needs it, and what it brings goes to {}_skipped: unbind it once no service of an \
         older version runs",
        binding.destination
    );
    Difference {
        what: binding.to_string(),
        wanted: ABSENT.to_owned(),
        found: "bound".to_owned(),
        advice,
        is_absent: false,
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.to {
            BoundTo::Exchange => "exchange",
            BoundTo::Queue => "queue",
        };
        write!(f, "binding of {} to {kind} {}", self.source, self.destination)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, " with key '{}'", self.key) }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        write_flags(f, self.is_durable, self.is_auto_delete, &self.arguments)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.arguments.get("x-queue-type") {
            Some(Argument::Text(kind)) => f.write_str(kind)?,
            _ => f.write_str("classic")?,
        }
        if self.is_exclusive {
            f.write_str(", exclusive")?;
        }
        write_flags(f, self.is_durable, self.is_auto_delete, &self.arguments)
    }
}

fn write_flags(
    f: &mut fmt::Formatter<'_>,
    is_durable: bool,
    is_auto_delete: bool,
    arguments: &Arguments,
) -> fmt::Result {
    f.write_str(if is_durable { ", durable" } else { ", not durable" })?;
    if is_auto_delete {
        f.write_str(", auto-delete")?;
    }
    for (name, argument) in arguments {
        write!(f, ", {name}={argument}")?;
    }
    Ok(())
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Other(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Boolean(is_so) => is_so.fmt(f),
        }
    }
}
