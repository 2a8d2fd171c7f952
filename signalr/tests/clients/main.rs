//! The official clients of other languages, and some that are not, against the example server: in Node, in Chromium, in .NET
//! and in Python. What a machine does not have is skipped, and said.

mod chromium;
mod dotnet;
mod fixture;
mod node;
mod packages;
mod proxy;
mod python;
mod storm;
