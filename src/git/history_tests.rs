use std::fs;
use std::path::Path;

use super::*;

/// A hash that begins with `n`, so that hashes are sorted like their numbers.
fn name(n: u8) -> String {
    format!("{n:02x}{}", "0".repeat(38))
}

/// A commit graph as `git commit-graph write` makes it. Each commit has its parents and generation;
/// the position in the list is the number of its hash.
fn graph(commits: &[(&[u32], u32)]) -> Vec<u8> {
    let n = commits.len() as u32;
    let (mut hashes, mut data, mut edges) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (parents, generation)) in commits.iter().enumerate() {
        hashes.extend([at as u8]);
        hashes.extend([0; 19]);
        data.extend([0; 20]);
        data.extend(parents.first().unwrap_or(&NO_PARENT).to_be_bytes());
        let second = match parents {
            [] | [_] => NO_PARENT,
            [_, second] => *second,
            [_, more @ ..] => {
                let first = edges.len() as u32 / 4;
                for (at, parent) in more.iter().enumerate() {
                    let last = if at + 1 == more.len() { HAS_EDGES } else { 0 };
                    edges.extend((parent | last).to_be_bytes());
                }
                HAS_EDGES | first
            }
        };
        data.extend(second.to_be_bytes());
        data.extend((generation << 2).to_be_bytes());
        data.extend([0; 4]);
    }
    let fanout: Vec<u8> =
        (0..=255).flat_map(|first: u32| (first + 1).min(n).to_be_bytes()).collect();
    let chunks = [(b"OIDF", fanout), (b"OIDL", hashes), (b"CDAT", data), (b"EDGE", edges)];
    let mut bytes = vec![b'C', b'G', b'P', b'H', 1, 1, 4, 0];
    let mut offset = 8 + 5 * 12;
    for (name, content) in &chunks {
        bytes.extend(*name);
        bytes.extend((offset as u64).to_be_bytes());
        offset += content.len();
    }
    bytes.extend([0; 4]);
    bytes.extend((offset as u64).to_be_bytes());
    chunks.into_iter().for_each(|(_, content)| bytes.extend(content));
    bytes
}

/// A repository on `main`, whose reflog has these lines without the name of their author.
fn repository(head: &str, log: &[(&str, i64, &str)]) -> (tempfile::TempDir, Repository) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "HEAD", "ref: refs/heads/main\n");
    write(dir.path(), "refs/heads/main", head);
    let log = log.iter().map(|(new, seconds, message)| {
        format!("{} {new} A B <a@b> {seconds} +0100\t{message}\n", name(0))
    });
    write(dir.path(), "logs/refs/heads/main", log.collect::<String>());
    let repository = Repository::find(dir.path()).unwrap();
    (dir, repository)
}

fn write(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(".git").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn former_tips_and_merges_are_in_the_reflog() {
    let log = [
        (name(1), 100, "commit: one"),
        (name(2), 200, "merge topic/a: Fast-forward"),
        (name(3), 300, "pull: Fast-forward"),
    ];
    let log: Vec<_> = log.iter().map(|(new, at, what)| (new.as_str(), *at, *what)).collect();
    let (_dir, repository) = repository(&name(3), &log);
    let history = repository.history().unwrap();
    for n in 1..=3 {
        assert_eq!(history.contains(&name(n)), Some(true));
    }
    assert_eq!(history.contains(&name(9)), None);
    assert_eq!(history.contains("no hash"), None);
    assert!(history.has_merged("topic/a", 200) && history.has_merged("topic/a", 150));
    assert!(!history.has_merged("topic/a", 201) && !history.has_merged("topic", 100));
    assert!(history.has_pulled(300) && !history.has_pulled(301));
}

#[test]
fn the_commit_graph_tells_ancestors() {
    // 0 - 1 - 3 - 5 (merges 2 and 4), and 6 on 1.
    let commits: [(&[u32], u32); 7] =
        [(&[], 1), (&[0], 2), (&[0], 2), (&[1], 3), (&[0], 2), (&[3, 2, 4], 4), (&[1], 3)];
    let (dir, repository) = repository(&name(5), &[]);
    write(dir.path(), "objects/info/commit-graph", graph(&commits));
    let history = repository.history().unwrap();
    for n in 0..=5 {
        assert_eq!(history.contains(&name(n)), Some(true), "{n}");
    }
    assert_eq!(history.contains(&name(6)), Some(false));
    assert_eq!(history.contains(&name(7)), None, "newer than the graph");
    // HEAD is newer than the graph: it may have merged 6.
    write(dir.path(), "refs/heads/main", name(9));
    let moved = (name(5), 100, "commit: five");
    let line = format!("{} {} A <a@b> {} +0000\t{}\n", name(0), moved.0, moved.1, moved.2);
    write(dir.path(), "logs/refs/heads/main", line);
    let history = repository.history().unwrap();
    assert_eq!((history.contains(&name(2)), history.contains(&name(6))), (Some(true), None));
}

#[test]
fn damaged_files_tell_nothing() {
    let whole = graph(&[(&[], 1), (&[0], 2), (&[0], 2)]);
    let (dir, repository) = repository(&name(1), &[]);
    let answer = |bytes: &[u8]| {
        write(dir.path(), "objects/info/commit-graph", bytes);
        repository.history().unwrap().contains(&name(2))
    };
    assert_eq!(answer(&whole), Some(false));
    for cut in 0..whole.len() {
        answer(&whole[..cut]);
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        answer(&damaged);
    }
    write(dir.path(), "logs/refs/heads/main", "no line\n\t\n \t \n0 1 2\tmerge\n");
    assert!(repository.history().is_some());
    write(dir.path(), "refs/heads/main", "");
    assert!(repository.history().is_none());
}

#[test]
fn branches_exist_loose_or_packed() {
    let (dir, repository) = repository(&name(1), &[]);
    write(dir.path(), "packed-refs", format!("# pack-refs\n{} refs/heads/old/one\n", name(2)));
    let history = repository.history().unwrap();
    assert!(history.has_branch("main") && history.has_branch("old/one"));
    assert!(!history.has_branch("gone") && !history.has_branch("../../HEAD"));
}
