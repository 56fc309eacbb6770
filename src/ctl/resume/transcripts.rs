//! Finds transcripts (`<id>.jsonl`) of sessions that are not stored, in a directory that the user
//! names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::failure::{Context, Result};

/// Files directly in `dir` that were not modified for `idle` and whose name is a UUID that is not in
/// `live`, whatever its case. `live` has lower case. Links, directories and files with other names are ignored.
pub fn orphans(dir: &Path, live: &BTreeSet<String>, idle: Duration) -> Result<Vec<PathBuf>> {
    let now = SystemTime::now();
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).context(dir.display())? {
        let path = entry.context(dir.display())?.path();
        let Some(id) = id(&path) else { continue };
        if live.contains(&id.to_lowercase()) {
            continue;
        }
        let Ok(meta) = path.symlink_metadata() else { continue };
        let written = meta.modified().ok().and_then(|at| now.duration_since(at).ok());
        if meta.is_file() && written.is_some_and(|ago| ago >= idle) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn id(path: &Path) -> Option<&str> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
    (stem.len() == 36 && Uuid::try_parse(stem).is_ok()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "6f2b9c54-3d1e-4c0a-9b7e-2a5d8c41f0e3";
    const ORPHAN: &str = "00000000-3d1e-4c0a-9b7e-2a5d8c41f0e3";

    #[test]
    fn only_orphans_directly_in_the_directory_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [LIVE, ORPHAN] {
            fs::write(at(&format!("{name}.jsonl")), "").unwrap();
        }
        fs::write(at("notes.jsonl"), "").unwrap();
        fs::write(at(&format!("{ORPHAN}.json")), "").unwrap();
        fs::create_dir(at("11111111-3d1e-4c0a-9b7e-2a5d8c41f0e3.jsonl")).unwrap();
        fs::create_dir(at("sub")).unwrap();
        fs::write(at(&format!("sub/{ORPHAN}.jsonl")), "").unwrap();
        let link = at("22222222-3d1e-4c0a-9b7e-2a5d8c41f0e3.jsonl");
        std::os::unix::fs::symlink(at("notes.jsonl"), &link).unwrap();
        let live = BTreeSet::from([LIVE.to_owned()]);
        let found = |idle| orphans(dir.path(), &live, idle).unwrap();
        assert_eq!(found(Duration::ZERO), [at(&format!("{ORPHAN}.jsonl"))]);
        assert!(found(Duration::from_secs(3600)).is_empty(), "it may be running");
    }
}
