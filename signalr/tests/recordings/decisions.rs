//! Where this server differs from ASP.NET Core by decision; each reason is a row of `DIFFERENCES.md`.

use crate::outcome::Decision;

pub(crate) const HTTP: &[Decision] = &[];

pub(crate) const WEBSOCKET: &[Decision] = &[];

pub(crate) const STATEFUL: &[Decision] = &[];

pub(crate) const TRANSCRIPTS: &[Decision] = &[];
