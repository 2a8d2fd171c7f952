//! Every command that the README shows works, and works again: its blocks are taken out of it and run
//! twice in a row, in one folder, as a reader who tries them does. `orchard` is this build's program, and so
//! is `cargo run` outside the folder of a new strategy.

#![cfg(unix)]

mod blocks;
mod shell;

use blocks::{Section, assignments, sections};
use shell::Shell;

const README: &str = include_str!("../../README.md");

/// Sections that have a test of their own.
const TUTORIAL: &str = "Write a strategy";
const RABBITMQ: &str = "Over RabbitMQ";
const SEVERAL: &str = "Several processes";

/// The lines of one section's blocks, which must be there.
fn lines(all: &[Section], heading: &str) -> Vec<String> {
    let section = all.iter().find(|section| section.heading == heading);
    let section = section.unwrap_or_else(|| panic!("the README has no section '{heading}'"));
    assert!(!section.blocks.is_empty(), "the section '{heading}' has no commands");
    section.blocks.concat()
}

#[test]
fn commands_on_files_run_twice() {
    let all = sections(README);
    let shell = Shell::new();
    for _ in 0..2 {
        for section in
            all.iter().filter(|section| ![TUTORIAL, RABBITMQ, SEVERAL].contains(&section.heading.as_str()))
        {
            shell.run(&section.heading, &assignments(&all), &section.blocks.concat());
        }
    }
}

#[test]
fn the_tutorial_runs_twice() {
    let all = sections(README);
    let shell = Shell::new();
    for _ in 0..2 {
        shell.run(TUTORIAL, &assignments(&all), &lines(&all, TUTORIAL));
        // Nobody's crate is written over: who wants it anew removes it.
        shell.remove("my-strategy");
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_feed_over_rabbitmq_runs_twice_on_new_servers() {
    let all = sections(README);
    let shell = Shell::new();
    for _ in 0..2 {
        shell.run(RABBITMQ, &assignments(&all), &lines(&all, RABBITMQ));
    }
}

#[test]
#[ignore = "needs servers: run scripts/test"]
fn the_feed_over_rabbitmq_runs_twice_on_the_same_servers() {
    let all = sections(README);
    let shell = Shell::new();
    let (servers, others): (Vec<String>, Vec<String>) =
        lines(&all, RABBITMQ).into_iter().partition(|line| line.contains("scripts/services"));
    let [start, stop] = &servers[..] else { panic!("the block starts and stops servers: {servers:?}") };
    let twice = [std::slice::from_ref(start), &others, &others, std::slice::from_ref(stop)].concat();
    shell.run(RABBITMQ, &assignments(&all), &twice);
}

#[test]
#[ignore = "needs servers: run scripts/test"]
#[cfg(feature = "services")]
fn several_processes_run_twice_on_new_servers() {
    let all = sections(README);
    let shell = Shell::new();
    for _ in 0..2 {
        shell.run(SEVERAL, &assignments(&all), &lines(&all, SEVERAL));
    }
}
