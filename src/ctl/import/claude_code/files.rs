//! Finds transcripts below the client's projects directory, and reads of each how it begins and ends.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde_json::Value;

use crate::ctl::transcript::agents::{self, AgentFile};
use crate::ctl::transcript::claude_code::time;

/// How deep below the given directory transcripts are searched.
const MAX_DEPTH: usize = 4;
/// How many bytes of a file's beginning are searched for its session.
const HEAD: u64 = 512 << 10;

/// A transcript, before it is read.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    pub path: PathBuf,
    /// Size of the file, with those of its subagents.
    pub bytes: u64,
    pub agents: Vec<AgentFile>,
    /// The client's session id. Empty if the beginning names none.
    pub session: String,
    /// The directory in which the client was started.
    pub dir: Option<PathBuf>,
    /// Time of the first line and of the last one; 0 if they have none.
    pub started: i64,
    pub ended: i64,
    /// Uuid of the first message. Copies of one conversation share it.
    first: String,
    /// Other transcripts have the same beginning.
    pub has_copies: bool,
}

/// The transcripts of a directory.
#[derive(Debug, Default)]
pub struct Found {
    /// Newest first. Of several that begin with the same conversation, the one that ended first comes
    /// first, because the others are copies that continue it.
    pub transcripts: Vec<Transcript>,
    /// Number of files of subagents that are not read: the client itself started them, or their session is
    /// gone.
    pub n_sidechains: u64,
    pub n_unreadable: u64,
}

/// Finds the transcripts below a directory.
///
/// # Errors
/// If the directory cannot be read.
pub fn find(dir: &Path) -> io::Result<Found> {
    let (mut found, mut paths) = (Found::default(), Vec::new());
    fs::read_dir(dir)?;
    walk(dir, MAX_DEPTH, &mut paths, &mut found);
    let (agents, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|p| agents::is_agent(p));
    for path in paths {
        match Transcript::open(path) {
            Ok(transcript) => found.transcripts.push(transcript),
            Err(_) => found.n_unreadable += 1,
        }
    }
    add_agents(agents, &mut found);
    found.transcripts = in_order(found.transcripts);
    Ok(found)
}

/// Whether the directory has a transcript. Stops at the first one.
pub fn exist(dir: &Path) -> bool {
    let is_transcript = |path: &Path| path.extension().is_some_and(|ext| ext == "jsonl");
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    entries(dir).any(|entry| {
        is_transcript(&entry.path()) || entries(&entry.path()).any(|e| is_transcript(&e.path()))
    })
}

fn walk(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>, found: &mut Found) {
    let Ok(entries) = fs::read_dir(dir) else {
        found.n_unreadable += 1;
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(meta) = fs::metadata(&path) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if meta.is_dir() {
            if depth > 1 {
                walk(&path, depth - 1, paths, found);
            }
        } else if meta.is_file() && name.ends_with(".jsonl") {
            paths.push(path);
        }
    }
}

/// Gives each file of a subagent to its session. Of copies of a transcript, the first one has them.
fn add_agents(paths: Vec<PathBuf>, found: &mut Found) {
    let mut sessions: HashMap<String, usize> = HashMap::new();
    for (at, transcript) in found.transcripts.iter().enumerate() {
        sessions.entry(transcript.session.clone()).or_insert(at);
    }
    for path in paths {
        match AgentFile::open(&path) {
            Ok(agent) => {
                let session = || sessions.get(&agents::session_of(&path)?).copied();
                match agent.and_then(|agent| Some((agent, session()?))) {
                    Some((agent, at)) => found.transcripts[at].add(agent),
                    None => found.n_sidechains += 1,
                }
            }
            Err(_) => found.n_unreadable += 1,
        }
    }
}

/// Newest first, copies after their origin.
fn in_order(transcripts: Vec<Transcript>) -> Vec<Transcript> {
    let mut families: BTreeMap<String, Vec<Transcript>> = BTreeMap::new();
    for transcript in transcripts {
        let path = || transcript.path.to_string_lossy().into_owned();
        let family = Some(transcript.first.clone()).filter(|first| !first.is_empty());
        families.entry(family.unwrap_or_else(path)).or_default().push(transcript);
    }
    let mut families: Vec<Vec<Transcript>> = families.into_values().collect();
    for family in &mut families {
        family.sort_by(|a, b| (a.ended, &a.path).cmp(&(b.ended, &b.path)));
        let has_copies = family.len() > 1;
        family.iter_mut().for_each(|transcript| transcript.has_copies = has_copies);
    }
    families.sort_by_key(|family| std::cmp::Reverse(family.last().map_or(0, |t| t.ended)));
    families.into_iter().flatten().collect()
}

impl Transcript {
    fn open(path: PathBuf) -> io::Result<Transcript> {
        let mut file = File::open(&path)?;
        let meta = file.metadata()?;
        let mut transcript = Transcript { bytes: meta.len(), path, ..Transcript::default() };
        transcript.read_head(&file)?;
        transcript.ended = agents::last_time(&mut file, transcript.bytes)?.max(transcript.started);
        if transcript.ended == 0 {
            let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            transcript.ended = modified.map_or(0, |at| at.as_millis() as i64);
        }
        Ok(transcript)
    }

    fn add(&mut self, agent: AgentFile) {
        self.bytes += agent.bytes;
        self.agents.push(agent);
    }

    fn read_head(&mut self, file: &File) -> io::Result<()> {
        let mut lines = BufReader::new(file.take(HEAD));
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            if let Ok(value) = serde_json::from_slice::<Value>(&line) {
                let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
                if self.session.is_empty() {
                    self.session = text("sessionId");
                }
                if self.started == 0 {
                    self.started = time(&text("timestamp"));
                }
                if matches!(value["type"].as_str(), Some("user" | "assistant")) {
                    self.first = text("uuid");
                    self.dir = value["cwd"].as_str().map(PathBuf::from);
                    break;
                }
            }
            line.clear();
        }
        Ok(())
    }
}
