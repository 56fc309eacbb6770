//! File headers of patches, in Codex's form (`*** Update File: path`) and in unified diffs.

/// What a patch does to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    Add,
    Update,
    Delete,
    /// Renames the file of the preceding header to this path.
    MoveTo,
}

/// The header that `line` is, and its path.
pub fn header(line: &str) -> Option<(Header, &str)> {
    const HEADERS: [(&str, Header); 4] = [
        ("*** Add File: ", Header::Add),
        ("*** Update File: ", Header::Update),
        ("*** Delete File: ", Header::Delete),
        ("*** Move to: ", Header::MoveTo),
    ];
    let line = line.trim_start();
    HEADERS.iter().find_map(|(prefix, header)| Some((*header, line.strip_prefix(prefix)?.trim())))
}

/// Whether `text` contains a patch in Codex's form.
pub fn is_patch(text: &str) -> bool {
    text.contains("*** Begin Patch") || text.lines().any(|line| header(line).is_some())
}

/// The paths in the file headers of a patch or a unified diff.
pub fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| header(line).map(|(_, path)| path).or_else(|| diff_path(line)))
}

/// The path in a file header of a unified diff: `+++ b/src/a.rs`, `Index: a.rs`.
pub fn diff_path(line: &str) -> Option<&str> {
    let path = ["+++ ", "--- ", "Index: "].iter().find_map(|prefix| line.strip_prefix(prefix))?;
    let path = path.split('\t').next()?.trim().trim_matches('"');
    Some(path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_file_headers() {
        let text = "*** Begin Patch\n*** Update File: a b/.env\n@@\n-x\n*** Move to: c.env\n\
            --- a/one.txt\t2026-11-29\n+++ \"b/two.txt\"\nIndex: three.txt\n*** End Patch";
        let found: Vec<&str> = paths(text).collect();
        assert_eq!(found, ["a b/.env", "c.env", "one.txt", "two.txt", "three.txt"]);
        assert!(is_patch(text) && !is_patch("+++ b/two.txt"));
    }
}
