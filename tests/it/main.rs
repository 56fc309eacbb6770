//! Integration tests of the real binary. Each test has its own home, data directory, socket
//! directory and environment, and ends every process that it started.

mod support;

/// Memory agents that are models: prompts, stored answers, errors and faults.
mod agent;
/// `memctl backup` and `memctl restore`.
mod backup;
/// Shell completion of ids, sessions, projects and settings, in real shells.
mod completions;
/// Settings, API keys, and which of them a worker gets.
mod config;
/// The context that a session gets at its start.
mod context_start;
/// Usage and costs of models as `memctl stats` reports them.
mod costs;
/// A crash at every test point, and the state after it.
mod crash;
/// Commands: arguments, output and exit codes.
mod ctl;
/// Memories that the user corrects, pins, hides, rejects or closes.
mod curation;
/// Damaged databases: quarantine and replacement.
mod damaged_databases;
/// Spooled events that cannot be taken in, and how they come back.
mod dead_letters;
/// Texts that are deleted leave no bytes in any file.
mod deleted_bytes;
/// `memctl doctor`: findings and fixes.
mod doctor;
/// Unusual paths, pid namespaces and process groups.
mod early_connection;
mod environments;
/// `memctl export` and `memctl import jsonl`.
mod export;
/// `memctl fix`: what was done after an error.
mod fix;
/// `memctl forget --now` removes every trace.
mod forget;
/// `memctl forget --text` removes a text and keeps what contains it.
mod forget_text;
/// What `memctl forget` removes is invisible and can be restored.
mod forget_undo;
/// Hooks: output, bad input and deadlines.
mod hook;
/// Databases that another program has changed on purpose.
mod hostile_databases;
/// `memctl how`: the command lines of a program that worked.
mod how;
/// Identity of workers, sessions and events.
mod identity;
/// `memctl import claude-code`.
mod import;
/// `memctl import claude-mem`, with the schemas of its versions.
mod import_claude_mem;
/// Subagents in `memctl import claude-code`.
mod import_subagents;
/// `make install`, `make uninstall`, and the hooks that run meanwhile.
mod install;
/// The JSON line dialect, as sent with `nc -U`.
mod line_protocol;
/// `memctl logs`.
mod logs;
/// Help, manual, completions, version, and the documented keys of `--json`.
mod manual;
/// `memctl mcp`: the memory for a client's model.
mod mcp;
/// The memory that clients have themselves: what it says is not told again.
mod native_memory;
/// A new user with a year of transcripts: import, start a session, ask.
mod new_user;
/// What the next session is told of the sessions before it.
mod next_session;
/// `hooks/observe.sh`.
mod observe;
/// Files, sockets and processes of other users at our paths.
mod other_users;
/// How turns end, and which of several outcomes counts.
mod outcomes;
/// Links, pipes and directories that another program has put in place of memctl's files.
mod planted_files;
/// Messages that fail or crash their worker.
mod poison_messages;
/// Texts of third parties do not become facts, rules or next steps.
mod poisoning;
/// Text that the user marks as private, in every shape.
mod private_text;
/// Process start and exit: arguments, closed streams, panics.
mod process_entry;
/// `memctl project`: names, moved directories, merged and split projects, and their undo.
mod project_changes;
/// Folders that claim to be a known repository.
mod project_claims;
mod project_elsewhere;
mod project_identity;
/// Guards of the locking protocol, each tested alone.
mod protocol_guards;
/// Recorded sessions of the real client and the rows that they produce.
mod recall;
mod recorded_sessions;
/// Pauses, switches, `exclude` and `capture.mode`: what is not recorded, and who is told.
mod recording;
/// Recovery from dead and hung workers, lost clients and missed starts.
mod recover;
/// Generated secrets are found, and texts that resemble secrets are left.
mod redaction;
/// What the user rejected does not come back.
mod rejection;
/// `memctl remember`: notes of the user, and rows of scripts.
mod remember;
/// Repair commands: `memctl kill`, `finish`, `cleanup` and `queue`.
mod repair;
/// `memctl replay`.
mod replay;
/// `memctl resume`: agent sessions that other programs continue.
mod resume_store;
/// `memctl search`: queries, filters and output.
mod search;
/// The index of words: complete, repaired, and without forgotten words.
mod search_index;
/// Secrets in any field of any event are not stored; `memctl redact`.
mod secrets;
/// How sessions end, and how their workers exit.
mod session_end;
/// `memctl list`, `last`, `timeline` and `show`.
mod sessions_list;
/// Values of settings: what is refused or reported, and how they are printed.
mod setting_values;
/// Random sessions under random faults.
mod soak;
/// Rules about the sources that the compiler and clippy do not check.
mod source_rules;
/// Opening the database: missing, old, new, replaced, deleted.
mod store_open;
/// A locked store, and full or read-only disks.
mod store_outage;
/// Rows that a session produces: file hashes and origins.
mod stored_memory;
/// Terminal width, colours and pipes.
mod terminal;
/// Hooks, workers and databases of different releases.
mod truth;
mod upgrade;
/// `memctl`, `memctl status` and `memctl doctor` say the same.
mod verdict;
/// Hooks whose events get no reply: they send a wake, and may start a worker.
mod wake;
/// `memctl why`: which sessions changed a file.
mod why;
/// The text of secret files is never stored, whichever client and tool read it.
mod withholding;
/// Workers: one per session, started, raced and killed.
mod worker;
