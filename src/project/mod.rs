//! Which project a directory belongs to, and whether the user wants it recorded. Read from the
//! files under `.git`, without starting git and without following includes.
//!
//! A repository's key is its `origin`, so clones and worktrees share a memory and two folders of
//! the same name do not; without one it is git's common directory, else the directory itself.

mod place;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use memctl_proto::event::Project;

pub use place::Place;

use crate::text::without_controls;

/// More is not read of any file.
const MAX_FILE: u64 = 256 << 10;
/// Longer origins are none; longer names are cut.
const MAX_ORIGIN: usize = 1024;
const MAX_NAME: usize = 200;

/// The project of a directory. Best key first; a repository's common directory is among its keys
/// even when it has an origin, so that one which gains an origin keeps its memory.
pub fn identify(dir: &Path) -> Project {
    let dir = real(dir);
    let Some(repository) = find(&dir) else {
        return Project { keys: vec![dir_key(&dir)], name: name(&dir), root: shown(&dir) };
    };
    let mut keys = Vec::new();
    let origin = origin(&repository.common).and_then(|url| normalise(&url, &repository));
    let name = match &origin {
        Some(Origin::Remote(key)) => name(Path::new(key)),
        _ => name(work_tree_name(&repository)),
    };
    match origin {
        Some(Origin::Remote(place)) => keys.push(format!("git:{place}")),
        Some(Origin::Local(common)) => keys.push(dir_key(&common)),
        None => {}
    }
    let own = dir_key(&repository.common);
    if !keys.contains(&own) {
        keys.push(own);
    }
    Project { keys, name, root: shown(&repository.root) }
}

/// Whether what happens in `dir` may be recorded, listed or told: the one predicate. `exclude`
/// is compared with the path of the directory and of those above it, where `~` stands for the
/// home directory, and a pattern without a slash with the names of the directory and of those
/// above it within its repository.
pub fn tracked(dir: &Path, home: Option<&Path>, exclude: &[glob::Pattern]) -> bool {
    if exclude.is_empty() {
        return true;
    }
    let real = real(dir);
    let root = find(&real).map_or_else(|| real.clone(), |r| r.root);
    [dir, &real].iter().all(|dir| {
        dir.ancestors().all(|above| {
            let own = *above == **dir || above.starts_with(&root);
            !exclude.iter().any(|pattern| excludes(pattern, above, own, home))
        })
    })
}

fn excludes(pattern: &glob::Pattern, dir: &Path, own: bool, home: Option<&Path>) -> bool {
    if !pattern.as_str().contains('/') {
        let name = dir.file_name().unwrap_or_default();
        return own && pattern.matches(&name.to_string_lossy());
    }
    let below_home = home.and_then(|home| dir.strip_prefix(home).ok());
    let short = below_home.map(|rest| Path::new("~").join(rest));
    [Some(dir), short.as_deref()].into_iter().flatten().any(|path| {
        let text = path.to_string_lossy();
        pattern.matches(&text) || pattern.matches(&format!("{text}/"))
    })
}

/// A repository as a directory in it sees it.
struct Repository {
    /// Of this work tree.
    root: PathBuf,
    /// What all its work trees share.
    common: PathBuf,
}

/// The repository that `dir` lies in, looking upwards.
fn find(dir: &Path) -> Option<Repository> {
    dir.ancestors().find_map(|root| {
        let dot_git = root.join(".git");
        let meta = fs::metadata(&dot_git).ok()?;
        let git_dir = if meta.is_dir() {
            dot_git
        } else {
            let text = read(&dot_git)?;
            root.join(bytes_path(text.strip_prefix(b"gitdir:")?.trim_ascii()))
        };
        // An empty `.git` is no repository.
        fs::symlink_metadata(git_dir.join("HEAD")).ok()?;
        let common = match read(&git_dir.join("commondir")) {
            Some(text) => git_dir.join(bytes_path(text.trim_ascii())),
            None => git_dir,
        };
        Some(Repository { root: root.to_owned(), common: real(&common) })
    })
}

/// Where a repository was cloned from.
enum Origin {
    /// `host/path`.
    Remote(String),
    /// The common directory of a repository on this machine.
    Local(PathBuf),
}

/// `url` of `[remote "origin"]`.
fn origin(common: &Path) -> Option<String> {
    let config = read(&common.join("config"))?;
    config_value(&String::from_utf8_lossy(&config))
}

/// The first `url` of the section `[remote "origin"]` of a git config file.
fn config_value(config: &str) -> Option<String> {
    let joined = config.replace("\\\r\n", "").replace("\\\n", "");
    let mut inside = false;
    for line in joined.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let (section, rest) = header.split_once(']').unwrap_or((header, ""));
            inside = is_origin(section);
            line = rest.trim();
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if inside && key.trim().eq_ignore_ascii_case("url") {
            return Some(unquote(value)).filter(|url| !url.is_empty() && url.len() <= MAX_ORIGIN);
        }
    }
    None
}

fn is_origin(section: &str) -> bool {
    let (name, rest) = section.split_at(section.find(char::is_whitespace).unwrap_or(section.len()));
    let old_form = section.eq_ignore_ascii_case("remote.origin");
    old_form || (name.eq_ignore_ascii_case("remote") && rest.trim() == "\"origin\"")
}

/// A value of a git config file: comments begin with `#` or `;` outside of quotes.
fn unquote(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => text.extend(chars.next()),
            '#' | ';' if !quoted => break,
            c => text.push(c),
        }
    }
    text.trim().to_owned()
}

/// The same for every way to write it: no user, no password, no default port, no `.git`.
fn normalise(url: &str, repository: &Repository) -> Option<Origin> {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => match scp_like(url) {
            Some((host, path)) => return remote(host, None, path),
            None => ("file".to_owned(), url),
        },
    };
    if scheme == "file" {
        let path = repository.root.join(rest);
        let common = find(&path).map(|r| r.common).or_else(|| {
            let bare = fs::metadata(path.join("HEAD")).is_ok();
            bare.then(|| real(&path))
        });
        return common.map(Origin::Local);
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (host, ""),
    };
    let default = match scheme.trim_start_matches("git+").trim_end_matches("+git") {
        "https" => "443",
        "http" => "80",
        "ssh" => "22",
        "git" => "9418",
        "ftp" => "21",
        "ftps" => "990",
        _ => "",
    };
    remote(host, Some(port).filter(|p| !p.is_empty() && *p != default), path)
}

/// `[user@]host:path`, where no slash stands before the colon.
fn scp_like(url: &str) -> Option<(&str, &str)> {
    let (bracketed, from) = match url.find(']') {
        Some(end) if url.contains('[') => (true, end),
        _ => (false, 0),
    };
    let colon = from + url[from..].find(':')?;
    if url[..colon].contains('/') {
        return None;
    }
    let host = url[..colon].rsplit_once('@').map_or(&url[..colon], |(_, host)| host);
    let host = if bracketed { host.trim_matches(['[', ']']) } else { host };
    Some((host, &url[colon + 1..]))
}

fn remote(host: &str, port: Option<&str>, path: &str) -> Option<Origin> {
    let host = without_controls(host).trim_end_matches('.').to_lowercase();
    let path = without_controls(path);
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    let path = parts.join("/");
    let path = path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/');
    if host.is_empty() || path.is_empty() {
        return None;
    }
    Some(Origin::Remote(match port {
        Some(port) => format!("{host}:{port}/{path}"),
        None => format!("{host}/{path}"),
    }))
}

/// The directory that names a repository without an origin: its main work tree, whichever of
/// its work trees we are in.
fn work_tree_name(repository: &Repository) -> &Path {
    match repository.common.file_name() {
        Some(name) if name == ".git" => repository.common.parent().unwrap_or(&repository.root),
        // Of a submodule it lies elsewhere.
        _ if !repository.common.to_string_lossy().ends_with(".git") => &repository.root,
        _ => &repository.common,
    }
}

fn name(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or(OsStr::new("/")).to_string_lossy();
    let name = name.strip_suffix(".git").filter(|n| !n.is_empty()).unwrap_or(&name);
    let clean = without_controls(name);
    clean[..clean.floor_char_boundary(MAX_NAME)].trim().to_owned()
}

/// A path as a key: never two paths the same, never a control character.
fn dir_key(dir: &Path) -> String {
    let mut key = String::from("dir:");
    for chunk in dir.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '%' => key.push_str("%25"),
                c if c.is_ascii_control() => key.push_str(&format!("%{:02X}", c as u32)),
                c => key.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| key.push_str(&format!("%{b:02X}")));
    }
    key
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The path without links; where it does not exist, as it stands.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut clean = PathBuf::new();
        for part in absolute.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                part => clean.push(part),
            }
        }
        clean
    })
}

/// The beginning of a file; nothing of a directory, a pipe or a device.
fn read(file: &Path) -> Option<Vec<u8>> {
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(file).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn bytes_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
