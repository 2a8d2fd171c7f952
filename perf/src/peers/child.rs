//! One run of another program: it has a time limit, and what it writes is bounded.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Between looks whether a child has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What a program may print; ours prints a series of seconds.
const MOST_OUTPUT: u64 = 16 << 20;
/// What is kept of its errors, from their end.
const KEPT_ERRORS: usize = 8 << 10;
/// So many lines of them are shown.
const SHOWN_LINES: usize = 8;
/// After a program has ended, its pipes end; unless it left somebody behind who has them.
const PIPES: Duration = Duration::from_secs(5);

/// How a program ended within its time.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: String,
    /// The last lines of what it wrote to standard error.
    pub(super) errors: String,
}

/// Runs a program to its end; gives what it printed, or in one line why that is of no use.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    let ended = finish(command, limit)?;
    if ended.status.success() {
        return Ok(ended.output);
    }
    if !ended.errors.is_empty() {
        eprintln!("{}", ended.errors);
    }
    let last = ended.errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Err(format!("{}: {}", ended.status, last.trim()))
}

/// Runs a program to its end, or ends it.
pub(super) fn finish(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    // A program's own lines say more in eight lines than a trace of its stack.
    command.env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
    let output = child.stdout.take().map(|pipe| in_thread(move || first(pipe)));
    let errors = child.stderr.take().map(|pipe| in_thread(move || last(pipe)));
    let status = wait(&mut child, limit);
    let taken = |from: Option<mpsc::Receiver<String>>| {
        from.and_then(|from| from.recv_timeout(PIPES).ok()).unwrap_or_default()
    };
    let (output, errors) = (taken(output), taken(errors));
    match status {
        Ok(status) => Ok(Ended { status, output, errors }),
        Err(why) => {
            eprintln!("{errors}");
            Err(why)
        }
    }
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let began = Instant::now();
    let why = loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if began.elapsed() >= limit => {
                break format!("it was ended after {} s: give a longer --timeout", limit.as_secs());
            }
            Ok(None) => thread::sleep(LOOK),
            Err(error) => break format!("it cannot be waited for: {error}"),
        }
    };
    // It may have ended just now, and then there is nobody to kill.
    let _ = child.kill();
    let _ = child.wait();
    Err(why)
}

fn in_thread(read: impl FnOnce() -> String + Send + 'static) -> mpsc::Receiver<String> {
    let (give, take) = mpsc::sync_channel(1);
    thread::spawn(move || give.send(read()));
    take
}

fn first(pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A broken pipe ends the text; the parser says what is missing.
    let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn last(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut part) {
        kept.extend_from_slice(&part[..read]);
        let surplus = kept.len().saturating_sub(KEPT_ERRORS);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_printed_comes_back() {
        assert_eq!(run(&mut shell("echo one; echo two >&2"), PIPES).unwrap(), "one\n");
    }

    #[test]
    fn its_last_line_is_the_reason() {
        let why = run(&mut shell("echo first >&2; echo why >&2; exit 3"), PIPES).unwrap_err();
        assert!(why.contains('3') && why.ends_with("why"), "{why}");
    }

    #[test]
    fn it_is_ended_when_its_time_is_over() {
        let why = run(&mut shell("exec sleep 60"), Duration::from_millis(1)).unwrap_err();
        assert!(why.contains("--timeout"), "{why}");
    }

    #[test]
    fn a_program_that_is_not_there_is_a_reason() {
        assert!(run(&mut Command::new("/no/such/program"), PIPES).unwrap_err().contains("does not start"));
    }

    #[test]
    fn only_the_end_of_long_errors_is_kept() {
        let errors = last("line\n".repeat(100_000).as_bytes());
        assert_eq!(errors.lines().count(), SHOWN_LINES);
    }
}
