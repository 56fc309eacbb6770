//! What memctl promises, shown on the real binary: each test lives in a world of its own (home,
//! data dir, sockets, cleared environment), and ends every process of it.

mod support;

/// Memory agents that are models: what is told, what is stored, and what every error does.
mod agent;
/// What is done for the program before it begins and after it ends.
mod begins;
/// Settings, API keys, and what a worker is told of them.
mod config;
/// Every step at which something may die, and what is there afterwards.
mod crash;
/// What people type and see.
mod ctl;
/// Databases that are damaged, and what goes on in their place.
mod damage;
/// Every look at what may be wrong, and what is mended.
mod doctor;
/// Ends of sessions and of workers, and what is left after each.
mod ends;
/// What is forgotten is nowhere any more.
mod forget;
/// Guards of the protocol, each alone between a fault and its damage.
mod guards;
/// What a hook prints and never does, whatever it is given.
mod hook;
/// Who is who, when names come back, are given twice or belong to strangers.
mod identity;
/// What a session leaves in the store, from the hook to the row.
mod kept;
/// The JSON dialect, spoken as `nc -U` would.
mod lines;
/// What is logged, read as it is written.
mod logs;
/// Help, manual, completions, version, and the keys of what programs read.
mod manual;
/// What people do when something hangs, waits or has failed.
mod mend;
/// What models cost, as far as one can look at it.
mod money;
/// The database as it is found: missing, old, new, damaged, gone.
mod opening;
/// Stores that are locked, disks that are full or read-only.
mod outage;
/// Odd names of every path, a pid namespace of its own, process groups that are killed.
mod places;
/// Events that fail, or kill whoever takes them in hand.
mod poison;
/// Recorded sessions of the real client, event by event, and what the store makes of them.
mod recorded;
/// What is left by workers that died or hang, by hooks without one, by clients that are gone.
mod recover;
/// Transcripts through the hooks' own way.
mod replay;
/// The store of agents' sessions that other programs take up again.
mod resume;
/// All of it at once, with faults drawn by lot.
mod soak;
/// Rules about the sources that the compiler and clippy do not check.
mod source_rules;
/// What others put in our places.
mod strangers;
/// Widths, colours, pipes.
mod terminal;
/// What a session is told at its start.
mod told;
/// Hooks and workers of different releases, and databases of newer ones.
mod upgrade;
/// Workers: one per session, born and gone, killed and raced.
mod worker;
