use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

#[test]
fn pipes_directories_and_devices_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for path in [&pipe, dir.path(), Path::new("/dev/zero")] {
        let e = read_regular(path).unwrap_err();
        assert_eq!(e.to_string(), "not a regular file", "{}", path.display());
    }
}

#[test]
fn text_is_read_through_links() {
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
