use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

use super::index::{MAX_CHANGED, MAX_COMPARED};
use super::*;

/// A work tree without an index. Its files have the same content and the same time.
fn tree(paths: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    fs::write(dir.path().join(".git/HEAD"), "ref: refs/heads/topic/parser\n").unwrap();
    for path in paths {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "content").unwrap();
        touch(&path, 1_000_000_007);
    }
    dir
}

fn touch(path: &Path, nanos: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_nanos(nanos)).unwrap();
}

/// An index entry as `git add` writes it for a file of [`tree`].
struct Added<'a> {
    path: &'a str,
    mode: u32,
    flags: u16,
    /// The extended flags.
    extended: u16,
}

fn added(path: &str) -> Added<'_> {
    Added { path, mode: 0o100644, flags: 0, extended: 0 }
}

fn index(version: u32, hash_len: usize, entries: &[Added]) -> Vec<u8> {
    let mut out = b"DIRC".to_vec();
    out.extend(version.to_be_bytes());
    out.extend((entries.len() as u32).to_be_bytes());
    let mut last = "";
    for entry in entries {
        let start = out.len();
        let fields = [0, 0, 1, 7, 0, 0, entry.mode, 0, 0, "content".len() as u32];
        fields.iter().for_each(|field: &u32| out.extend(field.to_be_bytes()));
        out.extend(vec![0xab; hash_len]);
        let is_extended = if entry.extended != 0 { 0x4000 } else { 0 };
        out.extend((entry.flags | is_extended | entry.path.len() as u16).to_be_bytes());
        if entry.extended != 0 {
            out.extend(entry.extended.to_be_bytes());
        }
        if version == 4 {
            let shared = last.bytes().zip(entry.path.bytes()).take_while(|(a, b)| a == b).count();
            out.push((last.len() - shared) as u8);
            out.extend(&entry.path.as_bytes()[shared..]);
            out.push(0);
        } else {
            out.extend(entry.path.as_bytes());
            out.extend(vec![0; 8 - (out.len() - start) % 8]);
        }
        last = entry.path;
    }
    out.extend(vec![0xcd; hash_len]);
    out
}

fn write_index(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join(".git/index"), bytes).unwrap();
}

#[track_caller]
fn check(dir: &Path, known: &[&str], expected: &[&str]) {
    let known: Vec<String> = known.iter().map(|p| p.to_string()).collect();
    assert_eq!(Repository::find(dir).unwrap().changed_files(&known), expected);
}

fn branch(dir: &Path) -> Option<String> {
    Repository::find(dir)?.branch()
}

#[test]
fn the_branch_is_read_from_head() {
    let dir = tree(&["src/a.rs"]);
    let check = |head: &str, expected: Option<&str>| {
        fs::write(dir.path().join(".git/HEAD"), head).unwrap();
        assert_eq!(branch(dir.path()).as_deref(), expected, "{head:?}");
        assert_eq!(branch(&dir.path().join("src")).as_deref(), expected);
    };
    check("ref: refs/heads/main\n", Some("main"));
    check("ref: refs/heads/topic/a", Some("topic/a"));
    check("4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", None);
    check("ref: refs/heads/.invalid\n", None);
    check("", None);
    fs::remove_file(dir.path().join(".git/HEAD")).unwrap();
    assert_eq!(branch(dir.path()), None);
    // Reading a pipe would block.
    nix::unistd::mkfifo(&dir.path().join(".git/HEAD"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(branch(dir.path()), None);
}

#[test]
fn a_linked_work_tree_has_its_own_branch_and_index() {
    let main = tree(&["a.rs"]);
    let linked = tempfile::tempdir().unwrap();
    let git_dir = main.path().join(".git/worktrees/linked");
    fs::create_dir_all(&git_dir).unwrap();
    fs::write(git_dir.join("HEAD"), "ref: refs/heads/other\n").unwrap();
    fs::write(git_dir.join("commondir"), "../..\n").unwrap();
    fs::write(main.path().join(".git/config"), "[extensions]\n\tobjectFormat = sha256\n").unwrap();
    fs::write(linked.path().join(".git"), format!("gitdir: {}\n", git_dir.display())).unwrap();
    fs::write(git_dir.join("index"), index(2, 32, &[added("gone.rs"), added("lost.rs")])).unwrap();
    assert_eq!(branch(linked.path()).as_deref(), Some("other"));
    check(linked.path(), &[], &["gone.rs", "lost.rs"]);
}

#[test]
fn every_version_of_the_index_is_parsed() {
    let paths = ["a.rs", "src/a.rs", "src/ab.rs", "src/b/c.rs", "z"];
    for version in 2..=4 {
        let dir = tree(&paths);
        write_index(dir.path(), &index(version, 20, &paths.map(added)));
        check(dir.path(), &[], &[]);
        fs::write(dir.path().join("src/ab.rs"), "longer content").unwrap();
        touch(&dir.path().join("src/b/c.rs"), 1_000_000_008);
        fs::remove_file(dir.path().join("z")).unwrap();
        check(dir.path(), &[], &["src/ab.rs", "src/b/c.rs", "z"]);
    }
}

#[test]
fn known_files_outside_the_index_count_as_new() {
    let dir = tree(&["a.rs", "new.rs", "unknown.rs"]);
    write_index(dir.path(), &index(2, 20, &[added("a.rs")]));
    let absolute = dir.path().join("new.rs");
    check(dir.path(), &["a.rs", "never.rs", absolute.to_str().unwrap(), "../x", ""], &[]);
    check(dir.path(), &["new.rs", "a.rs"], &["new.rs"]);
}

#[test]
fn submodules_directories_and_skipped_files_never_count_as_changed() {
    let dir = tree(&["a.rs"]);
    fs::create_dir(dir.path().join("module")).unwrap();
    let module = Added { mode: 0o160000, ..added("module") };
    let folder = Added { mode: 0o040000, ..added("sparse/") };
    let assumed = Added { flags: 0x8000, ..added("assumed.rs") };
    let skipped = Added { extended: 0x4000, ..added("skipped.rs") };
    write_index(dir.path(), &index(3, 20, &[added("a.rs"), assumed, module, skipped, folder]));
    check(dir.path(), &[], &[]);
}

#[test]
fn conflicted_files_and_modified_links_count_as_changed() {
    let dir = tree(&["a.rs"]);
    symlink("/nowhere", dir.path().join("link")).unwrap();
    let ours = Added { flags: 0x2000, ..added("a.rs") };
    let theirs = Added { flags: 0x3000, ..added("a.rs") };
    let link = Added { mode: 0o120000, ..added("link") };
    write_index(dir.path(), &index(2, 20, &[ours, theirs, link]));
    check(dir.path(), &[], &["a.rs", "link"]);
}

#[test]
fn a_copied_tree_has_no_changed_files() {
    let paths: Vec<String> = (0..=MAX_CHANGED).map(|n| format!("f{n:04}")).collect();
    let dir = tree(&[]);
    let entries: Vec<Added> = paths.iter().map(|p| added(p)).collect();
    write_index(dir.path(), &index(2, 20, &entries));
    check(dir.path(), &[], &[]);
    write_index(dir.path(), &index(2, 20, &entries[1..]));
    assert_eq!(Repository::find(dir.path()).unwrap().changed_files(&[]).len(), MAX_CHANGED);
}

#[test]
fn only_known_files_of_a_large_tree_are_compared() {
    let paths: Vec<String> = (0..=MAX_COMPARED).map(|n| format!("f{n:04}")).collect();
    let dir = tree(&["f0000"]);
    let entries: Vec<Added> = paths.iter().map(|p| added(p)).collect();
    write_index(dir.path(), &index(4, 20, &entries));
    check(dir.path(), &["f0000", "f0009"], &["f0009"]);
}

#[test]
fn a_damaged_or_split_index_is_ignored() {
    let dir = tree(&["a.rs"]);
    let whole = index(2, 20, &[added("gone.rs"), added("lost.rs")]);
    let mut split = whole[..whole.len() - 20].to_vec();
    split.extend(b"link\0\0\0\x14");
    check(dir.path(), &[], &[]);
    for bytes in [b"".as_slice(), b"DIRC", b"DIRC\0\0\0\x05\0\0\0\0", &[0xff; 400], &split] {
        write_index(dir.path(), bytes);
        check(dir.path(), &[], &[]);
    }
    // Truncated among its entries, or with a count of entries that is too high.
    for cut in 0..whole.len() - 20 {
        write_index(dir.path(), &whole[..cut]);
        check(dir.path(), &[], &[]);
    }
    let mut overcounted = whole.clone();
    overcounted[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    write_index(dir.path(), &overcounted);
    check(dir.path(), &[], &[]);
    write_index(dir.path(), &whole);
    check(dir.path(), &[], &["gone.rs", "lost.rs"]);
}

#[test]
fn a_git_directory_without_head_is_skipped() {
    let dir = tree(&["inner/a.rs"]);
    fs::create_dir(dir.path().join("inner/.git")).unwrap();
    let found = Repository::find(&dir.path().join("inner")).unwrap();
    assert_eq!(found.root, dir.path());
}

#[test]
fn the_path_of_an_origin_is_not_searched_upward() {
    let dir = tree(&["src/a.rs"]);
    let git_dir = dir.path().join(".git");
    assert_eq!(common_dir_at(dir.path()).as_ref(), Some(&git_dir));
    assert_eq!(common_dir_at(&git_dir).as_ref(), Some(&git_dir));
    assert_eq!(common_dir_at(&dir.path().join("src")), None);
}
