//! What memctl promises, shown on the real binary: each test lives in a world of its own (home,
//! data dir, sockets, cleared environment), and ends every process of it.

mod support;

/// What a hook prints and never does, whatever it is given.
mod hook;
/// Recorded sessions of the real client, event by event, and what the store makes of them.
mod recorded;
/// Workers: one per session, born and gone, killed and raced.
mod worker;
/// The JSON dialect, spoken as `nc -U` would.
mod lines;
/// What people type and see.
mod ctl;
/// Transcripts through the hooks' own way.
mod replay;
/// Rules about the sources that no compiler checks.
mod tidy;
