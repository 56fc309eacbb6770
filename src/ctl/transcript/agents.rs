//! Transcripts of subagents. Claude Code keeps one file per subagent: `agent-ID.jsonl`, below the directory
//! of its session or, by earlier releases, beside the session's own transcript.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::claude_code::time;

/// How many bytes of the end are searched for the last time.
const TAIL: u64 = 64 << 10;
/// The subagents that the client itself starts, by the beginning of their ids. Their hooks report no type,
/// and memctl does not record them.
const OF_CLIENT: [&str; 3] = ["acompact", "aprompt_suggestion", "aside_question"];

/// A transcript of a subagent, before it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentFile {
    pub path: PathBuf,
    pub bytes: u64,
    pub id: String,
    /// The type of the agent, such as `Explore`, if a file beside it says it.
    pub kind: Option<String>,
    /// Time of the last line; 0 if it has none.
    pub ended: i64,
}

/// Whether a file with this name is the transcript of a subagent.
pub fn is_agent(path: &Path) -> bool {
    agent_id(path).is_some()
}

fn agent_id(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_prefix("agent-")?.strip_suffix(".jsonl")
}

/// The subagents of a session whose transcript is `file`, below its own directory.
pub fn of_session(file: &Path) -> Vec<AgentFile> {
    let entries = fs::read_dir(file.with_extension("").join("subagents"));
    let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter_map(|path| AgentFile::open(&path).ok().flatten()).collect()
}

/// The id of the session to which a subagent belongs. `None` if the file does not say it.
pub fn session_of(path: &Path) -> Option<String> {
    let dir = path.parent()?;
    if dir.ends_with("subagents") {
        return Some(dir.parent()?.file_name()?.to_str()?.to_owned());
    }
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?).take(TAIL).read_until(b'\n', &mut line).ok()?;
    let line: Value = serde_json::from_slice(&line).ok()?;
    line["sessionId"].as_str().map(str::to_owned)
}

impl AgentFile {
    /// `None` if the client itself started the subagent.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(path: &Path) -> io::Result<Option<AgentFile>> {
        let Some(id) = agent_id(path) else { return Ok(None) };
        if OF_CLIENT.iter().any(|start| id.starts_with(start)) {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(None);
        }
        Ok(Some(AgentFile {
            path: path.to_owned(),
            bytes: meta.len(),
            id: id.to_owned(),
            kind: kind(path),
            ended: last_time(&mut file, meta.len())?,
        }))
    }
}

fn kind(path: &Path) -> Option<String> {
    let text = crate::files::read_regular(&path.with_extension("meta.json")).ok()?;
    let meta: Value = serde_json::from_str(&text).ok()?;
    meta["agentType"].as_str().filter(|kind| !kind.is_empty()).map(str::to_owned)
}

/// The last timestamp of a transcript; 0 if its end has none.
///
/// # Errors
/// If the file cannot be read.
pub fn last_time(file: &mut File, bytes: u64) -> io::Result<i64> {
    const KEY: &str = "\"timestamp\":";
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let mut texts = tail.rmatch_indices(KEY).map(|(at, _)| &tail[at + KEY.len()..]);
    let last = texts.find_map(|text| {
        let text = text.trim_start().strip_prefix('"')?;
        Some(time(text.split('"').next()?)).filter(|at| *at > 0)
    });
    Ok(last.unwrap_or(0))
}
