use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;

const OTHER_USER: u32 = 1;

/// A root with the directory `sub` in it.
fn root() -> (TempDir, Place) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let root = Place::in_dir(dir.path(), "");
    (dir, root)
}

/// Every way to open or change the file.
fn attempts(place: &Place) -> Vec<(&'static str, io::Result<()>)> {
    vec![
        ("open", place.open().map(drop)),
        ("read", place.read().map(drop)),
        ("append", place.append(b"x")),
        ("write", place.write(b"x").map(drop)),
        ("lock", place.open_or_create().map(drop)),
    ]
}

#[test]
fn files_are_created_read_moved_and_removed() {
    let (dir, root) = root();
    let place = root.join("sub/a");
    assert!(!place.exists());
    assert_eq!(place.read().unwrap_err().kind(), ErrorKind::NotFound);
    place.append(b"one").unwrap();
    place.append(b" two").unwrap();
    assert_eq!(place.read_to_string().unwrap(), "one two");
    place.write(b"three").unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("sub/a")).unwrap(), "three");
    let stat = place.stat().unwrap();
    assert_eq!((stat.is_file(), stat.mode, stat.len), (true, 0o600, 5));
    assert_eq!(stat.id, FileId::of(&place.open().unwrap()).unwrap());
    place.hard_link(&root.join("b")).unwrap();
    let again = place.hard_link(&root.join("b")).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    root.join("new").make_dir().unwrap();
    root.join("new").make_dir().unwrap();
    place.rename(&root.join("new/c")).unwrap();
    let mut names = root.names().unwrap();
    names.sort();
    assert_eq!(names, ["b", "new", "sub"]);
    assert_eq!(root.join("sub").entries().count(), 0);
    root.join("sub").remove_dir().unwrap();
    root.join("b").remove_file().unwrap();
    root.join("new").sync_dir().unwrap();
    assert_eq!(root.path(), dir.path());
    assert_eq!(root.join("new/c").path(), dir.path().join("new/c"));
    assert_eq!(root.join("new/c").parent(), root.join("new"));
}

#[test]
fn no_symbolic_link_is_followed() {
    let (dir, root) = root();
    let victim = tempfile::tempdir().unwrap();
    fs::write(victim.path().join("file"), "mine").unwrap();
    symlink(victim.path().join("file"), dir.path().join("link")).unwrap();
    symlink(victim.path().join("absent"), dir.path().join("dangling")).unwrap();
    symlink(victim.path(), dir.path().join("dir")).unwrap();
    symlink(victim.path(), dir.path().join("sub/dir")).unwrap();
    for name in ["link", "dangling", "dir", "dir/file", "dir/new", "sub/dir/file", "sub/dir/new"] {
        for (what, result) in attempts(&root.join(name)) {
            assert!(result.is_err(), "{what} {name}");
        }
    }
    let own = root.join("own");
    own.write(b"x").unwrap();
    for name in ["dir/new", "sub/dir/new"] {
        let place = root.join(name);
        assert!(own.rename(&place).is_err() && own.hard_link(&place).is_err(), "{name}");
        assert!(place.make_dir().is_err(), "{name}");
    }
    assert!(root.join("dir/file").remove_file().is_err());
    assert!(root.join("dir/file").stat().is_err() && !root.join("dir/file").exists());
    assert!(root.join("dir").names().is_err() && root.join("dir").restrict().is_err());
    // A link to be removed or replaced is a file of its directory.
    own.rename(&root.join("link")).unwrap();
    root.join("dangling").remove_file().unwrap();
    assert_eq!(fs::read_to_string(victim.path().join("file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(victim.path()).unwrap().count(), 1);
}

#[test]
fn pipes_sockets_and_directories_are_refused_at_once() {
    let (dir, root) = root();
    let path = |name: &str| dir.path().join(name);
    mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();
    for name in ["pipe", "socket", "sub"] {
        for (what, result) in attempts(&root.join(name)) {
            let e = result.expect_err(what);
            assert_eq!(e.kind(), ErrorKind::PermissionDenied, "{what} {name}: {e}");
            assert!(e.to_string().contains(name), "{e}");
        }
    }
    for name in ["pipe", "sub"] {
        let e = read_regular(&path(name)).unwrap_err();
        assert_eq!(e.to_string(), "not a regular file", "{name}");
    }
    assert!(read_regular(Path::new("/dev/zero")).is_err());
    assert!(root.join("pipe/x").open().is_err());
    assert!(root.join("pipe").names().is_err());
}

#[test]
fn text_is_read_through_links_outside_of_roots() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("text"), "é").unwrap();
    fs::write(path("bytes"), b"\xff").unwrap();
    symlink("text", path("link")).unwrap();
    assert_eq!(read_regular(&path("link")).unwrap(), "é");
    assert_eq!(read_regular(&path("bytes")).unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(read_regular(&path("absent")).unwrap_err().kind(), ErrorKind::NotFound);
    fs::File::create(path("huge")).unwrap().set_len(MAX_READ + 1).unwrap();
    assert_eq!(read_regular(&path("huge")).unwrap_err().kind(), ErrorKind::FileTooLarge);
}

#[test]
fn a_root_that_others_can_write_is_refused_until_it_is_restricted() {
    let (dir, root) = root();
    let mode = |mode| fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
    root.join("a").append(b"x").unwrap();
    for open in [0o777, 0o775, 0o702, 0o1777] {
        mode(open);
        let e = root.join("a").read().unwrap_err();
        assert!(e.to_string().contains("is open to other users"), "{open:o}: {e}");
    }
    mode(0o755);
    assert_eq!(root.join("a").read().unwrap(), b"x");
    let private = Root::new(dir.path(), Privacy::Private);
    assert!(private.open().is_err());
    private.restrict().unwrap();
    assert!(private.open().is_ok());
    let link = tempfile::tempdir().unwrap().path().join("link");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(dir.path(), &link).unwrap();
    assert!(Root::new(&link, Privacy::NotWritable).open().is_ok());
    assert!(Root::new(&link, Privacy::Private).open().is_err());
    assert!(Root::new(&link, Privacy::Private).restrict().is_err());
}

#[test]
fn files_and_directories_of_another_user_are_refused() {
    let (dir, root) = root();
    // Only root can give files away; tests/it/other_users.rs notes that on other systems.
    let give = |name: &str| chown(dir.path().join(name), Some(OTHER_USER), None);
    root.join("a").append(b"x").unwrap();
    root.join("sub/a").append(b"x").unwrap();
    if let Err(e) = give("a") {
        println!("only root can give files away: {e}");
        return;
    }
    give("sub").unwrap();
    for name in ["a", "sub/a", "sub/new"] {
        for (what, result) in attempts(&root.join(name)) {
            let e = result.expect_err(what);
            assert_eq!(e.kind(), ErrorKind::PermissionDenied, "{what} {name}: {e}");
        }
    }
    give(".").unwrap();
    let e = root.join("b").append(b"x").unwrap_err();
    assert!(e.to_string().ends_with("belongs to user 1"), "{e}");
    assert!(Root::new(dir.path(), Privacy::NotWritable).restrict().is_err());
}

#[test]
fn a_root_that_is_replaced_is_opened_and_checked_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("root");
    fs::create_dir(&path).unwrap();
    let place = Place::in_dir(&path, "a");
    place.append(b"old").unwrap();
    fs::rename(&path, parent.path().join("moved")).unwrap();
    assert_eq!(place.append(b"x").unwrap_err().kind(), ErrorKind::NotFound);
    fs::create_dir(&path).unwrap();
    place.append(b"new").unwrap();
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "new");
    fs::remove_dir_all(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    assert!(place.append(b"x").is_err());
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(place.append(b"x").unwrap_err().kind(), ErrorKind::NotADirectory);
}

#[test]
fn a_held_root_is_the_directory_that_was_checked() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("root");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    let root = Root::new(&path, Privacy::NotWritable);
    assert!(root.hold().is_err());
    assert!(root.restrict().unwrap());
    root.hold().unwrap();
    assert!(!root.restrict().unwrap());
    // Another program puts a directory of its own there.
    fs::rename(&path, parent.path().join("moved")).unwrap();
    fs::create_dir(&path).unwrap();
    Place::root(&root).join("a").append(b"x").unwrap();
    assert_eq!(fs::read_to_string(parent.path().join("moved/a")).unwrap(), "x");
    assert!(!path.join("a").exists());
}
