//! What the branch that is checked out contains, read from reflogs and the commit graph
//! (`man gitformat-commit-graph`). Objects are not read, so a commit that neither of them knows may
//! be part of the branch or not.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{MAX_FILE, MAX_PACKED_REFS, Repository, hash, is_ref_name, read, read_end};

/// A longer commit graph is ignored: it has more than 100,000 commits.
const MAX_GRAPH: u64 = 8 << 20;

/// The history of the branch that is checked out, as far as it is known.
pub struct History {
    head: String,
    /// HEAD and the former tips of the branch.
    tips: BTreeSet<String>,
    /// Branches that were merged into the branch on this machine, with the time in seconds.
    merges: Vec<(String, i64)>,
    /// Times of pulls, in seconds.
    pulls: Vec<i64>,
    graph: Option<Graph>,
    /// Positions in the graph of the tips' ancestors.
    ancestors: OnceCell<Vec<bool>>,
    common_dir: PathBuf,
    /// References in `packed-refs`, with their commits.
    packed: OnceCell<BTreeMap<String, String>>,
}

impl History {
    /// `None` before the first commit.
    pub(super) fn read(repository: &Repository) -> Option<History> {
        let head = repository.head_commit()?;
        let common_dir = repository.common_dir();
        let log = match repository.branch() {
            Some(branch) if is_ref_name(&branch) => common_dir.join("logs/refs/heads").join(branch),
            _ => repository.git_dir.join("logs/HEAD"),
        };
        let log = read_end(&log, MAX_FILE).unwrap_or_default();
        let graph = read(&common_dir.join("objects/info/commit-graph"), MAX_GRAPH);
        let mut history = History {
            tips: BTreeSet::from([head.clone()]),
            head,
            merges: Vec::new(),
            pulls: Vec::new(),
            graph: graph.and_then(Graph::parse),
            ancestors: OnceCell::new(),
            common_dir,
            packed: OnceCell::new(),
        };
        String::from_utf8_lossy(&log).lines().for_each(|line| history.add_move(line));
        Some(history)
    }

    /// Adds a line of a reflog: `<old> <new> Name <address> <seconds> <zone>\t<message>`.
    fn add_move(&mut self, line: &str) {
        let Some((what, message)) = line.split_once('\t') else { return };
        let mut words = what.split(' ');
        let new = words.nth(1).and_then(hash);
        let seconds = what.rsplit(' ').nth(1).and_then(|seconds| seconds.parse().ok());
        let (Some(new), Some(seconds)) = (new, seconds) else { return };
        self.tips.insert(new);
        let merged = message.strip_prefix("merge ").and_then(|rest| rest.split(':').next());
        if let Some(branch) = merged {
            self.merges.push((branch.to_owned(), seconds));
        } else if message.starts_with("pull") {
            self.pulls.push(seconds);
        }
    }

    /// Whether the branch contains the commit. `None` if the files do not tell.
    pub fn contains(&self, commit: &str) -> Option<bool> {
        let commit = hash(commit)?;
        if self.tips.contains(&commit) {
            return Some(true);
        }
        let graph = self.graph.as_ref()?;
        let wanted = graph.position(&commit)?;
        let ancestors = self.ancestors.get_or_init(|| {
            graph.ancestors(self.tips.iter().filter_map(|tip| graph.position(tip)).collect())
        });
        if ancestors[wanted] {
            return Some(true);
        }
        // Newer commits may be merges.
        graph.position(&self.head).map(|_| false)
    }

    /// Whether the branch `name` was merged into this one on this machine, at `seconds` or later.
    pub fn has_merged(&self, name: &str, seconds: i64) -> bool {
        self.merges.iter().any(|(branch, at)| branch == name && *at >= seconds)
    }

    /// Whether a local branch of this name exists.
    pub fn has_branch(&self, name: &str) -> bool {
        self.tip(name).is_some()
    }

    /// The newest commit of a local branch.
    pub fn tip(&self, name: &str) -> Option<String> {
        let reference = format!("refs/heads/{name}");
        if !is_ref_name(&reference) {
            return None;
        }
        let packed = || {
            let file = read(&self.common_dir.join("packed-refs"), MAX_PACKED_REFS);
            let text = file.unwrap_or_default();
            let lines = String::from_utf8_lossy(&text);
            let lines = lines.lines().filter_map(|line| line.split_once(' '));
            lines.map(|(commit, name)| (name.to_owned(), commit.to_owned())).collect()
        };
        match read(&self.common_dir.join(&reference), MAX_FILE) {
            Some(commit) => Some(String::from_utf8_lossy(&commit).trim().to_owned()),
            None => self.packed.get_or_init(packed).get(&reference).cloned(),
        }
    }

    /// Whether the branch was pulled at `seconds` or later.
    pub fn has_pulled(&self, seconds: i64) -> bool {
        self.pulls.iter().any(|at| *at >= seconds)
    }
}

impl Repository {
    /// The history of the branch that is checked out.
    pub fn history(&self) -> Option<History> {
        History::read(self)
    }
}

/// A commit graph that is one file.
struct Graph {
    bytes: Vec<u8>,
    hash_len: usize,
    n_commits: usize,
    /// Offsets of the sorted hashes, of the commits' data, and of further parents.
    hashes: usize,
    data: usize,
    edges: Option<usize>,
}

const NO_PARENT: u32 = 0x7000_0000;
const HAS_EDGES: u32 = 0x8000_0000;

impl Graph {
    fn parse(bytes: Vec<u8>) -> Option<Graph> {
        let header = bytes.get(..8)?;
        let hash_len = match header {
            [b'C', b'G', b'P', b'H', 1, 1, _, 0] => 20,
            [b'C', b'G', b'P', b'H', 1, 2, _, 0] => 32,
            _ => return None,
        };
        let chunk = |name: &[u8]| {
            let table = bytes.get(8..8 + usize::from(header[6]) * 12)?;
            let entry = table.chunks_exact(12).find(|entry| &entry[..4] == name)?;
            usize::try_from(u64::from_be_bytes(entry[4..].try_into().ok()?)).ok()
        };
        let (fanout, hashes, data) = (chunk(b"OIDF")?, chunk(b"OIDL")?, chunk(b"CDAT")?);
        let edges = chunk(b"EDGE");
        let last = bytes.get(fanout.checked_add(255 * 4)?..)?.first_chunk::<4>()?;
        let n_commits = u32::from_be_bytes(*last) as usize;
        let graph = Graph { hash_len, n_commits, hashes, data, edges, bytes };
        // Both tables are inside the file.
        let end = |start: usize, size: usize| start.checked_add(n_commits.checked_mul(size)?);
        let fits = end(hashes, hash_len)?.max(end(data, hash_len + 16)?) <= graph.bytes.len();
        fits.then_some(graph)
    }

    fn hash_at(&self, position: usize) -> &[u8] {
        let start = self.hashes + position * self.hash_len;
        &self.bytes[start..start + self.hash_len]
    }

    fn position(&self, commit: &str) -> Option<usize> {
        let wanted = super::objects::bytes_of(commit)?;
        let (mut low, mut high) = (0, self.n_commits);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.hash_at(middle).cmp(&wanted) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn u32_at(&self, offset: usize) -> Option<u32> {
        Some(u32::from_be_bytes(*self.bytes.get(offset..)?.first_chunk::<4>()?))
    }

    fn data_at(&self, position: usize) -> usize {
        self.data + position * (self.hash_len + 16) + self.hash_len
    }

    /// Adds the positions of a commit's parents.
    fn add_parents(&self, position: usize, to: &mut Vec<usize>) {
        let data = self.data_at(position);
        for at in [data, data + 4] {
            match self.u32_at(at) {
                None | Some(NO_PARENT) => {}
                Some(edge) if edge & HAS_EDGES != 0 => {
                    let first = (edge & !HAS_EDGES) as usize;
                    let Some(edges) = self.edges else { continue };
                    for n in first..first.saturating_add(64) {
                        let Some(edge) = self.u32_at(edges.saturating_add(n * 4)) else { break };
                        to.push((edge & !HAS_EDGES) as usize);
                        if edge & HAS_EDGES != 0 {
                            break;
                        }
                    }
                }
                Some(parent) => to.push(parent as usize),
            }
        }
    }

    /// Which commits can be reached from these, themselves included.
    fn ancestors(&self, mut waiting: Vec<usize>) -> Vec<bool> {
        let mut found = vec![false; self.n_commits];
        while let Some(position) = waiting.pop() {
            // A damaged file may name a position that it does not have.
            let Some(is_found) = found.get_mut(position) else { continue };
            if !std::mem::replace(is_found, true) {
                self.add_parents(position, &mut waiting);
            }
        }
        found
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
