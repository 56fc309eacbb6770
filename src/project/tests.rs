use super::*;

pub(super) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> World {
        World { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        resolve(self.dir.path()).join(path)
    }

    fn write(&self, path: &str, text: &str) -> &World {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A repository whose git directory is `git_dir`.
    pub(super) fn repository(&self, git_dir: &str, origin: Option<&str>) -> &World {
        let origin = origin.map(|url| format!("[remote \"origin\"]\n\turl = {url}\n"));
        self.write(&format!("{git_dir}/HEAD"), "ref: refs/heads/main\n")
            .write(&format!("{git_dir}/config"), &origin.unwrap_or_default())
    }

    fn key(&self, path: &str) -> String {
        format!("dir:{}", self.path(path).display())
    }

    fn check(&self, dir: &str, keys: &[&str], name: &str, root: &str) {
        fs::create_dir_all(self.path(dir)).unwrap();
        let expected = Project {
            keys: keys.iter().map(|k| (*k).to_owned()).collect(),
            name: name.into(),
            root: self.path(root).display().to_string(),
        };
        assert_eq!(identify(&self.path(dir)), expected);
    }
}

#[test]
fn the_key_is_the_origin_or_else_the_directory() {
    let world = World::new();
    world.check("plain/sub", &[&world.key("plain/sub")], "sub", "plain/sub");
    world.repository("bare-bones/.git", None);
    world.check("bare-bones/src", &[&world.key("bare-bones/.git")], "bare-bones", "bare-bones");
    world.repository("here/.git", Some("git@GitHub.com:owner/tool.git"));
    let keys = ["git:github.com/owner/tool", &world.key("here/.git")];
    world.check("here/src/deep", &keys, "tool", "here");
    fs::create_dir_all(world.path("here/empty/.git")).unwrap();
    world.check("here/empty", &keys, "tool", "here");
    let gone = world.path("no/such/../dir");
    assert_eq!(identify(&gone).keys, [world.key("no/dir")]);
}

#[test]
fn work_trees_share_a_key_and_submodules_do_not() {
    let world = World::new();
    world.repository("main/.git", None);
    world
        .write("main/.git/worktrees/tree/HEAD", "x")
        .write("main/.git/worktrees/tree/commondir", "../..\n")
        .write(
            "main/.git/worktrees/tree/gitdir",
            &format!("{}\n", world.path("tree/.git").display()),
        );
    let git_dir = world.path("main/.git/worktrees/tree");
    world.write("tree/.git", &format!("gitdir: {}\n", git_dir.display()));
    world.check("tree/src", &[&world.key("main/.git")], "main", "tree");

    world.repository("main/.git/modules/lib", Some("https://example.org/x/lib"));
    let config = "[core]\n\tworktree = ../../../lib\n[remote \"origin\"]\n\turl = https://example.org/x/lib\n";
    world.write("main/.git/modules/lib/config", config);
    world.write("main/lib/.git", "gitdir: ../.git/modules/lib\n");
    let keys = ["git:example.org/x/lib", &world.key("main/.git/modules/lib")];
    world.check("main/lib", &keys, "lib", "main/lib");

    world.repository("bare/tool.git", None);
    world
        .write("bare/tool.git/worktrees/t/HEAD", "x")
        .write("bare/tool.git/worktrees/t/commondir", "../..")
        .write("bare/tool.git/worktrees/t/gitdir", &world.path("t/.git").display().to_string());
    world
        .write("t/.git", &format!("gitdir: {}", world.path("bare/tool.git/worktrees/t").display()));
    world.check("t", &[&world.key("bare/tool.git")], "tool", "t");
}

#[test]
fn a_clone_of_a_local_repository_shares_its_key() {
    let world = World::new();
    world.repository("one/.git", None);
    for (i, origin) in ["../one", "../one/.git", "file://{}/one"].into_iter().enumerate() {
        let origin = origin.replace("{}", &world.path("").display().to_string());
        let clone = format!("two{i}");
        world.repository(&format!("{clone}/.git"), Some(&origin));
        let own = world.key(&format!("{clone}/.git"));
        world.check(&clone, &[&world.key("one/.git"), &own], &clone, &clone);
    }
    world.repository("three/.git", Some("/no/such/place"));
    world.check("three", &[&world.key("three/.git")], "three", "three");
}

#[test]
fn paths_with_odd_bytes_have_distinct_keys() {
    fn path_of(bytes: &[u8]) -> &Path {
        Path::new(OsStr::from_bytes(bytes))
    }
    let key = |bytes: &[u8]| dir_key(path_of(bytes));
    assert_eq!(key(b"/a b/\xC3\xA9"), "dir:/a b/é");
    assert_eq!(key(b"/a\nb\xFF"), "dir:/a%0Ab%FF");
    assert_eq!(key(b"/a%0Ab"), "dir:/a%250Ab");
    for bytes in [&b"/a b/\xC3\xA9"[..], b"/a\nb\xFF", b"/a%0Ab", b"/%", b"/%4"] {
        assert_eq!(key_dir(&key(bytes)).as_deref(), Some(path_of(bytes)));
    }
    assert_eq!(key_dir("git:example.org/a"), None);
    let world = World::new();
    let odd = world.path("").join(path_of(b"new\nline\xFF"));
    fs::create_dir(&odd).unwrap();
    let project = identify(&odd);
    assert!(project.keys[0].ends_with("/new%0Aline%FF"));
    assert_eq!(project.name, "newline\u{fffd}");
}

#[test]
fn directories_for_temporary_files_are_known() {
    assert!(is_temporary(Path::new("/tmp/a/b")) && is_temporary(Path::new("/var/tmp/a")));
    assert!(!is_temporary(Path::new("/tmpx")) && !is_temporary(Path::new("/srv/tmp")));
}

#[test]
fn a_pipe_in_place_of_a_file_does_not_block() {
    let world = World::new();
    fs::create_dir(world.path("p")).unwrap();
    nix::unistd::mkfifo(&world.path("p/.git"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.check("p", &[&world.key("p")], "p", "p");
    world.repository("q/.git", None);
    fs::remove_file(world.path("q/.git/config")).unwrap();
    nix::unistd::mkfifo(&world.path("q/.git/config"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.check("q", &[&world.key("q/.git")], "q", "q");
}
