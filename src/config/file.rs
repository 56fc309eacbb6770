//! Finds and reads the config files.
//!
//! The user's own file is below the home directory in the password database, so no environment
//! variable moves it. It is read even if it is not trusted, because `exclude` must hold. The
//! environment may name a second file. That one replaces the public settings of the user's own file
//! and may exclude more projects; it decides nothing else.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Env, ProjectDir};
use crate::files::{self, RealPaths};

/// Below the home directory.
const OWN_FILE: &str = ".config/memctl/config.toml";

/// The config files of a process.
#[derive(Debug, Default)]
pub struct Files {
    /// `None`: the password database has no home directory for this user.
    pub own: Option<ConfigFile>,
    /// The file that the environment names, if it is another one.
    pub moved: Option<ConfigFile>,
    /// Why the file that the environment names is not read.
    pub refused: Option<String>,
    /// Why the user's own file cannot be found.
    pub unknown_home: Option<String>,
}

#[derive(Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// Symbolic links are resolved.
    pub canonical: PathBuf,
    pub content: Content,
    /// Why the settings that only the user may change are ignored.
    pub distrust: Option<String>,
}

#[derive(Debug, PartialEq)]
pub enum Content {
    Missing,
    Text(String),
    /// The text is the reason.
    Unreadable(String),
}

impl ConfigFile {
    /// Whether the file could be read and is trusted.
    pub fn is_valid(&self) -> bool {
        matches!(self.content, Content::Text(_)) && self.distrust.is_none()
    }
}

impl Files {
    /// Reads the config files. `projects` is called only if there is a file that may be inside a
    /// project.
    pub fn read(
        env: Env,
        account_home: Result<Option<&Path>, String>,
        projects: &dyn Fn() -> Vec<ProjectDir>,
        real_paths: &RealPaths,
    ) -> Files {
        let mut files = Files::default();
        match &account_home {
            Ok(home) => files.own = home.map(|home| own_file(home, projects, real_paths)),
            Err(why) => files.unknown_home = Some(why.clone()),
        }
        match named_by_environment(env) {
            Ok(Some(path)) if files.own.as_ref().is_none_or(|own| own.path != path) => {
                let canonical = real_paths.resolve(&path);
                if files.own.as_ref().is_some_and(|own| own.canonical == canonical) {
                    return files;
                }
                let home = account_home.ok().flatten();
                // A shell that starts in its home directory has no project.
                let is_home = |project: &ProjectDir| {
                    !project.is_repository && env("HOME").is_some_and(|home| project.path == home)
                };
                let owns = |project: &ProjectDir| project.owns(&canonical, home);
                if projects().iter().any(|project| owns(project) && !is_home(project)) {
                    // Nobody expects anything from a file in the default place that does not exist.
                    let is_expected = is_named(env) || path.symlink_metadata().is_ok();
                    let path = path.display();
                    files.refused = is_expected.then(|| {
                        format!("config file {path} is ignored: it is inside the project")
                    });
                } else {
                    let content = open(&path).map_or_else(|content| content, |open| open.content);
                    files.moved = Some(ConfigFile { path, canonical, content, distrust: None });
                }
            }
            Ok(_) => {}
            Err(why) => files.refused = Some(why),
        }
        files
    }

    #[cfg(test)]
    pub fn of_text(text: &str) -> Files {
        let content = Content::Text(text.to_owned());
        let path = PathBuf::from("/u/config.toml");
        let own = ConfigFile { canonical: path.clone(), path, content, distrust: None };
        Files { own: Some(own), ..Files::default() }
    }
}

/// The path of the user's own file.
pub fn own_path(home: &Path) -> PathBuf {
    home.join(OWN_FILE)
}

/// The config file that the environment names.
///
/// # Errors
/// A message if the path is relative: it would depend on the working directory.
fn named_by_environment(env: Env) -> Result<Option<PathBuf>, String> {
    let dir = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match env("MEMCTL_CONFIG").filter(|file| !file.is_empty()).map(PathBuf::from) {
        Some(file) if file.is_absolute() => return Ok(Some(file)),
        Some(_) => return Err("MEMCTL_CONFIG is ignored: it is not an absolute path".into()),
        None => {}
    }
    let in_xdg = dir("XDG_CONFIG_HOME").map(|base| base.join("memctl/config.toml"));
    Ok(in_xdg.or_else(|| Some(dir("HOME")?.join(OWN_FILE))))
}

/// Whether the environment names the file itself, and not only its directory.
fn is_named(env: Env) -> bool {
    env("MEMCTL_CONFIG").is_some_and(|file| !file.is_empty())
}

fn own_file(
    home: &Path,
    projects: &dyn Fn() -> Vec<ProjectDir>,
    real_paths: &RealPaths,
) -> ConfigFile {
    let path = own_path(home);
    let (canonical, content, distrust) = match open(&path) {
        Ok(open) => {
            let home = real_paths.resolve(home);
            let canonical = real_paths.resolve(&path);
            let distrust = distrust(&canonical, &home, &open.metadata).or_else(|| {
                let inside = projects().iter().any(|project| project.owns(&canonical, Some(&home)));
                inside.then(|| format!("{} is inside the project", path.display()))
            });
            (canonical, open.content, distrust)
        }
        Err(content) => (path.clone(), content, None),
    };
    ConfigFile { path, canonical, content, distrust }
}

/// Why a file may be under someone else's control.
fn distrust(file: &Path, home: &Path, opened: &Metadata) -> Option<String> {
    let own = nix::unistd::getuid().as_raw();
    let name = file.display();
    let same = |found: &Metadata| (found.dev(), found.ino()) == (opened.dev(), opened.ino());
    if !file.starts_with(home) {
        return Some(format!("{name} is outside of {}", home.display()));
    }
    if opened.uid() != own {
        return Some(format!("{name} belongs to user {}", opened.uid()));
    }
    if !fs::symlink_metadata(file).is_ok_and(|found| same(&found)) {
        return Some(format!("{name} was replaced while it was read"));
    }
    let open_to_others = |meta: &Metadata| meta.mode() & 0o022 != 0;
    if open_to_others(opened) {
        return Some(format!("other users can change {name}; run `chmod go-w {name}`"));
    }
    let dirs = file.ancestors().skip(1).take_while(|dir| *dir != home);
    let unsafe_dir = |dir: &&Path| {
        fs::symlink_metadata(dir)
            .is_ok_and(|meta| open_to_others(&meta) || ![0, own].contains(&meta.uid()))
    };
    let dir = dirs.into_iter().find(unsafe_dir)?.display();
    Some(format!("other users can change files in {dir}; run `chmod go-w {dir}`"))
}

struct Opened {
    content: Content,
    metadata: Metadata,
}

fn open(path: &Path) -> Result<Opened, Content> {
    let unreadable = |e: io::Error| Content::Unreadable(e.to_string());
    let file = match files::open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => {
            return Err(Content::Missing);
        }
        Err(e) => return Err(unreadable(e)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    let content = files::read_text(file).map_or_else(unreadable, Content::Text);
    Ok(Opened { content, metadata })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Home {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    impl Home {
        fn new() -> Home {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().canonicalize().unwrap().join("u");
            let home = Home { path, _dir: dir };
            fs::create_dir_all(home.file().parent().unwrap()).unwrap();
            home
        }

        fn file(&self) -> PathBuf {
            own_path(&self.path)
        }

        fn write(&self, text: &[u8]) {
            fs::write(self.file(), text).unwrap();
            self.chmod(&self.file(), 0o600);
        }

        fn chmod(&self, path: &Path, mode: u32) {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }

        fn read(&self, env: &[(&str, &Path)], project: Option<ProjectDir>) -> Files {
            let get = |name: &str| {
                env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v.as_os_str()))
            };
            let projects = || project.iter().cloned().collect();
            Files::read(&get, Ok(Some(&self.path)), &projects, &RealPaths::default())
        }

        fn distrust(&self, project: Option<ProjectDir>) -> String {
            self.read(&[], project).own.unwrap().distrust.unwrap_or_default()
        }
    }

    fn directory(path: &Path, is_repository: bool) -> Option<ProjectDir> {
        Some(ProjectDir { path: path.to_owned(), is_repository })
    }

    #[test]
    fn the_own_file_is_trusted_only_if_no_one_else_can_change_it() {
        let home = Home::new();
        home.write(b"");
        assert_eq!(home.distrust(None), "");
        for mode in [0o620, 0o602, 0o666] {
            home.chmod(&home.file(), mode);
            assert!(home.distrust(None).contains("chmod go-w"), "{mode:o}");
        }
        home.chmod(&home.file(), 0o644);
        assert_eq!(home.distrust(None), "");
        let dir = home.path.join(".config");
        home.chmod(&dir, 0o777);
        assert!(home.distrust(None).contains("other users can change files in"));
        home.chmod(&dir, 0o700);
        if std::os::unix::fs::chown(home.file(), Some(1), None).is_ok() {
            assert!(home.distrust(None).contains("belongs to user 1"));
            assert_eq!(home.read(&[], None).own.unwrap().content, Content::Text(String::new()));
        }
    }

    #[test]
    fn links_are_resolved_before_places_are_compared() {
        let home = Home::new();
        let dotfiles = home.path.join("dotfiles");
        fs::create_dir(&dotfiles).unwrap();
        fs::write(dotfiles.join("m.toml"), "").unwrap();
        home.chmod(&dotfiles.join("m.toml"), 0o600);
        symlink("../../dotfiles/m.toml", home.file()).unwrap();
        assert_eq!(home.distrust(None), "", "a link inside the home directory");
        let inside = "is inside the project";
        assert!(home.distrust(directory(&dotfiles, true)).contains(inside));
        assert!(home.distrust(directory(&dotfiles, false)).contains(inside));
        let outside = home.path.with_file_name("outside.toml");
        fs::write(&outside, "").unwrap();
        fs::remove_file(home.file()).unwrap();
        symlink(&outside, home.file()).unwrap();
        assert!(home.distrust(None).contains("is outside of"));
        // The file that the environment names is the same one.
        assert!(home.read(&[("MEMCTL_CONFIG", &outside)], None).moved.is_none());
    }

    #[test]
    fn a_project_around_the_home_directory_is_not_trusted_but_the_home_directory_is() {
        let home = Home::new();
        home.write(b"");
        let around = home.path.parent().unwrap();
        assert_eq!(home.distrust(directory(&home.path, true)), "", "dotfiles in git");
        assert!(home.distrust(directory(around, true)).contains("inside the project"));
        assert_eq!(home.distrust(directory(around, false)), "", "a session in /home");
        assert_eq!(home.distrust(directory(Path::new("/"), false)), "");
        let config = home.path.join(".config");
        assert!(home.distrust(directory(&config, false)).contains("inside the project"));
    }

    #[test]
    fn the_environment_names_a_second_file_only_outside_the_project() {
        let home = Home::new();
        let project = home.path.join("p");
        fs::create_dir_all(project.join("sub")).unwrap();
        fs::write(project.join("m.toml"), "").unwrap();
        symlink(&project, home.path.join("link")).unwrap();
        for name in ["p/m.toml", "p/sub/../m.toml", "link/m.toml", "link/absent.toml"] {
            let files =
                home.read(&[("MEMCTL_CONFIG", &home.path.join(name))], directory(&project, true));
            assert!(files.moved.is_none(), "{name}");
            assert!(files.refused.unwrap().contains("inside the project"), "{name}");
        }
        let absent = home.read(&[("XDG_CONFIG_HOME", &project)], directory(&project, true));
        assert!(absent.moved.is_none() && absent.refused.is_none(), "{absent:?}");
        fs::create_dir(project.join("memctl")).unwrap();
        fs::write(project.join("memctl/config.toml"), "").unwrap();
        let present = home.read(&[("XDG_CONFIG_HOME", &project)], directory(&project, true));
        assert!(present.moved.is_none() && present.refused.is_some(), "{present:?}");
        for relative in ["m.toml", "./p/m.toml"] {
            let files = home.read(&[("MEMCTL_CONFIG", Path::new(relative))], None);
            assert!(files.refused.unwrap().contains("not an absolute path"));
        }
        for (name, value, want) in [
            ("HOME", "p", "p/.config/memctl/config.toml"),
            ("XDG_CONFIG_HOME", "p", "p/memctl/config.toml"),
            ("MEMCTL_CONFIG", "x.toml", "x.toml"),
        ] {
            let files = home.read(&[(name, &home.path.join(value))], None);
            assert_eq!(files.moved.unwrap().path, home.path.join(want));
            assert_eq!(files.own.unwrap().path, home.file());
        }
        assert!(home.read(&[("HOME", &home.path)], None).moved.is_none());
        // A directory is no project because a shell starts there; a repository is one.
        let started_in = |is_repository| {
            home.read(&[("HOME", &project)], directory(&project, is_repository)).moved.is_some()
        };
        assert_eq!([false, true].map(started_in), [true, false]);
    }

    #[test]
    fn only_a_missing_file_is_missing() {
        let home = Home::new();
        let content = || home.read(&[], None).own.unwrap().content;
        let unreadable = |what: &str| match content() {
            Content::Unreadable(why) => why,
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(content(), Content::Missing);
        fs::create_dir(home.file()).unwrap();
        assert_eq!(unreadable("a directory"), "not a regular file");
        fs::remove_dir(home.file()).unwrap();
        nix::unistd::mkfifo(&home.file(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(unreadable("a pipe"), "not a regular file");
        fs::remove_file(home.file()).unwrap();
        symlink("absent", home.file()).unwrap();
        unreadable("a link to nothing");
        fs::remove_file(home.file()).unwrap();
        home.write(b"# \xff\n");
        assert_eq!(unreadable("bytes"), "not UTF-8");
        fs::remove_dir_all(home.path.join(".config/memctl")).unwrap();
        fs::write(home.path.join(".config/memctl"), "").unwrap();
        unreadable("a file in place of its directory");
    }
}
